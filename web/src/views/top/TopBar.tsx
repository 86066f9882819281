// What is going on, and is it all right: the farm's totals.
import type { CSSProperties, ReactNode } from 'react';
import { latency, megabytesOf, number, short } from '../../format/format';
import { farm, useTable } from '../../live/farm';
import type { Kind } from '../../live/kind';
import type { FarmTotals } from '../../live/protocol';
import { Sparkline } from '../../ui/Sparkline';
import { LiveStatus } from './LiveStatus';
import './top.css';

/** More kinds of trouble than these have to stand closer together. */
const TROUBLE_WITH_ROOM = 2;

interface KpiProps {
  label: string;
  kind?: Kind;
  /** The last minute of it; `max`: what the top stands for. */
  trail?: readonly number[];
  max?: number;
  children: ReactNode;
}

function Kpi({ label, kind, trail, max, children }: KpiProps) {
  return (
    <div className="kpi" data-kind={kind}>
      <dt>
        {label} {trail && <Sparkline values={trail} max={max} />}
      </dt>
      <dd>{children}</dd>
    </div>
  );
}

interface Count {
  label: string;
  count: number;
  kind?: Kind;
}

/** What is not as it should be; only what there is. */
function troubleOf({ states, health, restarting }: FarmTotals): Count[] {
  const counts: Count[] = [
    { label: 'degraded', count: health.degraded ?? 0, kind: 'warn' },
    { label: 'unhealthy', count: health.unhealthy ?? 0, kind: 'bad' },
    { label: 'starting', count: (states.starting ?? 0) + (states.backoff ?? 0) - restarting, kind: 'info' },
    { label: 'restarting', count: restarting, kind: 'info' },
    { label: 'failed', count: states.failed ?? 0, kind: 'bad' },
    { label: 'paused', count: states.paused ?? 0, kind: 'paused' },
    { label: 'stopped', count: (states.stopped ?? 0) + (states.stopping ?? 0) },
  ];
  return counts.filter(({ count }) => count > 0);
}

function States({ totals, trouble }: { totals: FarmTotals; trouble: readonly Count[] }) {
  return (
    <>
      <Kpi label="running">
        {number(totals.states.running ?? 0)} <small>of {number(totals.servers)}</small>
      </Kpi>
      <Kpi label="healthy">{number(totals.health.healthy ?? 0)}</Kpi>
      {trouble.map(({ label, count, kind }) => (
        <Kpi key={label} label={label} kind={kind}>
          {number(count)}
        </Kpi>
      ))}
    </>
  );
}

/** The last minute of a figure; there is none of the past. */
function trailOf(of: 'cpu' | 'memory' | 'rate'): number[] | undefined {
  return farm.isPast() ? undefined : farm.trail.totals(of);
}

function Usage({ totals }: { totals: FarmTotals }) {
  return (
    <>
      <Kpi label="CPU" trail={trailOf('cpu')} max={totals.cpu_machine || undefined}>
        {totals.cpu_used < 100 ? totals.cpu_used.toFixed(1) : number(totals.cpu_used)} {totals.cpu_limit !== null && <small>of {number(totals.cpu_limit)}</small>}
      </Kpi>
      <Kpi label="memory" trail={trailOf('memory')}>
        {megabytesOf(totals.memory_used_mb, totals.memory_limit_mb)}
      </Kpi>
      <Kpi
        label={totals.p99_ms === null ? 'requests' : `requests, p99 ${latency(totals.p99_ms * 1000)}`}
        trail={trailOf('rate')}
      >
        {short(totals.requests_per_second)}
        <small>/s</small>
      </Kpi>
      {totals.errors_per_second > 0 && (
        <Kpi label="errors" kind="bad">
          {short(totals.errors_per_second)}
          <small>/s</small>
        </Kpi>
      )}
    </>
  );
}

export function TopBar() {
  const table = useTable();
  const trouble = table ? troubleOf(table.farm) : [];
  return (
    <header className="top" data-crowded={trouble.length > TROUBLE_WITH_ROOM} style={{ '--troubles': trouble.length } as CSSProperties}>
      <h1 className="brand">
        farmd<small>{table?.farm.name ?? ''}</small>
      </h1>
      {table && (
        <dl className="kpis">
          <States totals={table.farm} trouble={trouble} />
          <Usage totals={table.farm} />
        </dl>
      )}
      <LiveStatus />
    </header>
  );
}
