import { expect, it } from 'vitest';
import { layOut } from './layout';
import { clamped, revealing, WHOLE, zoomed } from './view';

it('zooms around a point, which stays where it is', () => {
  const view = zoomed({ scale: 2, x: -30, y: 10 }, 1.5, 100, 50);
  expect(view.scale).toBe(3);
  const place = (of: { scale: number; x: number }, at: number) => (at - of.x) / of.scale;
  expect(place(view, 100)).toBeCloseTo(place({ scale: 2, x: -30 }, 100));
  expect(zoomed(WHOLE, 1000, 0, 0).scale).toBe(24);
  expect(zoomed(WHOLE, 0.1, 0, 0).scale).toBe(1);
});

it('keeps the tiles in the window', () => {
  const layout = layOut([{ label: '', ids: Array.from({ length: 1000 }, (_, i) => i) }], 500, 400);
  expect(clamped({ scale: 1, x: 77, y: 77 }, layout, 500, 400)).toEqual(WHOLE);
  const far = clamped({ scale: 4, x: -1e6, y: 1e6 }, layout, 500, 400);
  expect([far.x, far.y]).toEqual([500 - layout.width * 4, 0]);
});

it('moves just so far that a tile is seen', () => {
  const view = { scale: 2, x: 0, y: -100 };
  expect(revealing(view, 10, 60, 20, 400, 300)).toEqual(view);
  expect(revealing(view, 390, 10, 20, 400, 300)).toEqual({ scale: 2, x: -420, y: -20 });
});
