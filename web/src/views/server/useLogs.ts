// A server's log, followed: its last lines and then each as it is written. Bounded in lines and in their length.
import { useEffect, useRef, useState } from 'react';
import type { Schemas } from '../../api/client';
import { follow } from '../../api/follow';
import { levelOf, plain, type Level } from '../../format/text';

export interface LogLine {
  key: number;
  /** ms since 1970. */
  at: number;
  text: string;
  level: Level;
}

const KEPT = 5000;
const TAIL = 300;
const AGAIN_MS = 2000;

/** Many programs begin a line with the time; it is shown once, and theirs is the exact one. */
const STAMP = /^(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?) /;

let lastKey = 0;

function readLine({ at, text }: { at: string; text: string }): LogLine {
  const stamp = STAMP.exec(text.slice(0, 40));
  const shown = plain(stamp ? text.slice(stamp[0].length) : text);
  const own = stamp ? Date.parse(stamp[1]) : NaN;
  return { key: ++lastKey, at: Number.isNaN(own) ? Date.parse(at) : own, text: shown, level: levelOf(shown) };
}

export interface Logs {
  lines: readonly LogLine[];
  problem: string;
}

/** While `isPaused` what comes is kept back, and shown afterwards. */
export function useLogs(id: number, isPaused: boolean): Logs {
  const [logs, setLogs] = useState<Logs>({ lines: [], problem: '' });
  const kept = useRef<readonly LogLine[]>([]);
  const paused = useRef(isPaused);
  paused.current = isPaused;

  useEffect(() => {
    const abort = new AbortController();
    kept.current = [];
    setLogs({ lines: [], problem: '' });
    async function run(): Promise<void> {
      while (!abort.signal.aborted) {
        let problem = '';
        let isFirst = true;
        try {
          await follow(
            `/api/logs?select=${id}&tail=${TAIL}&follow=true`,
            (message) => {
              if (message.event !== 'lines') return;
              const { lines } = JSON.parse(message.data) as Schemas['LogLines'];
              const before = isFirst ? [] : kept.current;
              isFirst = false;
              kept.current = [...before, ...lines.map(readLine)].slice(-KEPT);
              if (!paused.current) setLogs({ lines: kept.current, problem: '' });
            },
            { signal: abort.signal },
          );
        } catch (failure) {
          problem = (failure as Error).message;
        }
        if (abort.signal.aborted) return;
        setLogs((before) => ({ ...before, problem }));
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
    void run();
    return () => abort.abort();
  }, [id]);

  useEffect(() => {
    if (!isPaused) setLogs((before) => ({ ...before, lines: kept.current }));
  }, [isPaused]);
  return logs;
}
