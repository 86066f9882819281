// The stream's reducer, pure: a snapshot becomes a table, a delta becomes a patch, a table and a patch become the next
// table. Columns that a patch doesn't name are shared between the two tables.
import { COLUMNS, type Column, type Delta, type FarmEvent, type FarmTotals, type Snapshot } from './protocol';
import { emptyColumns, type Table } from './table';

/** A delta with its columns decoded: what the worker hands to the tabs. */
export interface Patch {
  sequence: number;
  timestamp: string;
  farm: Partial<FarmTotals> | null;
  strings: string[];
  columns: ColumnPatch[];
  events: FarmEvent[];
}

export interface ColumnPatch {
  name: Column;
  /** null: the whole column. */
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
    if (values.length !== count) throw new Error(`the column "${name}" has ${values.length} rows instead of ${count}`);
    columns[name] = toFigures(values);
  }
  return {
    epoch: snapshot.epoch,
    sequence: snapshot.sequence,
    timestamp: snapshot.timestamp,
    farm: snapshot.farm,
    count,
    names: snapshot.columns.name ?? null,
    strings: snapshot.strings,
    columns,
    changed: new Float64Array(count).fill(snapshot.sequence),
  };
}

export function decodeDelta(delta: Delta): Patch {
  const columns: ColumnPatch[] = [];
  for (const name of COLUMNS) {
    const change = delta.columns?.[name];
    if (!change) continue;
    if (Array.isArray(change)) {
      columns.push({ name, rows: null, values: toFigures(change) });
      continue;
    }
    const rows = new Uint32Array(change.i.length);
    let row = 0;
    for (let i = 0; i < rows.length; i++) rows[i] = row += change.i[i];
    columns.push({ name, rows, values: toFigures(change.v) });
  }
  return {
    sequence: delta.sequence,
    timestamp: delta.timestamp,
    farm: delta.farm ?? null,
    strings: delta.strings ?? [],
    columns,
    events: delta.events ?? [],
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
  const after = patch.values;
  for (let row = 0; row < after.length; row++) {
    if (!Object.is(after[row], before[row])) changed[row] = sequence;
  }
  return after;
}

/** Throws when the patch isn't of this table: the stream is then begun anew. */
export function applyPatch(table: Table, patch: Patch): Table {
  const columns = { ...table.columns };
  const changed = table.changed.slice();
  for (const change of patch.columns) {
    const last = change.rows ? change.rows[change.rows.length - 1] ?? -1 : change.values.length - 1;
    if (last >= table.count || (!change.rows && change.values.length !== table.count))
      throw new Error(`a delta of the column "${change.name}" doesn't fit ${table.count} servers`);
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
