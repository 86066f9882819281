// "Why did it restart?": what ended it, what it used before that, its last lines, what comes next and when.
import type { Server } from '../../api/client';
import { clock, duration, number } from '../../format/format';
import { plain } from '../../format/text';
import { kindOf } from '../../live/kind';
import { useRow } from '../../live/farm';
import type { FarmEvent } from '../../live/protocol';
import { Sparkline } from '../../ui/Sparkline';
import { useNow } from '../../ui/useNow';
import type { LogLine } from './useLogs';
import type { Points } from './useHistory';

const BEFORE_S = 30;
const LINES = 4;

function times(count: number): string {
  return count === 0 ? 'never' : count === 1 ? 'once' : `${number(count)} times`;
}

function headline(server: Server): string {
  const reason = server.last_exit?.reason;
  switch (server.status) {
    case 'backoff':
      return `Restarting: ${reason ?? 'it did not start'}`;
    case 'failed':
      return `Given up: ${reason ?? 'it did not start'}`;
    case 'stopped':
      return 'Stopped on purpose';
    case 'paused':
      return 'Paused: it keeps its connections and answers nothing';
    case 'running':
      if (server.health === 'unhealthy') return 'Unhealthy: its probes fail';
      if (server.health === 'degraded') return 'Degraded: close to its limits';
      return reason && server.restarts > 0 ? `Running again; before: ${reason}` : 'Running, never restarted';
    default:
      return server.status;
  }
}

function Usage({ points, end }: { points: Points; end: number }) {
  const rows = points.at.flatMap((at, i) => (at > end - BEFORE_S && at <= end + 1 ? [i] : []));
  if (rows.length === 0) return null;
  const cpu = rows.map((i) => points.cpu_percent[i]);
  const memory = rows.map((i) => points.memory_mb[i]);
  return (
    <dl className="why-usage">
      <dt>CPU, {BEFORE_S} s before</dt>
      <dd><Sparkline values={cpu} max={100} /></dd>
      <dd>at most {number(Math.max(...cpu))}%</dd>
      <dt>memory</dt>
      <dd><Sparkline values={memory} /></dd>
      <dd>at most {number(Math.max(...memory))} MB</dd>
    </dl>
  );
}

function Next({ server, nextRestart }: { server: Server; nextRestart: number }) {
  const now = useNow(200);
  const policy = `Restart ${server.restart}, profile ${server.restart_profile}`;
  if (server.status !== 'backoff') return <p className="dim">{policy}.</p>;
  const left = (nextRestart - now) / 1000;
  return (
    <p className="dim">
      {policy}: next try {left > 0 ? <>in <b className="kind">{duration(left)}</b></> : 'now'}.
    </p>
  );
}

interface WhyProps {
  server: Server;
  points: Points | null;
  events: readonly FarmEvent[];
  lines: readonly LogLine[];
}

export function Why({ server, points, events, lines }: WhyProps) {
  const { table, row } = useRow(server.id);
  const exit = server.last_exit;
  const endedAt = exit ? Date.parse(exit.at) : NaN;
  // When it is tried next is of interest only while it waits.
  const isWaiting = server.status === 'backoff';
  const warning = events.findLast((event) => event.warning && (isWaiting || event.reason !== 'BackOff'));
  const before = exit ? lines.filter((line) => line.at <= endedAt).slice(-LINES) : [];
  const isOfInterest = server.status !== 'running' || server.restarts > 0 || server.health !== 'healthy';
  if (!isOfInterest) return null;
  return (
    <section className="why" data-kind={table && row >= 0 ? kindOf(table, row) : 'off'} aria-label="why">
      <b className="why-head">{headline(server)}</b>
      {warning && <p>{plain(warning.message)}</p>}
      {server.health_error && <p>{plain(server.health_error)}</p>}
      {exit && (
        <p className="dim">
          Ended at {clock(endedAt)}
          {exit.exit_code !== null && `, exit code ${exit.exit_code}`}
          {exit.signal !== null && `, signal ${exit.signal}`}; restarted {times(server.restarts)}, killed for memory {times(server.oom_kills)}.
        </p>
      )}
      {exit && points && <Usage points={points} end={endedAt / 1000} />}
      {before.length > 0 && (
        <div className="log-lines" aria-label="its last lines before">
          {before.map((line) => <div key={line.key}>{line.text}</div>)}
        </div>
      )}
      <Next server={server} nextRestart={table && row >= 0 ? table.columns.next_restart[row] : NaN} />
    </section>
  );
}
