// What is going on, and is it all right: the farm's totals.
import type { ReactNode } from 'react';
import { latency, megabytesOf, number, short } from '../../format/format';
import { farm, useTable } from '../../live/farm';
import type { Kind } from '../../live/kind';
import type { FarmTotals } from '../../live/protocol';
import { Sparkline } from '../../ui/Sparkline';
import { LiveStatus } from './LiveStatus';
import './top.css';

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

/** Counts of trouble are shown when there is some. */
function Trouble({ count, label, kind }: { count: number; label: string; kind?: Kind }) {
  return count > 0 ? (
    <Kpi label={label} kind={kind}>
      {number(count)}
    </Kpi>
  ) : null;
}

function States({ totals }: { totals: FarmTotals }) {
  const { states, health } = totals;
  return (
    <>
      <Kpi label="running">
        {number(states.running ?? 0)} <small>of {number(totals.servers)}</small>
      </Kpi>
      <Kpi label="healthy">{number(health.healthy ?? 0)}</Kpi>
      <Trouble count={health.degraded ?? 0} label="degraded" kind="warn" />
      <Trouble count={health.unhealthy ?? 0} label="unhealthy" kind="bad" />
      <Trouble count={totals.restarting} label="restarting" kind="info" />
      <Trouble count={states.failed ?? 0} label="failed" kind="bad" />
      <Trouble count={states.paused ?? 0} label="paused" kind="paused" />
      <Trouble count={(states.stopped ?? 0) + (states.stopping ?? 0)} label="stopped" />
    </>
  );
}

function Usage({ totals }: { totals: FarmTotals }) {
  return (
    <>
      <Kpi label="CPU" trail={farm.trail.totals('cpu')} max={totals.cpu_machine || undefined}>
        {totals.cpu_used.toFixed(1)} {totals.cpu_limit !== null && <small>of {number(totals.cpu_limit)}</small>}
      </Kpi>
      <Kpi label="memory" trail={farm.trail.totals('memory')}>
        {megabytesOf(totals.memory_used_mb, totals.memory_limit_mb)}
      </Kpi>
      <Kpi
        label={totals.p99_ms === null ? 'requests' : `requests, p99 ${latency(totals.p99_ms * 1000)}`}
        trail={farm.trail.totals('rate')}
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
  return (
    <header className="top">
      <h1 className="brand">
        farmd<small>{table?.farm.name ?? ''}</small>
      </h1>
      {table && (
        <dl className="kpis">
          <States totals={table.farm} />
          <Usage totals={table.farm} />
        </dl>
      )}
      <LiveStatus />
    </header>
  );
}
