// Draws the tiles straight from the table's columns. A tick draws only those whose colour has changed.
import { percent, short } from '../../../format/format';
import { GLYPHS, KINDS, kindOf, type Kind } from '../../../live/kind';
import { nameOf, rowOf, type Table } from '../../../live/table';
import type { ColourBy } from '../../../state/preferences';
import { stepOf, type Palette } from './colours';
import type { Layout } from './layout';
import type { View } from './view';

export interface Scene {
  table: Table;
  layout: Layout;
  order: readonly number[];
  view: View;
  colourBy: ColourBy;
  selected: ReadonlySet<number>;
  /** Id of the tile that has the keyboard's focus, 0: none. */
  focused: number;
  palette: Palette;
  width: number;
  height: number;
  /** How much larger than usual text is. */
  unit: number;
}

/** px where text is of the usual size; smaller tiles have no room for a sign, for a name and figures, for all figures. */
const GLYPH_PX = 8;
const NAME_PX = 44;
const ALL_PX = 56;

function fontOf(px: number, unit = 1): string {
  return `${px * unit}px system-ui, sans-serif`;
}

interface Drawn {
  key: unknown[];
  /** What each tile was drawn as. */
  looks: Uint16Array;
}

export class Painter {
  private drawn: Drawn | null = null;

  constructor(private readonly context: CanvasRenderingContext2D) {}

  paint(scene: Scene): void {
    const { table, layout, order, view, colourBy, palette, width, height, unit } = scene;
    const key = [table.columns.id, layout, order, view, colourBy, palette, width, height, unit, devicePixelRatio];
    const looks = looksOf(scene);
    const size = layout.pitch * view.scale;
    const before = this.drawn;
    // With figures on the tiles every one may have changed.
    const isWhole = !before || size >= NAME_PX * scene.unit || key.some((part, i) => part !== before.key[i]);
    this.context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    if (isWhole) {
      this.context.fillStyle = palette.background;
      this.context.fillRect(0, 0, width, height);
      this.headings(scene);
    }
    this.tiles(scene, looks, isWhole ? null : before.looks);
    this.drawn = { key, looks };
  }

  private headings({ layout, view, palette, unit }: Scene): void {
    this.context.fillStyle = palette.text;
    this.context.font = fontOf(12, unit);
    this.context.textAlign = 'left';
    this.context.textBaseline = 'middle';
    for (const { label, count, y } of layout.headings)
      this.context.fillText(`${label} · ${count}`, Math.max(2, view.x + 2), view.y + y * view.scale);
  }

  /** The tiles in the window that look otherwise than before; `before` null: all of them. One colour after another. */
  private tiles(scene: Scene, looks: Uint16Array, before: Uint16Array | null): void {
    const byLook = new Map<number, number[]>();
    for (const row of scene.layout.rows) {
      const y = scene.view.y + row.y * scene.view.scale;
      if (y > scene.height || y + scene.layout.pitch * scene.view.scale < 0) continue;
      for (let i = row.first; i < row.first + row.count; i++) {
        if (before && before[i] === looks[i]) continue;
        const same = byLook.get(looks[i]);
        if (same) same.push(i);
        else byLook.set(looks[i], [i]);
      }
    }
    for (const [look, tiles] of byLook) this.fill(scene, look, tiles);
    if (scene.layout.pitch * scene.view.scale >= NAME_PX * scene.unit) this.figures(scene, looks);
  }

  private fill(scene: Scene, look: number, tiles: readonly number[]): void {
    const { context } = this;
    const { palette, colourBy } = scene;
    const size = tileSize(scene);
    context.fillStyle = (colourBy === 'state' ? palette.states : palette.steps)[look & 15];
    for (const i of tiles) context.fillRect(xOf(scene, i), yOf(scene, i), size, size);
    const kind = KINDS[(look >> 4) & 7];
    if (size >= GLYPH_PX && (kind !== 'ok' || size >= NAME_PX * scene.unit)) this.glyphs(scene, kind, tiles);
    if (look & (SELECTED | FOCUSED)) this.frames(scene, look, tiles);
  }

  private glyphs(scene: Scene, kind: Kind, tiles: readonly number[]): void {
    const { context } = this;
    const size = tileSize(scene);
    const { unit } = scene;
    const isSmall = size < NAME_PX * unit;
    context.font = isSmall ? fontOf(Math.floor(size * 0.8)) : fontOf(11, unit);
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    const isOnColour = isSmall && scene.colourBy === 'state' && kind !== 'off';
    context.fillStyle = isOnColour ? scene.palette.background : scene.palette.text;
    for (const i of tiles)
      context.fillText(GLYPHS[kind], xOf(scene, i) + (isSmall ? size / 2 : 9 * unit), yOf(scene, i) + (isSmall ? size / 2 : 10 * unit));
  }

  private frames(scene: Scene, look: number, tiles: readonly number[]): void {
    const { context } = this;
    const size = tileSize(scene);
    const thick = Math.min(2, size / 3);
    context.strokeStyle = look & FOCUSED ? scene.palette.glyphs.info : scene.palette.select;
    context.lineWidth = thick;
    for (const i of tiles) context.strokeRect(xOf(scene, i) + thick / 2, yOf(scene, i) + thick / 2, size - thick, size - thick);
  }

  private figures(scene: Scene, looks: Uint16Array): void {
    const { context } = this;
    const { table, order, palette, unit } = scene;
    const size = tileSize(scene);
    context.textAlign = 'left';
    context.textBaseline = 'middle';
    context.fillStyle = palette.text;
    for (let i = 0; i < looks.length; i++) {
      const x = xOf(scene, i);
      const y = yOf(scene, i);
      if (x + size < 0 || y + size < 0 || x > scene.width || y > scene.height) continue;
      const row = rowOf(table, order[i]);
      context.font = `600 ${fontOf(11, unit)}`;
      context.fillText(nameOf(table, row).replace(/^server-/, ''), x + 18 * unit, y + 10 * unit, size - 20 * unit);
      context.font = fontOf(11, unit);
      context.fillText(percent(table.columns.cpu[row]), x + 4 * unit, y + 25 * unit, size - 8 * unit);
      if (size >= ALL_PX * unit) context.fillText(`${short(table.columns.rate[row])}/s`, x + 4 * unit, y + 40 * unit, size - 8 * unit);
    }
  }
}

const SELECTED = 1 << 8;
const FOCUSED = 1 << 9;

/** A number for each tile that tells how it looks: colour, kind, selected, focused. */
function looksOf({ table, order, colourBy, selected, focused }: Scene): Uint16Array {
  const looks = new Uint16Array(order.length);
  for (let i = 0; i < looks.length; i++) {
    const row = rowOf(table, order[i]);
    if (row < 0) continue;
    const kind = KINDS.indexOf(kindOf(table, row));
    looks[i] = (colourBy === 'state' ? kind : stepOf(table, row, colourBy)) | (kind << 4);
  }
  if (selected.size || focused) {
    for (let i = 0; i < looks.length; i++) {
      if (selected.has(order[i])) looks[i] |= SELECTED;
      if (order[i] === focused) looks[i] |= FOCUSED;
    }
  }
  return looks;
}

function tileSize({ layout, view }: Scene): number {
  const pitch = layout.pitch * view.scale;
  return Math.max(1, Math.round(pitch - Math.min(4, Math.max(1, pitch / 8))));
}

/** Where a tile lies in the window, on whole pixels. */
function xOf({ layout, view }: Scene, i: number): number {
  return Math.round(view.x + layout.x[i] * view.scale);
}

function yOf({ layout, view }: Scene, i: number): number {
  return Math.round(view.y + layout.y[i] * view.scale);
}
