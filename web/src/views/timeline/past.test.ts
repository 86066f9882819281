import { expect, it } from 'vitest';
import { farmOf } from '../../live/fixture';
import type { FarmEvent } from '../../live/protocol';
import { textOf } from '../../live/table';
import { cautionAt, tableAt, type Points } from './past';

const AT = 1_000_000_000_000; // ms
const event = (id: number, seconds: number, server_id: number, reason: string, warning = false): FarmEvent => ({
  id, at: new Date(AT + seconds * 1000).toISOString(), reason, warning, server_id, message: '', next_try_at: null, duration_ms: null,
});
const points = (...seconds: number[]): Points => ({
  at: seconds.map((second) => AT / 1000 + second), restarts: seconds.map(() => 2), cpu_percent: seconds.map((second) => Math.abs(second)),
  throttled_percent: seconds.map(() => 0), memory_mb: seconds.map(() => 64), requests_per_second: seconds.map(() => 5),
  errors_per_second: seconds.map(() => 0), p50_ms: seconds.map(() => null), p99_ms: seconds.map(() => 1.5),
});

it('takes figures from the history and states from the events', () => {
  const now = farmOf([{ id: 1 }, { id: 2 }, { id: 3 }, { id: 4 }].map((row) => ({ ...row, since: AT / 1000 + 100 })));
  const events = [event(1, -50, 1, 'Ready'), event(2, -20, 2, 'OOMKilled', true), event(3, -5, 4, 'Unhealthy', true), event(4, 5, 1, 'Stopped')];
  const history = new Map([[1, points(-40, -30, -20, -10, 0, 10)], [2, points(-40, -30)], [3, points(-500)], [4, points(-3)]]);
  const then = tableAt(now, AT - 4000, events, history, 10);
  expect([0, 1, 2, 3].map((row) => textOf(then, 'status', row))).toEqual(['running', 'backoff', 'stopped', 'stopped']);
  expect(then.columns.cpu[0]).toBe(100);
  expect(then.columns.memory[0]).toBe(250);
  expect(then.columns.p99[0]).toBe(1500);
  expect(then.columns.cpu[1]).toBeNaN();
  expect(textOf(then, 'reason', 1)).toBe('OOMKilled');
  expect(then.farm.states).toEqual({ running: 1, backoff: 1, stopped: 2 });
  expect(then.farm.cpu_used).toBeCloseTo(0.05);
  expect(textOf(tableAt(now, AT, events, history, 10), 'health', 3)).toBe('unhealthy');
  expect(textOf(tableAt(now, AT + 6000, events, history, 10), 'status', 0)).toBe('stopped');
});

it('takes for then what is so now and has lasted since', () => {
  const since = AT / 1000 - 900;
  const now = farmOf([
    { id: 1, since }, { id: 2, since, health: 'unhealthy' }, { id: 3, since, status: 'paused' }, { id: 4, since: AT / 1000 + 5 },
    { id: 5, since: AT / 1000 + 5 },
  ]);
  const then = tableAt(now, AT, [event(1, 20, 2, 'Unhealthy', true)], new Map([[5, points(0)]]), 10);
  const words = (column: 'status' | 'health'): string[] => [0, 1, 2, 3, 4].map((row) => textOf(then, column, row));
  expect(words('status')).toEqual(['running', 'running', 'paused', 'stopped', 'running']);
  expect(words('health')).toEqual(['healthy', 'unknown', 'unknown', 'unknown', 'healthy']);
  expect(then.columns.since[0]).toBe(since);
  expect(then.farm.health).toEqual({ healthy: 2, unknown: 1 });
});

it('warns where the farm had other servers or limits', () => {
  const scaled = { ...event(1, 0, 1, 'Scaled'), server_id: null };
  const now = farmOf([{ id: 1 }]);
  expect(cautionAt(now, [scaled], AT - 1)).not.toBe('');
  expect(cautionAt(now, [scaled, event(2, 5, 3, 'Crashed', true)], AT + 1)).toBe('');
  now.farm.started_at = new Date(AT + 5000).toISOString();
  expect(cautionAt(now, [], AT + 1)).toContain('only events');
  expect(cautionAt(now, [], AT + 5001)).toBe('');
});
