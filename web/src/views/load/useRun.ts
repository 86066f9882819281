// The load test that is looked at, followed while it runs.
import { useEffect, useState } from 'react';
import { refreshLoadTests } from '../../state/loadTests';
import { read, watch, type Point, type Run } from './api';

export interface Watched {
  run: Run | null;
  points: readonly Point[];
  problem: string;
}

const POINTS = 3600;

export function useRun(id: string): Watched {
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
    }
    setWatched({ run: null, points: [], problem: '' });
    look()
      .catch((failure: Error) => take({ problem: failure.message }))
      .finally(() => void refreshLoadTests());
    return () => abort.abort();
  }, [id]);
  return watched;
}
