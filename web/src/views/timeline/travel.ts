// Shows the farm at a moment of the last hour, and comes back from it. The history is asked for once for a journey.
import { api, ask } from '../../api/client';
import { formatIds } from '../../filter/selector';
import { events } from '../../live/events';
import { farm } from '../../live/farm';
import type { Table } from '../../live/table';
import { usePast } from '../../state/past';
import { tableAt, type Points } from './past';

const RESOLUTION = 10;
const POINTS_AT_ONCE = 30_000; // that farmd answers with
const POINTS_OF_SERVER = 360;
const ASKS_MAX = 8; // more servers than these are shown by their states alone

interface Journey {
  now: Table;
  history: Map<number, Points>;
}

let journey: Promise<Journey> | null = null;

async function begin(now: Table): Promise<Journey> {
  const history = new Map<number, Points>();
  const each = Math.floor(POINTS_AT_ONCE / POINTS_OF_SERVER);
  const ids = [...now.columns.id];
  if (ids.length > each * ASKS_MAX) {
    usePast.setState({ caution: 'states only: figures of so many servers are not kept together' });
    return { now, history };
  }
  usePast.setState({ caution: '' });
  for (let from = 0; from < ids.length; from += each) {
    const select = formatIds(ids.slice(from, from + each));
    const { servers } = await ask(api.GET('/api/history', { params: { query: { select, resolution: RESOLUTION } } }));
    for (const { server_id, points } of servers) history.set(server_id, points);
  }
  return { now, history };
}

/** `at`: ms since 1970. Of several calls the last one counts. */
export async function travelTo(at: number): Promise<void> {
  const now = farm.live();
  if (!now) return;
  usePast.setState({ at });
  journey ??= begin(now);
  try {
    const { now: then, history } = await journey;
    if (usePast.getState().at === at) farm.showPast(tableAt(then, at, events.all(), history, RESOLUTION));
  } catch (problem) {
    journey = null;
    usePast.setState({ at: null, caution: (problem as Error).message });
  }
}

export function comeBack(): void {
  journey = null;
  usePast.setState({ at: null, caution: '' });
  farm.showPast(null);
}
