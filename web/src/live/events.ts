// The farm's events as far as the page has them: asked for once, then as the stream brings them, or asked for again
// where there is no stream. Bounded; ascending by id.
import { useSyncExternalStore } from 'react';
import { api, ask } from '../api/client';
import { farm } from './farm';
import type { FarmEvent } from './protocol';

const KEPT = 3000;
const ASKED = 1000;
const HOUR_S = 3600; // that the timeline shows

class Events {
  private list: readonly FarmEvent[] = [];
  private readonly listeners = new Set<() => void>();
  private isStarted = false;
  private isAsking = false;

  all = (): readonly FarmEvent[] => this.list;

  subscribe = (listener: () => void): (() => void) => {
    this.start();
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Those of one server may be older than what is kept of all. */
  async loadServer(id: number): Promise<void> {
    const { events } = await ask(api.GET('/api/events', { params: { query: { server_id: id, limit: 200 } } }));
    this.add(events);
  }

  private start(): void {
    if (this.isStarted) return;
    this.isStarted = true;
    void this.catchUp();
    farm.onEvents((events) => (events ? this.add(events) : void this.catchUp()));
  }

  private async catchUp(): Promise<void> {
    if (this.isAsking) return;
    this.isAsking = true;
    try {
      const [latest, warnings] = await Promise.all([
        ask(api.GET('/api/events', { params: { query: { limit: ASKED } } })),
        ask(api.GET('/api/events', { params: { query: { limit: ASKED, warnings: true, max_age: HOUR_S } } })),
      ]);
      this.add([...latest.events, ...warnings.events]);
    } catch {
      // The connection's own state says that farmd doesn't answer; with the next sign of life this is tried again.
    }
    this.isAsking = false;
  }

  private add(events: readonly FarmEvent[]): void {
    // Numbers begin anew with another farmd: what an earlier one told stays, in the order of time.
    const known = new Set(this.list.map(keyOf));
    const fresh = events.filter((event) => !known.has(keyOf(event)) && known.add(keyOf(event)));
    if (fresh.length === 0) return;
    this.list = [...this.list, ...fresh].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : a.id - b.id)).slice(-KEPT);
    this.listeners.forEach((listener) => listener());
  }
}

function keyOf(event: FarmEvent): string {
  return `${event.at}/${event.id}`;
}

export const events = new Events();

export function useEvents(): readonly FarmEvent[] {
  return useSyncExternalStore(events.subscribe, events.all);
}
