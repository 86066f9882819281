// The stream's reducer, pure: a snapshot becomes a table, a delta becomes a patch, a table and a patch become the next
// table. Columns that a patch doesn't name are shared between the two tables.
import { COLUMNS, type Column, type Delta, type FarmEvent, type FarmTotals, type Snapshot } from './protocol';
import { emptyColumns, type Table } from './table';

/** A delta with its columns decoded: what the worker hands to the tabs. */
export interface Patch {
  sequence: number;
  since: number;
  timestamp: string;
  farm: Partial<FarmTotals> | null;
  strings: string[];
  columns: ColumnPatch[];
  /** null: more than the stream carries. */
  events: FarmEvent[] | null;
}

export interface ColumnPatch {
  name: Column;
  /** "set": the values of these rows, or (null) of all. "add": what to add to all. */
  how: 'set' | 'add';
  rows: Uint32Array | null;
  values: Float64Array;
}

function toFigures(values: readonly (number | null)[]): Float64Array {
  const figures = new Float64Array(values.length);
  for (let i = 0; i < values.length; i++) figures[i] = values[i] ?? NaN;
  return figures;
}

export function fromSnapshot(snapshot: Snapshot): Table {
  const count = snapshot.columns.id.length;
  const columns = emptyColumns(count);
  for (const name of COLUMNS) {
    const values = snapshot.columns[name];
    if (!values) continue;
    if (values.length !== count) throw new RangeError(`the column "${name}" has ${values.length} rows instead of ${count}`);
    columns[name] = toFigures(values);
  }
  return {
    epoch: snapshot.epoch,
    sequence: snapshot.sequence,
    timestamp: snapshot.timestamp,
    farm: snapshot.farm,
    count,
    strings: snapshot.strings,
    columns,
    changed: new Float64Array(count).fill(snapshot.sequence),
  };
}

function toRows(distances: readonly number[]): Uint32Array {
  const rows = new Uint32Array(distances.length);
  let row = 0;
  for (let i = 0; i < rows.length; i++) rows[i] = row += distances[i];
  return rows;
}

export function decodeDelta(delta: Delta): Patch {
  const columns: ColumnPatch[] = [];
  for (const name of COLUMNS) {
    const change = delta.columns?.[name];
    if (!change) continue;
    if (Array.isArray(change)) columns.push({ name, how: 'set', rows: null, values: toFigures(change) });
    else if ('d' in change) columns.push({ name, how: 'add', rows: null, values: toFigures(change.d) });
    else columns.push({ name, how: 'set', rows: toRows(change.i), values: toFigures(change.v) });
  }
  return {
    sequence: delta.sequence,
    since: delta.since,
    timestamp: delta.timestamp,
    farm: delta.farm ?? null,
    strings: delta.strings ?? [],
    columns,
    events: delta.events_lost ? null : (delta.events ?? []),
  };
}

function patchColumn(table: Table, patch: ColumnPatch, changed: Float64Array, sequence: number): Float64Array {
  const before = table.columns[patch.name];
  if (patch.rows) {
    const after = before.slice();
    for (let i = 0; i < patch.rows.length; i++) {
      after[patch.rows[i]] = patch.values[i];
      changed[patch.rows[i]] = sequence;
    }
    return after;
  }
  const after = patch.how === 'add' ? patch.values.map((by, row) => (before[row] || 0) + by) : patch.values;
  for (let row = 0; row < after.length; row++) {
    if (!Object.is(after[row], before[row])) changed[row] = sequence;
  }
  return after;
}

/** Throws RangeError when the patch isn't of this table: the stream is then begun anew. */
export function applyPatch(table: Table, patch: Patch): Table {
  if (patch.since !== table.sequence)
    throw new RangeError(`a delta from tick ${patch.since} doesn't apply to tick ${table.sequence}`);
  const columns = { ...table.columns };
  const changed = table.changed.slice();
  for (const change of patch.columns) {
    const last = change.rows ? change.rows[change.rows.length - 1] ?? -1 : change.values.length - 1;
    if (last >= table.count || (!change.rows && change.values.length !== table.count))
      throw new RangeError(`a delta of the column "${change.name}" doesn't fit ${table.count} servers`);
    columns[change.name] = patchColumn(table, change, changed, patch.sequence);
  }
  return {
    ...table,
    sequence: patch.sequence,
    timestamp: patch.timestamp,
    farm: patch.farm ? { ...table.farm, ...patch.farm } : table.farm,
    strings: patch.strings.length ? [...table.strings, ...patch.strings] : table.strings,
    columns,
    changed,
  };
}
