import { expect, it, vi } from 'vitest';
import { moved } from './keys';

// What the module of the page's address wants of a browser.
vi.hoisted(() => {
  vi.stubGlobal('location', { search: '' });
  vi.stubGlobal('addEventListener', () => undefined);
});

it('moves by keys through what is shown, and stays there', () => {
  const order = Array.from({ length: 20 }, (_, i) => 100 - i);
  const steps = (from: number) => ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown', 'PageUp', 'PageDown', 'Home', 'End', 'x']
    .map((key) => moved(order, order[from], key, 3, 2)).map((id) => id && order.indexOf(id));
  expect(steps(10)).toEqual([9, 11, 7, 13, 4, 16, 0, 19, null]);
  expect(steps(1)).toEqual([0, 2, 0, 4, 0, 7, 0, 19, null]);
  expect(steps(19)).toEqual([18, 19, 16, 19, 13, 19, 0, 19, null]);
});
