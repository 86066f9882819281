import { expect, it } from 'vitest';
import type { FarmEvent } from '../../live/protocol';
import { isWorthAMark, marksOf } from './marks';

const event = (second: number, reason: string, server_id: number | null, warning = false): FarmEvent => ({
  id: second, at: new Date(second * 1000).toISOString(), reason, warning, server_id, message: `${reason} ${server_id}`, next_try_at: null, duration_ms: null,
});

it('puts what is close together into one mark, named by the worst', () => {
  const marks = marksOf([event(1, 'Stopped', 3), event(2, 'OOMKilled', 7, true), event(500, 'Scaled', null), event(2000, 'Stopped', 1)], 0, 1000_000, 1000);
  expect(marks).toEqual([
    { x: 1, kind: 'bad', label: 'OOMKilled 7', title: 'Stopped 3\nOOMKilled 7', count: 2 },
    { x: 500, kind: 'info', label: 'Scaled', title: 'Scaled null', count: 1 },
  ]);
});

it('leaves ordinary steps out', () => {
  expect(isWorthAMark(event(1, 'Ready', 1))).toBe(false);
  expect(isWorthAMark(event(1, 'Crashed', 1, true))).toBe(true);
});
