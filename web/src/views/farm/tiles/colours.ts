// What a tile's colour says. Figures become one of a few steps, so that a tile is drawn again only when it shows.
import { KINDS, kindOf, type Kind } from '../../../live/kind';
import type { Table } from '../../../live/table';
import type { ColourBy } from '../../../state/preferences';

export const STEPS = 9;
/** The step of what isn't known. */
export const UNKNOWN = STEPS;

/** What the last step stands for; figures in the table's units. */
const TOPS: Record<Exclude<ColourBy, 'state'>, { top: number; said: string; isLog?: boolean }> = {
  cpu: { top: 1000, said: '100% of its CPU limit' },
  memory: { top: 1000, said: '100% of its memory limit' },
  throttled: { top: 1000, said: 'throttled all the time' },
  p99: { top: 1e6, said: 'p99 of 1 s', isLog: true },
  restarts: { top: 20, said: '20 restarts', isLog: true },
};

export function legendOf(colourBy: ColourBy): string {
  return colourBy === 'state' ? '' : TOPS[colourBy].said;
}

/** By state: the index of its kind. By a figure: 0 to STEPS - 1, or UNKNOWN. */
export function stepOf(table: Table, row: number, colourBy: ColourBy): number {
  if (colourBy === 'state') return KINDS.indexOf(kindOf(table, row));
  const value = table.columns[colourBy][row];
  if (Number.isNaN(value)) return UNKNOWN;
  const { top, isLog } = TOPS[colourBy];
  const part = isLog ? Math.log1p(value) / Math.log1p(top) : value / top;
  return Math.max(0, Math.min(STEPS - 1, Math.floor(part * STEPS)));
}

export interface Palette {
  text: string;
  background: string;
  select: string;
  glyphs: Record<Kind, string>;
  states: readonly string[];
  steps: readonly string[];
}

function mix(a: number[], b: number[], part: number): string {
  return `rgb(${a.map((value, i) => Math.round(value + (b[i] - value) * part)).join(' ')})`;
}

function parse(hex: string): number[] {
  const full = hex.length === 4 ? [...hex.slice(1)].map((digit) => digit + digit).join('') : hex.slice(1);
  return [0, 2, 4].map((at) => parseInt(full.slice(at, at + 2), 16));
}

/** The theme's colours for a canvas, which knows no variables. */
export function readPalette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const token = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  const [raise, info, warn] = ['raise', 'info', 'warn'].map((name) => parse(token(name)));
  const ramp = Array.from({ length: STEPS }, (_, i) => {
    const part = i / (STEPS - 1);
    return part < 0.5 ? mix(raise, info, 0.15 + part * 1.5) : mix(info, warn, (part - 0.5) * 2);
  });
  const muted: Partial<Record<Kind, number>> = { ok: 0.32, off: 0.2 };
  return {
    text: token('text'),
    background: token('bg'),
    select: token('text'),
    glyphs: Object.fromEntries(KINDS.map((kind) => [kind, token(kind)])) as Record<Kind, string>,
    states: KINDS.map((kind) => mix(parse(token('panel')), parse(token(kind)), muted[kind] ?? 0.75)),
    steps: [...ramp, token('line')],
  };
}
