// Where each tile lies: as large as they can be with all of them in the window, group under group. Pure.

export interface TileGroup {
  label: string;
  ids: readonly number[];
}

export interface TileRow {
  /** Index of its first tile in the order. */
  first: number;
  count: number;
  y: number;
}

export interface Layout {
  /** Edge of a tile with the gap behind it, in px at zoom 1. */
  pitch: number;
  columns: number;
  rows: readonly TileRow[];
  /** Of each tile of the order. */
  x: Float32Array;
  y: Float32Array;
  /** `y`: of its middle. */
  headings: readonly { label: string; count: number; y: number }[];
  width: number;
  height: number;
}

const PITCH_MIN = 4;
const PITCH_MAX = 64;
const HEADING = 20;

function heightAt(groups: readonly TileGroup[], columns: number, pitch: number, heading: number): number {
  return groups.reduce((sum, group) => sum + heading + Math.ceil(group.ids.length / columns) * pitch, 0);
}

/** `unit`: how much larger than usual text is. */
export function layOut(groups: readonly TileGroup[], width: number, height: number, unit = 1): Layout {
  const heading = groups.length > 1 || groups[0]?.label ? HEADING * unit : 0;
  let pitch = Math.floor(PITCH_MAX * unit);
  while (pitch > PITCH_MIN && heightAt(groups, Math.max(1, Math.floor(width / pitch)), pitch, heading) > height) pitch--;
  const columns = Math.max(1, Math.floor(width / pitch));
  const rows: TileRow[] = [];
  const headings = [];
  let y = 0;
  let first = 0;
  for (const group of groups) {
    if (heading) headings.push({ label: group.label, count: group.ids.length, y: y + heading / 2 });
    y += heading;
    for (let done = 0; done < group.ids.length; done += columns) {
      const count = Math.min(columns, group.ids.length - done);
      rows.push({ first, count, y });
      first += count;
      y += pitch;
    }
  }
  const places = { x: new Float32Array(first), y: new Float32Array(first) };
  for (const row of rows) {
    for (let column = 0; column < row.count; column++) {
      places.x[row.first + column] = column * pitch;
      places.y[row.first + column] = row.y;
    }
  }
  return { pitch, columns, rows, ...places, headings, width: columns * pitch, height: y };
}

/** Index in `rows` of the row that a tile of the order is in. */
export function rowAt(layout: Layout, index: number): number {
  let low = 0;
  let high = layout.rows.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (layout.rows[middle].first <= index) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The tile under a point of the layout, or -1. */
export function tileAt(layout: Layout, x: number, y: number): number {
  const column = Math.floor(x / layout.pitch);
  const row = layout.rows.find((candidate) => y >= candidate.y && y < candidate.y + layout.pitch);
  return row && column >= 0 && column < row.count ? row.first + column : -1;
}

/** The tiles that a rectangle of the layout touches. */
export function tilesIn(layout: Layout, left: number, top: number, right: number, bottom: number): number[] {
  const found: number[] = [];
  const from = Math.max(0, Math.floor(left / layout.pitch));
  for (const row of layout.rows) {
    if (row.y + layout.pitch <= top || row.y >= bottom) continue;
    const to = Math.min(row.count - 1, Math.floor(right / layout.pitch));
    for (let column = from; column <= to; column++) found.push(row.first + column);
  }
  return found;
}

/** Where a key leads from a tile; null: it is no such key. */
export function stepFrom(layout: Layout, index: number, key: string): number | null {
  const at = rowAt(layout, index);
  const column = index - layout.rows[at].first;
  const last = layout.rows.at(-1)!;
  const vertical = { ArrowUp: -1, ArrowDown: 1, PageUp: -10, PageDown: 10 }[key];
  if (vertical !== undefined) {
    const row = layout.rows[Math.max(0, Math.min(layout.rows.length - 1, at + vertical))];
    return row.first + Math.min(column, row.count - 1);
  }
  const end = last.first + last.count - 1;
  const others: Record<string, number> = { ArrowLeft: Math.max(0, index - 1), ArrowRight: Math.min(end, index + 1), Home: 0, End: end };
  return others[key] ?? null;
}
