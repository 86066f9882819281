import { expect, it, vi } from 'vitest';
import { moved } from './keys';

// What the module of the page's address wants of a browser.
vi.hoisted(() => {
  vi.stubGlobal('location', { search: '' });
  vi.stubGlobal('addEventListener', () => undefined);
});

it('moves by keys through what is shown', () => {
  const order = [4, 10, 3, 1, 2];
  const to = (key: string) => moved(order, 3, key, 2, 2);
  expect(['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown', 'PageUp', 'PageDown', 'Home', 'End', 'x'].map(to)).toEqual([10, 1, 4, 2, 4, 2, 4, 2, null]);
});
