import { expect, it } from 'vitest';
import { withGaps } from './gaps';

it('interrupts what was not measured, and nothing else', () => {
  expect(withGaps([10, 11, 13, 17], [[1, 2, 3, 4], [null, 5, 6, 7]], 1)).toEqual({
    at: [10, 11, 13, 14, 17],
    values: [[1, 2, 3, null, 4], [null, 5, 6, null, 7]],
  });
  expect(withGaps([10, 20, 40], [[1, 2, 3]], 10).at).toEqual([10, 20, 40]);
  expect(withGaps([], [[]], 1)).toEqual({ at: [], values: [[]] });
});
