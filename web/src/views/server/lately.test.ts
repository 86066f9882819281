import { expect, it } from 'vitest';
import type { FarmEvent } from '../../live/protocol';
import { withoutStart } from './lately';

const told = (...reasons: string[]): FarmEvent[] => reasons.map((reason, id) => ({
  id, at: '', reason, warning: false, server_id: null, message: '', next_try_at: null, duration_ms: null,
}));
const left = (...reasons: string[]): string[] => withoutStart(told(...reasons)).map(({ reason }) => reason);

it('leaves out the steps of a start, and no later ones', () => {
  expect(left('Ready', 'FarmStarted', 'Started', 'Crashed', 'Ready', 'FarmReady', 'Started', 'Ready'))
    .toEqual(['Ready', 'FarmStarted', 'Crashed', 'FarmReady', 'Started', 'Ready']);
});

it('leaves out none while it starts, and all of those whose beginning is no longer kept', () => {
  expect(left('FarmStarted', 'Started', 'Ready')).toEqual(['FarmStarted', 'Started', 'Ready']);
  expect(left('Ready', 'FarmReady', 'Started')).toEqual(['FarmReady', 'Started']);
});
