// Shows the farm at a moment of the last hour, and comes back from it. While one moment is asked for, others may be wanted:
// the last of them is asked for next.
import { api, ask } from '../../api/client';
import { events } from '../../live/events';
import { farm } from '../../live/farm';
import type { Table } from '../../live/table';
import { usePast } from '../../state/past';
import { cautionAt, COUNTS_FOR, tableAt, type Points } from './past';

/** Within the last ten minutes, less some seconds, the history has every second, before that every tenth. */
const BY_SECOND_MS = 590_000;

/** The farm as it was when the journey began; null: there is none. */
let present: Table | null = null;
let isAsking = false;

/** What was measured of each server just before this moment, ms since 1970. */
async function historyAt(at: number, resolution: 1 | 10): Promise<Map<number, Points>> {
  const until = Math.floor(at / 1000);
  const query = { resolution, until, since: Math.floor(until - COUNTS_FOR * resolution) };
  const { servers } = await ask(api.GET('/api/history', { params: { query } }));
  return new Map(servers.map(({ server_id, points }) => [server_id, points]));
}

/** Where the figures cannot be had, states and the reason for that. */
async function show(now: Table, at: number): Promise<void> {
  const resolution = Date.now() - at < BY_SECOND_MS ? 1 : 10;
  let history = new Map<number, Points>();
  let caution = cautionAt(now, events.all(), at);
  try {
    history = await historyAt(at, resolution);
  } catch (problem) {
    caution = `states only: ${(problem as Error).message}`;
  }
  if (!caution && [...history.values()].every(({ at: points }) => points.length === 0)) caution = 'states only: no figures are kept of then';
  if (present !== now) return;
  usePast.setState({ caution });
  farm.showPast(tableAt(now, at, events.all(), history, resolution));
}

/** `at`: ms since 1970. */
export async function travelTo(at: number): Promise<void> {
  present ??= farm.live();
  usePast.setState({ at });
  if (isAsking) return;
  isAsking = true;
  try {
    let shown: number | null = null;
    while (present && usePast.getState().at !== shown) {
      shown = usePast.getState().at;
      if (shown !== null) await show(present, shown);
    }
  } finally {
    isAsking = false;
  }
}

export function comeBack(): void {
  present = null;
  usePast.setState({ at: null, caution: '' });
  farm.showPast(null);
}
