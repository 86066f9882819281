// Tables for the tests, out of a few rows.
import type { FarmTotals } from './protocol';
import { emptyColumns, type Table } from './table';

export interface FixtureRow {
  id: number;
  group?: string;
  labels?: string;
  status?: string;
  health?: string;
  reason?: string;
  node?: string;
  [figure: string]: string | number | null | undefined;
}

export const TOTALS: FarmTotals = {
  name: 'test', version: '0', runtime: 'process', enforcement: 'cgroup2', enforcement_warning: null, started_at: '',
  servers: 0, states: {}, health: {}, restarting: 0, cpu_used: 0, cpu_limit: null, memory_used_mb: 0,
  memory_limit_mb: null, requests_per_second: 0, errors_per_second: 0, p99_ms: null, cpu_machine: 2, load_tests: 0,
};

export function farmOf(rows: FixtureRow[]): Table {
  const strings: string[] = [];
  const columns = emptyColumns(rows.length);
  const indexOf = (text: string): number => (strings.includes(text) ? strings.indexOf(text) : strings.push(text) - 1);
  rows.forEach((given, row) => {
    const whole = {
      group: 'default', labels: '', status: 'running', health: 'healthy', reason: '', node: '', port: 8000 + given.id,
      cpu_limit: 500, memory_limit: 262_144, ...given,
    };
    for (const [name, value] of Object.entries(whole))
      columns[name as keyof typeof columns][row] = typeof value === 'string' ? indexOf(value) : value ?? NaN;
  });
  return {
    epoch: 'e', sequence: 1, timestamp: '', farm: { ...TOTALS, servers: rows.length }, count: rows.length,
    strings, columns, changed: new Float64Array(rows.length).fill(1),
  };
}
