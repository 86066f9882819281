// What stands on the timeline: events in one line, those close together as one mark. Pure.
import type { Kind } from '../../live/kind';
import type { FarmEvent } from '../../live/protocol';

export interface Mark {
  x: number;
  kind: Kind;
  /** What is written beside it where there is room; "" otherwise. */
  label: string;
  /** All that it stands for, for the pointer. */
  title: string;
  count: number;
}

/** A person has done these, or they change the farm as a whole. */
const OF_THE_FARM = new Set([
  'FarmStarted', 'FarmReady', 'FarmStopping', 'Upgraded', 'Scaled', 'Reloaded', 'ReloadFailed', 'RollingRestart', 'LimitsChanged',
]);

/** Ordinary steps of a life: shown only as part of what caused them. */
const ORDINARY = new Set(['Started', 'Ready', 'Adopted', 'Healthy', 'BackOff']);

export function isOfFarm(event: FarmEvent): boolean {
  return event.server_id === null || OF_THE_FARM.has(event.reason);
}

export function isWorthAMark(event: FarmEvent): boolean {
  return !ORDINARY.has(event.reason);
}

function kindOf(event: FarmEvent): Kind {
  if (event.warning) return 'bad';
  return isOfFarm(event) ? 'info' : event.reason === 'Paused' ? 'paused' : 'off';
}

const NEAR = 10; // px
const LABEL = 96; // px that a label takes
const TITLES = 6;

function labelOf(events: readonly FarmEvent[]): string {
  const [first] = events;
  const servers = new Set(events.map((event) => event.server_id).filter((id) => id !== null));
  const who = servers.size === 1 ? ` ${[...servers][0]}` : servers.size > 1 ? ` × ${servers.size}` : '';
  return `${first.reason}${who}`;
}

export function marksOf(events: readonly FarmEvent[], from: number, to: number, width: number): Mark[] {
  const clusters: { x: number; events: FarmEvent[] }[] = [];
  for (const event of events) {
    const at = Date.parse(event.at);
    if (at < from || at > to) continue;
    const x = ((at - from) / (to - from)) * width;
    const last = clusters.at(-1);
    if (last && x - last.x < NEAR) last.events.push(event);
    else clusters.push({ x, events: [event] });
  }
  return clusters.map(({ x, events: here }, i) => {
    // A mark has the colour of the worst that it stands for, and its name.
    const worst = [...here].sort((a, b) => Number(b.warning) - Number(a.warning));
    const room = (clusters[i + 1]?.x ?? width) - x;
    return {
      x,
      kind: kindOf(worst[0]),
      label: room > LABEL ? labelOf(worst.filter((event) => event.reason === worst[0].reason)) : '',
      title: here.slice(0, TITLES).map((event) => event.message).join('\n') + (here.length > TITLES ? `\nand ${here.length - TITLES} more` : ''),
      count: here.length,
    };
  });
}
