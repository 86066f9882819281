import { expect, it } from 'vitest';
import { roomFor } from './room';

it('gives cards the room that there is for all of them', () => {
  const desk = { width: 1000, height: 640, rem: 16 };
  expect(roomFor(desk, 50, 1)).toBe(1);
  expect(roomFor(desk, 200, 1)).toBe(1);
  expect(roomFor(desk, 4, 1)).toBe(2);
  expect(roomFor({ width: 3100, height: 1850, rem: 26 }, 50, 1)).toBe(2);
  expect(roomFor({ width: 100, height: 100, rem: 16 }, 1, 1)).toBe(1);
});

it('leaves room for headings and for rows that are not full', () => {
  const space = { width: 1000, height: 500, rem: 16 };
  expect(roomFor(space, 12, 4)).toBeLessThan(roomFor(space, 12, 1));
});
