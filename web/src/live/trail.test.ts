import { expect, it } from 'vitest';
import { farmOf } from './fixture';
import { TICKS, Trail } from './trail';

it('keeps the last minute, and follows servers that come and go', () => {
  const trail = new Trail();
  for (let i = 0; i < TICKS + 5; i++) trail.push(farmOf([{ id: 1, cpu: i }, { id: 2, cpu: null }]));
  expect(trail.cpuOf(0)).toHaveLength(TICKS);
  expect(trail.cpuOf(0).at(-1)).toBe(TICKS + 4);
  expect(trail.cpuOf(1).every(Number.isNaN)).toBe(true);
  trail.push(farmOf([{ id: 1, cpu: 7 }, { id: 3, cpu: 9 }]));
  expect(trail.cpuOf(0).slice(-2)).toEqual([TICKS + 4, 7]);
  expect(trail.cpuOf(1).slice(-2)).toEqual([NaN, 9]);
});

it('takes what was before the first tick', () => {
  const trail = new Trail();
  const table = farmOf([{ id: 1, cpu: 30 }, { id: 2, cpu: 40 }]);
  trail.push(table);
  trail.prepend(table.columns.id, new Map([[1, [10, 20]], [2, [5]]]));
  expect(trail.cpuOf(0)).toEqual([10, 20, 30]);
  expect(trail.cpuOf(1)).toEqual([NaN, 5, 40]);
  expect(trail.totals('cpu')).toEqual([NaN, NaN, 0]);
});
