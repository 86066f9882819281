// The table out of GET /api/servers, for a farmd without a stream.
import type { components } from '../api/schema';
import type { FarmTotals } from './protocol';
import { emptyColumns, type Table } from './table';

type ServerList = components['schemas']['ServerList'];
type Server = components['schemas']['Server'];

class Dictionary {
  readonly strings: string[] = [];
  private readonly indexes = new Map<string, number>();

  indexOf(text: string): number {
    let index = this.indexes.get(text);
    if (index === undefined) {
      index = this.strings.push(text) - 1;
      this.indexes.set(text, index);
    }
    return index;
  }
}

function perMille(percent: number | null | undefined): number {
  return percent == null ? NaN : Math.round(percent * 10);
}

function scaled(value: number | null | undefined, factor: number): number {
  return value == null ? NaN : Math.round(value * factor);
}

function totalsOf(list: ServerList): FarmTotals {
  const totals = list.totals;
  const { stopped, starting, running, paused, stopping, backoff, failed } = totals;
  return {
    name: location.hostname,
    version: '',
    runtime: list.runtime,
    enforcement: list.enforcement,
    enforcement_warning: list.enforcement_warning ?? null,
    started_at: '',
    servers: list.total_servers,
    states: { stopped, starting, running, paused, stopping, backoff, failed },
    health: {
      healthy: totals.healthy,
      degraded: totals.degraded,
      unhealthy: totals.unhealthy,
      unknown: running - totals.healthy - totals.degraded - totals.unhealthy,
    },
    restarting: starting + backoff,
    cpu_used: totals.cpu_cores,
    cpu_limit: totals.cpu_limit,
    memory_used_mb: totals.memory_mb,
    memory_limit_mb: totals.memory_limit_mb,
    requests_per_second: totals.requests_per_second,
    errors_per_second: totals.errors_per_second,
    p99_ms: null,
    cpu_machine: NaN,
    load_tests: 0,
  };
}

function fill(table: Table, row: number, server: Server, words: Dictionary): void {
  const c = table.columns;
  const since = server.status === 'running' ? server.started_at : server.last_exit?.at;
  c.id[row] = server.id;
  c.port[row] = server.port;
  c.ready[row] = server.ready ? 1 : 0;
  c.cpu[row] = perMille(server.cpu_percent);
  c.throttled[row] = server.status === 'running' ? perMille(server.throttled_percent) : NaN;
  c.memory[row] = perMille(server.memory_percent);
  c.rate[row] = scaled(server.requests_per_second, 1);
  c.errors[row] = scaled(server.errors_per_second, 1);
  c.p50[row] = scaled(server.latency?.p50_ms, 1000);
  c.p99[row] = scaled(server.latency?.p99_ms, 1000);
  c.restarts[row] = server.restarts;
  c.oom_kills[row] = server.oom_kills;
  c.since[row] = since ? Math.floor(Date.parse(since) / 1000) : NaN;
  c.next_restart[row] = server.next_restart_at ? Date.parse(server.next_restart_at) : NaN;
  c.cpu_limit[row] = scaled(server.limits.cpu, 1000);
  c.memory_limit[row] = scaled(server.limits.memory_mb, 1024);
  c.group[row] = words.indexOf(server.group);
  c.labels[row] = words.indexOf(Object.entries(server.labels).map(([key, value]) => `${key}=${value}`).join(','));
  c.status[row] = words.indexOf(server.status);
  c.health[row] = words.indexOf(server.health);
  c.reason[row] = words.indexOf(server.last_exit?.reason ?? '');
  c.node[row] = words.indexOf(server.node ?? '');
}

export function fromServerList(list: ServerList, sequence: number): Table {
  const words = new Dictionary();
  const count = list.servers.length;
  const table: Table = {
    epoch: 'polled',
    sequence,
    timestamp: list.timestamp,
    farm: totalsOf(list),
    count,
    strings: words.strings,
    columns: emptyColumns(count),
    changed: new Float64Array(count).fill(sequence),
  };
  list.servers.forEach((server, row) => fill(table, row, server, words));
  return table;
}
