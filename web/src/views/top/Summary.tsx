// For those who hear the page: one sentence when the farm's standing has changed, not more often than is bearable.
import { useEffect, useRef, useState } from 'react';
import { plural } from '../../format/format';
import { useFarm } from '../../live/farm';
import type { Table } from '../../live/table';

const LEAST_MS = 15_000;

function sentence({ farm }: Table): string {
  const parts = [`${farm.health.healthy ?? 0} of ${plural(farm.servers, 'server')} healthy`];
  const trouble: [number | undefined, string][] = [
    [farm.health.degraded, 'degraded'], [farm.health.unhealthy, 'unhealthy'], [farm.restarting, 'restarting'],
    [farm.states.failed, 'failed'], [farm.states.stopped, 'stopped'], [farm.states.paused, 'paused'],
  ];
  for (const [count, word] of trouble) if (count) parts.push(`${count} ${word}`);
  return parts.join(', ');
}

export function Summary() {
  const now = useFarm(sentence) ?? '';
  const [said, setSaid] = useState('');
  const lastAt = useRef(0);
  useEffect(() => {
    const timer = setTimeout(() => {
      lastAt.current = Date.now();
      setSaid(now);
    }, Math.max(0, lastAt.current + LEAST_MS - Date.now()));
    return () => clearTimeout(timer);
  }, [now]);
  return (
    <div className="hidden" role="status" aria-live="polite">
      {said}
    </div>
  );
}
