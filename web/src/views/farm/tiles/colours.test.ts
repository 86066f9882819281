import { expect, it } from 'vitest';
import { farmOf } from '../../../live/fixture';
import { STEPS, stepOf, UNKNOWN } from './colours';

const table = farmOf([
  { id: 1, cpu: 0, memory: 0, throttled: 0, p99: 0, restarts: 0 },
  { id: 2, cpu: 1000, memory: 500, throttled: 1000, p99: 1e6, restarts: 20 },
  { id: 3, cpu: null, memory: 2000, throttled: 100, p99: 1000, restarts: 1, health: 'unhealthy' },
]);
const steps = (of: Parameters<typeof stepOf>[2]) => [0, 1, 2].map((row) => stepOf(table, row, of));

it('has a step for each figure, the last for its limit and beyond', () => {
  expect(steps('cpu')).toEqual([0, STEPS - 1, UNKNOWN]);
  expect(steps('memory')).toEqual([0, 4, STEPS - 1]);
  expect(steps('throttled')).toEqual([0, STEPS - 1, 0]);
  expect(steps('p99')).toEqual([0, STEPS - 1, 4]);
  expect(steps('restarts')).toEqual([0, STEPS - 1, 2]);
});

it('has one for each kind of state', () => expect(steps('state')).toEqual([5, 2, 0]));
