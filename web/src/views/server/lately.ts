// What a person wants to be told of the farm. Pure.
import type { FarmEvent } from '../../live/protocol';

const STEPS = new Set(['Started', 'Ready', 'Adopted']);

/** When a farm starts each server does; the one line that says when all were ready stands for them. */
export function withoutStart(events: readonly FarmEvent[]): readonly FarmEvent[] {
  const ready = events.findLastIndex((event) => event.reason === 'FarmReady');
  const started = events.slice(0, ready + 1).findLastIndex((event) => event.reason === 'FarmStarted');
  return events.filter((event, i) => i > ready || i < started || !STEPS.has(event.reason));
}
