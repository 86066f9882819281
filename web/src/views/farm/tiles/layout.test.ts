import { describe, expect, it } from 'vitest';
import { layOut, rowAt, stepFrom, tileAt, tilesIn } from './layout';

const ids = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

describe('layOut', () => {
  it.each([[201, 1000, 700], [5000, 1000, 700], [5000, 340, 500]])('fits %d tiles into %d × %d', (count, width, height) => {
    const layout = layOut([{ label: '', ids: ids(count) }], width, height);
    expect(layout.height).toBeLessThanOrEqual(height);
    expect(layout.width).toBeLessThanOrEqual(width);
    expect(layout.rows.reduce((sum, row) => sum + row.count, 0)).toBe(count);
  });

  it('puts group under group, each with its heading', () => {
    const layout = layOut([{ label: 'a', ids: ids(250) }, { label: 'b', ids: ids(3) }], 800, 600);
    expect(layout.headings.map((heading) => heading.label)).toEqual(['a', 'b']);
    expect(layout.rows.at(-1)).toMatchObject({ first: 250, count: 3 });
    expect(layout.rows.at(-1)!.y).toBeGreaterThan(layout.headings[1].y);
  });
});

describe('a layout of 10 tiles in rows of 4', () => {
  const layout = layOut([{ label: '', ids: ids(10) }], 4 * 64 + 10, 1000);

  it('finds tiles', () => {
    expect(layout.columns).toBe(4);
    expect(tileAt(layout, 65, 65)).toBe(5);
    expect(tileAt(layout, 200, 130)).toBe(-1);
    expect(tileAt(layout, -1, 0)).toBe(-1);
    expect(tilesIn(layout, 60, 60, 70, 70)).toEqual([0, 1, 4, 5]);
    expect([0, 3, 4, 9].map((index) => rowAt(layout, index))).toEqual([0, 0, 1, 2]);
  });

  it('moves by keys', () => {
    expect(stepFrom(layout, 3, 'ArrowDown')).toBe(7);
    expect(stepFrom(layout, 7, 'ArrowDown')).toBe(9);
    expect(stepFrom(layout, 0, 'ArrowUp')).toBe(0);
    expect(stepFrom(layout, 9, 'ArrowRight')).toBe(9);
    expect(stepFrom(layout, 5, 'Home')).toBe(0);
    expect(stepFrom(layout, 5, 'x')).toBeNull();
  });
});
