import { expect, it } from 'vitest';
import { commandsOf, FIRST_PLAN, requestOf } from './plan';

(globalThis as { location?: unknown }).location = { origin: 'http://localhost:3000' };

it('leaves out what farmd knows by itself', () => {
  expect(requestOf(FIRST_PLAN, '')).toEqual({ model: 'closed', requests: 1000, connections: 10 });
  expect(requestOf({ ...FIRST_PLAN, requests: '', duration: '5' }, '1-3')).toEqual({
    target_servers: '1-3', model: 'closed', duration: 5, connections: 10,
  });
});

it('asks for the open models', () => {
  expect(requestOf({ ...FIRST_PLAN, model: 'poisson', rate: '50' }, '')).toEqual({ model: 'poisson', rate: 50, connections: 10 });
  expect(requestOf({ ...FIRST_PLAN, model: 'stages', thresholds: 'p99<10ms, errors<1%' }, '')).toEqual({
    stages: '10s@500,20s@2000', connections: 10, thresholds: ['p99<10ms', 'errors<1%'],
  });
});

it('writes the same as commands', () => {
  const { farmd, curl } = commandsOf({ ...FIRST_PLAN, model: 'poisson', rate: '50', duration: '5', thresholds: 'p99<10ms' }, '1-3');
  expect(farmd).toBe(`farmd load 1-3 -c 10 --rate 50 -d 5s --threshold 'p99<10ms' --poisson`);
  expect(curl).toContain(`curl -X POST 'http://localhost:3000/api/load-tests'`);
});
