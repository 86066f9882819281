// The farm as this tab sees it: the table, who wants to know of changes, and the past minute. Components subscribe to
// one row or to all of it; nothing is copied into another store.
import { useCallback, useSyncExternalStore } from 'react';
import { api, ask } from '../api/client';
import { useConnection } from '../state/connection';
import { intervalSeconds, useFarmInterval, usePreferences } from '../state/preferences';
import type { FromHub, ToHub } from './hub';
import { openPort } from './port';
import type { FarmEvent } from './protocol';
import { applyPatch } from './reduce';
import { rowOf, type Table } from './table';
import { TICKS, Trail } from './trail';

type Listener = () => void;
type EventListener = (events: FarmEvent[] | null) => void;

const ONCE_SECONDS = 5;
const INTERVAL_MAX = 60; // s
const LOOK_BACK_MAX = 200; // servers

class Farm {
  readonly trail = new Trail();
  private present: Table | null = null;
  private past: Table | null = null;
  private readonly listeners = new Set<Listener>();
  private readonly rowListeners = new Map<number, Set<Listener>>();
  private readonly eventListeners = new Set<EventListener>();
  private port: MessagePort | null = null;
  private once = true; // one table is wanted even when updates are off

  /** What is to be shown: the farm now, or as it was. */
  table = (): Table | null => this.past ?? this.present;

  /** The farm as it is, whatever is shown. */
  live = (): Table | null => this.present;

  isPast = (): boolean => this.past !== null;

  subscribe = (listener: Listener): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  subscribeRow(id: number, listener: Listener): () => void {
    const of = this.rowListeners.get(id) ?? new Set();
    this.rowListeners.set(id, of.add(listener));
    return () => {
      of.delete(listener);
      if (of.size === 0 && this.rowListeners.get(id) === of) this.rowListeners.delete(id);
    };
  }

  /** Tells each batch of events; null: there may be some that did not come this way. */
  onEvents(listener: EventListener): () => void {
    this.eventListeners.add(listener);
    return () => this.eventListeners.delete(listener);
  }

  /** Shows the farm as it was, or (null) as it is. */
  showPast(table: Table | null): void {
    this.past = table;
    this.tell(null);
  }

  connect(): void {
    this.port = openPort();
    this.port.onmessage = (event: MessageEvent<FromHub>) => this.hear(event.data);
    usePreferences.subscribe(this.want);
    useFarmInterval.subscribe(this.want);
    this.want();
    addEventListener('pagehide', () => this.say({ type: 'bye' }));
    addEventListener('pageshow', (event) => event.persisted && this.want());
  }

  private want = (): void => {
    const wanted = intervalSeconds(usePreferences.getState());
    this.say({ type: 'want', intervalSeconds: wanted || (this.once ? ONCE_SECONDS : 0) });
  };

  /** One look at the farm as it is, while updates are off or paused. */
  refresh(): void {
    this.once = true;
    this.want();
  }

  retry(): void {
    this.say({ type: 'retry' });
  }

  private say(message: ToHub): void {
    this.port?.postMessage(message);
  }

  private hear(message: FromHub): void {
    if (message.type === 'table') {
      this.take(message.table, null);
      this.tellEvents(null);
    } else if (message.type === 'patch') {
      if (!this.present) return;
      this.take(applyPatch(this.present, message.patch), this.present.changed);
      if (message.patch.events === null || message.patch.events.length) this.tellEvents(message.patch.events);
    } else if (message.type === 'life') {
      useConnection.setState({ lifeAt: message.at });
    } else {
      useConnection.setState(message.state);
    }
  }

  /** The curves of the cards begin with the last minute, not with this page. */
  private async lookBack(table: Table): Promise<void> {
    if (table.count > LOOK_BACK_MAX) return;
    const since = Math.floor(Date.now() / 1000) - TICKS;
    try {
      const { servers } = await ask(api.GET('/api/history', { params: { query: { since } } }));
      const before = servers.map(({ server_id, points }) => [server_id, points.cpu_percent.map((cpu) => cpu * 10)] as const);
      this.trail.prepend(table.columns.id, new Map(before));
      this.tell(null);
    } catch {
      // The curves then begin with this page.
    }
  }

  private take(table: Table, changedBefore: Float64Array | null): void {
    if (!this.present) {
      void this.lookBack(table);
      if (usePreferences.getState().interval === null) void askInterval(table);
    }
    this.present = table;
    if (this.once) {
      this.once = false;
      this.want();
    }
    this.trail.push(table);
    if (!this.past) this.tell(changedBefore);
  }

  private tellEvents(events: FarmEvent[] | null): void {
    this.eventListeners.forEach((listener) => listener(events));
  }

  /** `changedBefore` null: everything may have changed. */
  private tell(changedBefore: Float64Array | null): void {
    const table = this.table();
    for (const [id, listeners] of this.rowListeners) {
      const row = table ? rowOf(table, id) : -1;
      if (changedBefore && row >= 0 && table?.changed[row] === changedBefore[row]) continue;
      listeners.forEach((listener) => listener());
    }
    this.listeners.forEach((listener) => listener());
  }
}

/** How often the farm is set up to be looked at. */
async function askInterval(table: Table): Promise<void> {
  try {
    const select = String(table.columns.id[0] ?? 'all');
    const { refresh_interval_ms } = await ask(api.GET('/api/servers', { params: { query: { select } } }));
    useFarmInterval.setState({ seconds: Math.max(1, Math.min(INTERVAL_MAX, Math.round(refresh_interval_ms / 1000))) });
  } catch {
    // What is usual then holds.
  }
}

export const farm = new Farm();

/** Renders again with each tick. */
export function useTable(): Table | null {
  return useSyncExternalStore(farm.subscribe, farm.table);
}

/** Renders again when this part of the table changes. */
export function useFarm<T extends string | number | boolean | null | object>(select: (table: Table) => T): T | null {
  return useSyncExternalStore(farm.subscribe, () => {
    const table = farm.table();
    return table && select(table);
  });
}

/** How many ticks the curves have: renders again with each. */
export function useTicks(): number {
  return useSyncExternalStore(farm.subscribe, () => farm.trail.ticks);
}

/** The row of a server, -1 when it is gone; renders again when something of the row changes. */
export function useRow(id: number): { table: Table | null; row: number } {
  useSyncExternalStore(
    useCallback((listener: Listener) => farm.subscribeRow(id, listener), [id]),
    () => {
      const table = farm.table();
      const row = table ? rowOf(table, id) : -1;
      return table && row >= 0 ? `${table.epoch}:${table.changed[row]}` : '';
    },
  );
  const table = farm.table();
  return { table, row: table ? rowOf(table, id) : -1 };
}
