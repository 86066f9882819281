// CPU, memory, requests and latency of one server, under one another, with one cursor.
import { memo } from 'react';
import { number } from '../../format/format';
import type { Server } from '../../api/client';
import type { FarmEvent } from '../../live/protocol';
import { Plot, type PlotProps } from './Plot';
import type { Points, Resolution } from './useHistory';

/** Where the count of restarts went up. */
function restartsIn(points: Points): number[] {
  return points.at.filter((_, i) => i > 0 && points.restarts[i] > points.restarts[i - 1]);
}

/** Those that the plot covers. */
function killsIn(events: readonly FarmEvent[], from: number): number[] {
  return events.filter((event) => event.reason === 'OOMKilled').map((event) => Date.parse(event.at) / 1000).filter((at) => at >= from);
}

function Titled({ title, said, ...plot }: PlotProps & { title: string; said: string }) {
  return (
    <figure>
      <figcaption>
        <b>{title}</b>
        <span>{said}</span>
      </figcaption>
      <Plot {...plot} />
    </figure>
  );
}

/** What the time axis covers of a server that is young, by the seconds to a point. */
const LEAST_SECONDS: Record<Resolution, number> = { 1: 60, 10: 600 };

function memorySaid(limit: number | null | undefined, kills: number): string {
  if (limit == null) return 'no limit in force';
  return `limit ${number(limit)} MB${kills ? ` · ✕ killed for memory: ${number(kills)}` : ''}`;
}

interface PlotsProps {
  points: Points | null;
  events: readonly FarmEvent[];
  limits: Server['limits'] | undefined;
  resolution: Resolution;
  onResolution: (resolution: Resolution) => void;
}

export const Plots = memo(function Plots({ points, events, limits, resolution, onResolution }: PlotsProps) {
  if (!points || points.at.length < 2) return <p className="dim">Its figures come with the next seconds.</p>;
  const shared = { at: points.at, step: resolution, marks: restartsIn(points), leastSeconds: LEAST_SECONDS[resolution] };
  const last = points.at.length - 1;
  const kills = killsIn(events, points.at[0]);
  return (
    <div className="plots">
      <select aria-label="how far back" value={resolution} onChange={(event) => onResolution(Number(event.target.value) as Resolution)}>
        <option value={1}>10 minutes, by the second</option>
        <option value={10}>1 hour, by 10 s</option>
      </select>
      <Titled {...shared} title="CPU" said={limits?.cpu == null ? 'no limit in force' : `limit ${limits.cpu} · throttled ${number(points.throttled_percent[last])}%`}
        label="CPU over time, per cent of its limit" unit="%" limit={limits?.cpu == null ? null : 100}
        curves={[{ label: 'used', colour: 'info', isFilled: true }, { label: 'throttled', colour: 'warn' }]}
        values={[points.cpu_percent, points.throttled_percent]} />
      <Titled {...shared} title="memory" said={memorySaid(limits?.memory_mb, kills.length)}
        label="memory over time, MB" unit="MB" limit={limits?.memory_mb} kills={kills}
        curves={[{ label: 'used', colour: 'info', isFilled: true }]} values={[points.memory_mb]} />
      <Titled {...shared} title="requests" said="a second" label="requests and errors a second, over time" unit="/s"
        curves={[{ label: 'requests', colour: 'info' }, { label: 'errors', colour: 'bad' }]}
        values={[points.requests_per_second, points.errors_per_second]} />
      <Titled {...shared} title="latency" said="ms" label="latency over time, ms" unit="ms"
        curves={[{ label: 'p50', colour: 'info' }, { label: 'p99', colour: 'paused' }]} values={[points.p50_ms, points.p99_ms]} />
    </div>
  );
});
