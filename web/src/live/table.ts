// The farm as the page holds it: a column of numbers for each figure, a row for each server, ascending by id.
// NaN is "not known", so that no comparison holds on it.
import { COLUMNS, type Column, type FarmTotals, type TextColumn } from './protocol';

export interface Table {
  epoch: string;
  sequence: number;
  timestamp: string;
  farm: FarmTotals;
  count: number;
  strings: string[];
  /**
   * cpu, throttled, memory: per mille of the server's own limit; rate, errors: a second; p50, p99: µs;
   * since: seconds since 1970; next_restart: ms since 1970; cpu_limit: milli-CPU; memory_limit: KiB.
   * Text columns: indexes into `strings`.
   */
  columns: Record<Column, Float64Array>;
  /** For each row the sequence of the tick that changed it last. */
  changed: Float64Array;
}

export function emptyColumns(count: number): Record<Column, Float64Array> {
  const columns = {} as Record<Column, Float64Array>;
  for (const name of COLUMNS) columns[name] = new Float64Array(count).fill(NaN);
  return columns;
}

export function nameOf(table: Table, row: number): string {
  return `server-${table.columns.id[row]}`;
}

export function textOf(table: Table, column: TextColumn, row: number): string {
  return table.strings[table.columns[column][row]] ?? '';
}

/** The row of a server, or -1. */
export function rowOf(table: Table, id: number): number {
  const ids = table.columns.id;
  let low = 0;
  let high = table.count - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (ids[middle] === id) return middle;
    if (ids[middle] < id) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

/** The labels of a row: "zone=a,tier=1" taken apart. */
export function labelOf(table: Table, row: number, key: string): string | undefined {
  return parseLabels(textOf(table, 'labels', row)).get(key);
}

const parsed = new Map<string, ReadonlyMap<string, string>>();

/** Servers of a group share one text, so each is taken apart once. */
export function parseLabels(text: string): ReadonlyMap<string, string> {
  let labels = parsed.get(text);
  if (!labels) {
    const pairs = text === '' ? [] : text.split(',').map((pair) => {
      const equals = pair.indexOf('=');
      return [pair.slice(0, equals), pair.slice(equals + 1)] as const;
    });
    labels = new Map(pairs);
    parsed.set(text, labels);
  }
  return labels;
}
