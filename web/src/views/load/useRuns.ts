// The load tests that run and have ended, and the one that is looked at, followed while it runs.
import { useCallback, useEffect, useState } from 'react';
import { useFarm } from '../../live/farm';
import { list, read, watch, type Point, type Run, type Summary } from './api';

export interface Runs {
  runs: readonly Summary[];
  problem: string;
  refresh(): void;
}

/** Asked for again when the number of tests that run has changed. */
export function useRuns(): Runs {
  const running = useFarm((table) => table.farm.load_tests);
  const [runs, setRuns] = useState<readonly Summary[]>([]);
  const [problem, setProblem] = useState('');
  const refresh = useCallback(() => {
    list().then(
      (found) => {
        setRuns(found);
        setProblem('');
      },
      (failure: Error) => setProblem(failure.message),
    );
  }, []);
  useEffect(refresh, [refresh, running]);
  return { runs, problem, refresh };
}

export interface Watched {
  run: Run | null;
  points: readonly Point[];
  problem: string;
}

const POINTS = 3600;

export function useRun(id: string, onEnd: () => void): Watched {
  const [watched, setWatched] = useState<Watched>({ run: null, points: [], problem: '' });
  useEffect(() => {
    const abort = new AbortController();
    const take = (change: Partial<Watched>): void => {
      if (!abort.signal.aborted) setWatched((before) => ({ ...before, ...change }));
    };
    async function look(): Promise<void> {
      const run = await read(id);
      take({ run, points: run.result?.series ?? [] });
      if (run.status !== 'running') return;
      const points: Point[] = [];
      const ended = await watch(id, (point) => {
        points.push(point);
        take({ points: points.slice(-POINTS) });
      }, abort.signal);
      take({ run: ended, points: ended.result?.series ?? points });
      if (!abort.signal.aborted) onEnd();
    }
    setWatched({ run: null, points: [], problem: '' });
    look().catch((failure: Error) => take({ problem: failure.message }));
    return () => abort.abort();
  }, [id, onEnd]);
  return watched;
}
