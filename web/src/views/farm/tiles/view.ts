// The window onto the tiles: how far in, and where. Pure.
import type { Layout } from './layout';

export interface View {
  scale: number;
  /** Where the layout's origin lies in the window, px. */
  x: number;
  y: number;
}

export const WHOLE: View = { scale: 1, x: 0, y: 0 };

const SCALE_MAX = 24;

function within(offset: number, size: number, room: number): number {
  return size <= room ? 0 : Math.max(room - size, Math.min(0, offset));
}

/** Keeps the tiles in the window. */
export function clamped(view: View, layout: Layout, width: number, height: number): View {
  const scale = Math.max(1, Math.min(SCALE_MAX, view.scale));
  return {
    scale,
    x: within(view.x, layout.width * scale, width),
    y: within(view.y, layout.height * scale, height),
  };
}

/** Zooms by a factor around a point of the window, which stays where it is. */
export function zoomed(view: View, factor: number, x: number, y: number): View {
  const scale = Math.max(1, Math.min(SCALE_MAX, view.scale * factor));
  const by = scale / view.scale;
  return { scale, x: x - (x - view.x) * by, y: y - (y - view.y) * by };
}

/** Moves just so far that a rectangle of the layout is in the window. */
export function revealing(view: View, left: number, top: number, size: number, width: number, height: number): View {
  const reveal = (offset: number, at: number, room: number): number => {
    const from = at * view.scale + offset;
    const to = from + size * view.scale;
    return from < 0 ? offset - from : to > room ? offset - (to - room) : offset;
  };
  return { ...view, x: reveal(view.x, left, width), y: reveal(view.y, top, height) };
}
