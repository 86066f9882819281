// The farm as it was: figures from the history, states and health from the events. Pure.
import type { Schemas } from '../../api/client';
import { clock } from '../../format/format';
import type { FarmEvent, FarmTotals } from '../../live/protocol';
import { emptyColumns, textOf, type Table } from '../../live/table';

export type Points = Schemas['HistoryPoints'];

/** The state that a server is in after an event of this reason; those that are not here change none. */
const STATE_AFTER: Record<string, string> = {
  Started: 'starting', Adopted: 'running', Ready: 'running', Resumed: 'running', Paused: 'paused', Stopped: 'stopped',
  Crashed: 'backoff', Completed: 'backoff', OOMKilled: 'backoff', Killed: 'backoff', ExitUnknown: 'backoff',
  StartFailed: 'backoff', StartTimeout: 'backoff', PortTaken: 'backoff', LivenessFailed: 'backoff', BackOff: 'backoff',
  GaveUp: 'failed',
};

const HEALTH_AFTER: Record<string, string> = {
  Ready: 'healthy', Healthy: 'healthy', Unhealthy: 'unhealthy', LivenessFailed: 'unhealthy', Started: 'unknown', Stopped: 'unknown',
};

/** A point counts for so long, in intervals of the history. */
export const COUNTS_FOR = 2.5;

/** The last index whose value is at most this, or -1. */
function lastAtMost(values: readonly number[], limit: number): number {
  let low = -1;
  let high = values.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (values[middle] <= limit) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** What the events tell of a server; null: nothing. */
interface Standing {
  state: FarmEvent | null;
  health: string | null;
  /** Its health was told again later: that of now says nothing of then. */
  isHealthLater: boolean;
}

const NOTHING: Standing = { state: null, health: null, isHealthLater: false };

/** By server, at this moment (ms since 1970). */
function standingsAt(events: readonly FarmEvent[], at: number): Map<number, Standing> {
  const standings = new Map<number, Standing>();
  for (const event of events) {
    if (event.server_id === null) continue;
    const before = standings.get(event.server_id) ?? NOTHING;
    const health = HEALTH_AFTER[event.reason];
    if (Date.parse(event.at) > at) {
      if (health) standings.set(event.server_id, { ...before, isHealthLater: true });
    } else {
      const state = STATE_AFTER[event.reason] ? event : before.state;
      standings.set(event.server_id, { ...before, state, health: health ?? before.health });
    }
  }
  return standings;
}

interface Stood {
  status: string;
  health: string;
  reason: string;
  /** Seconds since 1970; NaN: not known. */
  since: number;
}

/** What no event tells is as it is now, where that has lasted since; else what was measured tells whether it ran. */
function stoodAt(now: Table, row: number, at: number, { state, health, isHealthLater }: Standing, isMeasured: boolean): Stood {
  const ofNow = isHealthLater ? 'unknown' : textOf(now, 'health', row);
  const stood = (status: string, reason: string, since: number): Stood =>
    ({ status, reason, since, health: status === 'running' ? health ?? ofNow : 'unknown' });
  if (state) return stood(STATE_AFTER[state.reason], state.warning ? state.reason : '', Math.floor(Date.parse(state.at) / 1000));
  const since = now.columns.since[row];
  if (since * 1000 <= at) return stood(textOf(now, 'status', row), textOf(now, 'reason', row), since);
  return stood(isMeasured ? 'running' : 'stopped', '', NaN);
}

function fillFigures(table: Table, row: number, points: Points, i: number): void {
  const { columns: c } = table;
  c.cpu[row] = Math.round(points.cpu_percent[i] * 10);
  c.throttled[row] = Math.round(points.throttled_percent[i] * 10);
  c.memory[row] = Math.round((points.memory_mb[i] * 1024 * 1000) / c.memory_limit[row]);
  c.rate[row] = points.requests_per_second[i] ?? NaN;
  c.errors[row] = points.errors_per_second[i] ?? NaN;
  c.p50[row] = (points.p50_ms[i] ?? NaN) * 1000;
  c.p99[row] = (points.p99_ms[i] ?? NaN) * 1000;
  c.restarts[row] = points.restarts[i];
}

function count(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}

function totalsOf(table: Table, statuses: readonly string[], healths: readonly string[]): FarmTotals {
  const { columns: c } = table;
  const sum = (of: (row: number) => number): number => {
    let total = 0;
    for (let row = 0; row < table.count; row++) total += of(row) || 0;
    return total;
  };
  const states = count(statuses);
  return {
    ...table.farm,
    states,
    health: count(healths.filter((_, row) => statuses[row] === 'running')),
    restarting: (states.starting ?? 0) + (states.backoff ?? 0),
    cpu_used: sum((row) => (c.cpu[row] / 1000) * (c.cpu_limit[row] / 1000)),
    memory_used_mb: sum((row) => ((c.memory[row] / 1000) * c.memory_limit[row]) / 1024),
    requests_per_second: sum((row) => c.rate[row]),
    errors_per_second: sum((row) => c.errors[row]),
    p99_ms: null,
  };
}

/** They were others before these: what is shown of then has the servers and limits of now. */
const CHANGES_THE_FARM = new Set(['Scaled', 'Reloaded', 'LimitsChanged']);

/** What is not as it was then; "" when all is. */
export function cautionAt(now: Table, events: readonly FarmEvent[], at: number): string {
  const began = Date.parse(now.farm.started_at);
  if (began > at) return `farmd was started at ${clock(began)}: of before only events are kept`;
  const changed = events.findLast((event) => CHANGES_THE_FARM.has(event.reason));
  return changed && Date.parse(changed.at) > at ? 'which servers there are, and their limits, is as of now' : '';
}

/**
 * `at`: ms since 1970. `history`: by id, what was measured before it, with so many seconds to a point.
 * Servers and limits are those that the farm has now.
 */
export function tableAt(
  now: Table, at: number, events: readonly FarmEvent[], history: ReadonlyMap<number, Points>, intervalSeconds: number,
): Table {
  const { id, port, group, labels, cpu_limit, memory_limit } = now.columns;
  const strings = [...now.strings];
  const indexOf = (text: string): number => (strings.includes(text) ? strings.indexOf(text) : strings.push(text) - 1);
  const columns = { ...emptyColumns(now.count), id, port, group, labels, cpu_limit, memory_limit };
  const table: Table = {
    ...now, epoch: `${now.epoch}@${at}`, timestamp: new Date(at).toISOString(), strings, columns,
    changed: new Float64Array(now.count).fill(at),
  };
  const standings = standingsAt(events, at);
  const all: Stood[] = [];
  columns.restarts.fill(0);
  columns.oom_kills.fill(0);
  for (let row = 0; row < now.count; row++) {
    const points = history.get(id[row]);
    const i = points ? lastAtMost(points.at, at / 1000) : -1;
    const isMeasured = points !== undefined && i >= 0 && at / 1000 - points.at[i] < COUNTS_FOR * intervalSeconds;
    const stood = stoodAt(now, row, at, standings.get(id[row]) ?? NOTHING, isMeasured);
    if (isMeasured && stood.status === 'running') fillFigures(table, row, points, i);
    columns.status[row] = indexOf(stood.status);
    columns.health[row] = indexOf(stood.health);
    columns.reason[row] = indexOf(stood.reason);
    columns.since[row] = stood.since;
    all.push(stood);
  }
  table.farm = totalsOf(table, all.map(({ status }) => status), all.map(({ health }) => health));
  return table;
}
