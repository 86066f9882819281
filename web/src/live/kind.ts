// How a server is, in one of six kinds: each has a colour and a glyph, and trouble comes before what is well.
import { textOf, type Table } from './table';

export type Kind = 'bad' | 'info' | 'warn' | 'paused' | 'off' | 'ok';

/** In the order of trouble. */
export const KINDS: readonly Kind[] = ['bad', 'info', 'warn', 'paused', 'off', 'ok'];

export const GLYPHS: Record<Kind, string> = { bad: '✕', info: '↻', warn: '◐', paused: '‖', off: '○', ok: '●' };

/** Above so much throttling, in per mille of the last second, a server is in want of CPU. */
export const THROTTLED = 100;

const BY_STATUS: Record<string, Kind> = {
  starting: 'info',
  stopping: 'info',
  backoff: 'info',
  stopped: 'off',
  paused: 'paused',
  failed: 'bad',
};

export function kindOf(table: Table, row: number): Kind {
  const kind = BY_STATUS[textOf(table, 'status', row)];
  if (kind) return kind;
  const health = textOf(table, 'health', row);
  if (health === 'unhealthy') return 'bad';
  return health === 'degraded' || table.columns.throttled[row] > THROTTLED ? 'warn' : 'ok';
}

/** The state in one word, as it is told to people. */
export function stateWord(table: Table, row: number): string {
  const status = textOf(table, 'status', row);
  if (status !== 'running') return status;
  const health = textOf(table, 'health', row);
  if (health === 'healthy' && kindOf(table, row) === 'warn') return 'throttled';
  return health === 'unknown' ? 'running' : health;
}
