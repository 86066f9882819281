// What a condition can be about: one table, the same as farmd's own.
import { parseLabels, textOf, type Table } from '../live/table';
import { parseDuration, parseNumber, parseSize } from './units';

export const STATES = ['running', 'starting', 'stopping', 'stopped', 'backoff', 'paused', 'failed'] as const;
export const HEALTHS = ['healthy', 'degraded', 'unhealthy', 'unknown'] as const;

/** Reads the number of a condition; `bytes` when it is a size where the figure is a percentage. */
type Read = (text: string) => { number: number; bytes?: boolean } | null;

export interface WordKind {
  name: string;
  words: readonly string[] | null; // null: any
  is(table: Table, row: number, word: string): boolean;
}

export interface FigureKind {
  name: string;
  read: Read;
  example: string;
  /** NaN: not known. `now`: seconds since 1970. */
  figure(table: Table, row: number, now: number): number;
}

export const WORD_KINDS: readonly WordKind[] = [
  {
    name: 'state',
    words: [...STATES, ...HEALTHS],
    is: (table, row, word) => textOf(table, 'status', row) === word || textOf(table, 'health', row) === word,
  },
  { name: 'health', words: HEALTHS, is: (table, row, word) => textOf(table, 'health', row) === word },
  { name: 'group', words: null, is: (table, row, word) => textOf(table, 'group', row) === word },
];

const wrap = (number: number | null): { number: number } | null => (number === null ? null : { number });

const count: Read = (text) => wrap(parseNumber(text));
const percent: Read = (text) => wrap(parseNumber(text.replace(/%$/, '')));
const memory: Read = (text) => {
  const bytes = parseSize(text);
  return percent(text) ?? (bytes === null ? null : { number: bytes, bytes: true });
};
const seconds: Read = (text) => {
  const ms = parseDuration(text);
  return count(text) ?? wrap(ms === null ? null : ms / 1000);
};
const milliseconds: Read = (text) => count(text) ?? wrap(parseDuration(text));

const PERCENT = '80 (per cent of its limit)';
const MEMORY = '80 (per cent of its limit) or 200M';
const MS = '10 (milliseconds) or 1s';

export const FIGURE_KINDS: readonly FigureKind[] = [
  { name: 'cpu', read: percent, example: PERCENT, figure: (t, row) => t.columns.cpu[row] / 10 },
  { name: 'memory', read: memory, example: MEMORY, figure: (t, row) => t.columns.memory[row] / 10 },
  { name: 'throttled', read: percent, example: PERCENT, figure: (t, row) => t.columns.throttled[row] / 10 },
  { name: 'requests', read: count, example: '5', figure: (t, row) => t.columns.rate[row] },
  { name: 'errors', read: count, example: '5', figure: (t, row) => t.columns.errors[row] },
  { name: 'p50', read: milliseconds, example: MS, figure: (t, row) => t.columns.p50[row] / 1000 || NaN },
  { name: 'p99', read: milliseconds, example: MS, figure: (t, row) => t.columns.p99[row] / 1000 || NaN },
  { name: 'restarts', read: count, example: '5', figure: (t, row) => t.columns.restarts[row] },
  { name: 'oom', read: count, example: '5', figure: (t, row) => t.columns.oom_kills[row] },
  {
    name: 'uptime',
    read: seconds,
    example: '60 (seconds) or 5m',
    figure: (t, row, now) => (textOf(t, 'status', row) === 'running' ? now - t.columns.since[row] : NaN),
  },
  { name: 'port', read: count, example: '5', figure: (t, row) => t.columns.port[row] },
];

export function labelKind(key: string): WordKind {
  return { name: 'label', words: null, is: (table, row, word) => parseLabels(textOf(table, 'labels', row)).get(key) === word };
}

/** Of the memory that a row uses, in bytes. */
export function memoryBytes(table: Table, row: number): number {
  return (table.columns.memory[row] / 1000) * table.columns.memory_limit[row] * 1024;
}
