// One load test: live while it runs, whole when it has ended.
import { memo, useMemo, useState } from 'react';
import { duration, latency, number, short } from '../../format/format';
import { plain } from '../../format/text';
import { Plot } from '../server/Plot';
import { cancel, type Point, type Run } from './api';
import { Targets } from './Targets';
import { useRun } from './useRun';

const STEP_SECONDS = 1; // from one point to the next
const LEAST_SECONDS = 10; // of the curves' time axis

const Curves = memo(function Curves({ points, from }: { points: readonly Point[]; from: number }) {
  const at = useMemo(() => points.map((point) => from + point.second), [points, from]);
  if (points.length < 2) return null;
  return (
    <div className="load-curves">
      <Plot label="requests a second over time" unit="/s" at={at} step={STEP_SECONDS} leastSeconds={LEAST_SECONDS} marks={[]}
        curves={[{ label: 'answered', colour: 'info' }, { label: 'failed', colour: 'bad' }]}
        values={[points.map((point) => point.answered), points.map((point) => point.failed)]} />
      <Plot label="latency over time" unit="ms" at={at} step={STEP_SECONDS} leastSeconds={LEAST_SECONDS} marks={[]}
        curves={[{ label: 'p50', colour: 'info' }, { label: 'p99', colour: 'paused' }]}
        values={[points.map((point) => point.p50_us / 1000), points.map((point) => point.p99_us / 1000)]} />
    </div>
  );
});

const TIMES = ['p50_us', 'p90_us', 'p99_us', 'p99_9_us', 'max_us'] as const;

function Times({ run }: { run: Run }) {
  const rows = ([['latency', run.result?.latency], ['service', run.result?.service_time]] as const).filter(([, times]) => times);
  if (rows.length === 0) return null;
  return (
    <table>
      <thead>
        <tr><td />{['p50', 'p90', 'p99', 'p99.9', 'max'].map((name) => <th key={name} scope="col" className="n">{name}</th>)}</tr>
      </thead>
      <tbody>
        {rows.map(([name, times]) => (
          <tr key={name}>
            <th scope="row" title={name === 'latency' ? 'from the scheduled instant' : 'from the actual send'}>{name}</th>
            {TIMES.map((time) => <td key={time} className="n">{latency(times![time])}</td>)}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Errors by kind, and answers by status that are no success. */
function Errors({ run }: { run: Run }) {
  const kinds = Object.entries(run.result?.errors ?? {}).filter(([, count]) => count > 0);
  const statuses = Object.entries(run.result?.status_codes ?? {}).filter(([code, count]) => count > 0 && !code.startsWith('2'));
  if (kinds.length + statuses.length === 0) return null;
  return (
    <p className="problem">
      {[...kinds, ...statuses.map(([code, count]) => [`HTTP ${code}`, count] as const)]
        .map(([kind, count]) => `${kind} ${number(count)}`).join(' · ')}
    </p>
  );
}

function Verdicts({ run }: { run: Run }) {
  return (
    <ul>
      {run.result?.verdicts.map((verdict) => (
        <li key={verdict.threshold} data-kind={verdict.passed ? 'ok' : 'bad'}>
          <b className="kind">{verdict.passed ? '● holds' : '✕ fails'}</b> {plain(verdict.threshold)}, it is {plain(verdict.actual_text)}
          {verdict.worst_target && ` (${plain(verdict.worst_target)})`}
        </li>
      ))}
    </ul>
  );
}

function Now({ points }: { points: readonly Point[] }) {
  const last = points.at(-1);
  if (!last) return <p className="dim">The first second comes.</p>;
  return (
    <p className="load-now">
      <b>{short(last.answered)}/s</b> p50 {latency(last.p50_us)} · p99 {latency(last.p99_us)} · errors {number(last.failed)}
    </p>
  );
}

export function RunView({ id, onBack }: { id: string; onBack: () => void }) {
  const { run, points, problem } = useRun(id);
  const [refused, setRefused] = useState('');
  if (!run) return <p className={problem ? 'problem' : 'dim'}>{problem || 'Asking for it…'}</p>;
  const isRunning = run.status === 'running';
  // The last second is seldom a whole one.
  const whole = run.result ? points.filter((point) => point.second < Math.floor(run.seconds)) : points;
  const from = Date.parse(run.result?.measured_from ?? run.started_at) / 1000;
  return (
    <section className="load-run" aria-label="load test">
      <div className="load-head">
        <button type="button" onClick={onBack}>back</button>
        <h3>{plain(run.name || `load test ${run.id}`)}</h3>
        <span className="dim">{run.status} · {run.model} · {number(run.servers)} servers</span>
        {isRunning && (
          <button type="button" data-tone="danger" className="push"
            onClick={() => void cancel(id).catch((failure: Error) => setRefused(failure.message))}>
            cancel
          </button>
        )}
      </div>
      {(problem || refused) && <p className="problem" role="alert">{problem || refused}</p>}
      {run.not_running.length > 0 && <p className="dim">{number(run.not_running.length)} chosen servers don’t run and are not loaded.</p>}
      {isRunning ? <Now points={points} /> : (
        <p className="load-now">
          <b>{short(run.achieved_rate)}/s</b> {number(run.answered)} answered · {number(run.failed)} failed · in {duration(run.seconds)}
          {run.result && run.result.dropped > 0 && ` · ${number(run.result.dropped)} dropped`}
        </p>
      )}
      <Errors run={run} />
      <Verdicts run={run} />
      <Times run={run} />
      {run.result?.engine.saturated && <p className="problem">The client was the limit: {plain(run.result.engine.saturated_why ?? '')}</p>}
      <Curves points={whole} from={from} />
      {run.result && <Targets targets={run.result.targets} />}
    </section>
  );
}
