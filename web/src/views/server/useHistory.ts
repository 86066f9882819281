// The figures of one server over the last minutes: asked for whole at first, then what is new with each tick.
import { useEffect, useState } from 'react';
import { api, ask, type Schemas } from '../../api/client';
import { farm } from '../../live/farm';

export type Points = Schemas['History']['points'];

const NAMES = [
  'at', 'restarts', 'cpu_percent', 'throttled_percent', 'memory_mb', 'requests_per_second', 'errors_per_second', 'p50_ms', 'p99_ms',
] as const satisfies (keyof Points)[];

function joined(before: Points | null, after: Points, keepSeconds: number): Points {
  const last = before?.at.at(-1) ?? 0;
  const from = after.at.findIndex((at) => at > last);
  if (before && from < 0) return before;
  const oldest = after.at.at(-1)! - keepSeconds;
  const first = before ? Math.max(0, before.at.findIndex((at) => at > oldest)) : 0;
  const points = {} as Record<(typeof NAMES)[number], (number | null)[]>;
  for (const name of NAMES) points[name] = [...(before?.[name].slice(first) ?? []), ...after[name].slice(Math.max(0, from))];
  return points as Points;
}

export type Resolution = 1 | 10;

/** `resolution`: seconds to a point; by the second ten minutes are kept, by ten seconds an hour. */
export function useHistory(id: number, resolution: Resolution): Points | null {
  const [points, setPoints] = useState<Points | null>(null);
  useEffect(() => {
    let isCurrent = true;
    let isAsking = false;
    let last = 0;
    async function more(): Promise<void> {
      if (isAsking) return;
      isAsking = true;
      try {
        const path = { id };
        const history = await ask(api.GET('/api/servers/{id}/history', { params: { path, query: { since: last, resolution } } }));
        if (isCurrent && history.points.at.length > 0) {
          last = history.points.at.at(-1)!;
          setPoints((before) => joined(before, history.points, history.keep_seconds));
        }
      } catch {
        // A server that is gone, or a farmd: the page says so elsewhere, and the next tick tries again.
      }
      isAsking = false;
    }
    setPoints(null);
    void more();
    const leave = farm.subscribe(() => void more());
    return () => {
      isCurrent = false;
      leave();
    };
  }, [id, resolution]);
  return points;
}
