// The messages of GET /api/stream, as farmd sends them.

export interface FarmTotals {
  name: string;
  version: string;
  runtime: string;
  enforcement: string;
  enforcement_warning: string | null;
  started_at: string;
  servers: number;
  states: Record<string, number>;
  health: Record<string, number>;
  restarting: number;
  cpu_used: number;
  cpu_limit: number | null;
  memory_used_mb: number;
  memory_limit_mb: number | null;
  requests_per_second: number;
  errors_per_second: number;
  p99_ms: number | null;
  cpu_machine: number;
  load_tests: number;
}

/** Columns of figures: integers, null where unknown. Their units are told in table.ts. */
export const FIGURE_COLUMNS = [
  'id', 'port', 'ready', 'cpu', 'throttled', 'memory', 'rate', 'errors', 'p50', 'p99', 'restarts', 'oom_kills',
  'since', 'next_restart', 'cpu_limit', 'memory_limit',
] as const;
/** Columns whose values are indexes into the dictionary `strings`. */
/** `node`: "" outside a cluster. */
export const TEXT_COLUMNS = ['group', 'labels', 'status', 'health', 'reason', 'node'] as const;

export type FigureColumn = (typeof FIGURE_COLUMNS)[number];
export type TextColumn = (typeof TEXT_COLUMNS)[number];
export type Column = FigureColumn | TextColumn;
export const COLUMNS: readonly Column[] = [...FIGURE_COLUMNS, ...TEXT_COLUMNS];

type Values = (number | null)[];

export interface Snapshot {
  epoch: string;
  sequence: number;
  timestamp: string;
  farm: FarmTotals;
  strings: string[];
  columns: Partial<Record<Column, Values>> & { id: number[] };
}

/** Some rows: the first one's number, then the distance of each from the one before. */
export interface SparseColumn {
  i: number[];
  v: Values;
}

/** What to add to each value, null before counting as 0; null: null from now on. */
export interface DifferenceColumn {
  d: Values;
}

export interface Delta {
  sequence: number;
  /** The tick from which it leads: it applies to no other. */
  since: number;
  timestamp: string;
  farm?: Partial<FarmTotals>;
  strings?: string[];
  columns?: Partial<Record<Column, Values | SparseColumn | DifferenceColumn>>;
  events?: FarmEvent[];
  events_lost?: boolean;
}

/** As an entry of GET /api/events. */
export interface FarmEvent {
  id: number;
  at: string;
  reason: string;
  warning: boolean;
  server_id: number | null;
  message: string;
  next_try_at: string | null;
  duration_ms: number | null;
}
