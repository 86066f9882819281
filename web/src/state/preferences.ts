// What the user has chosen for this browser. Kept in localStorage, but for the pause, which is the tab's.
import { create } from 'zustand';
import { persist } from 'zustand/middleware';

export type Theme = 'dark' | 'light' | 'system';
export type ColourBy = 'state' | 'cpu' | 'memory' | 'throttled' | 'p99' | 'restarts';
export type SortBy = 'trouble' | 'id' | 'cpu' | 'memory' | 'rate';

export const INTERVALS: readonly number[] = [1, 5, 0]; // seconds; 0: off
const DEFAULT_SECONDS = 5;

export interface Preferences {
  theme: Theme;
  /** Seconds; 0: off; null: as the farm is set up (AUTO_REFRESH_INTERVAL). */
  interval: number | null;
  paused: boolean;
  colourBy: ColourBy;
  /** "", "group", "state", or "label:" and a label's name. */
  groupBy: string;
  sortBy: SortBy;
}

export const usePreferences = create<Preferences>()(
  persist(
    (): Preferences => ({ theme: 'dark', interval: null, paused: false, colourBy: 'state', groupBy: '', sortBy: 'trouble' }),
    { name: 'farmd', version: 1, partialize: ({ paused: _, ...kept }) => kept },
  ),
);

/** What the farm is set up with, in seconds; known once it was asked. */
export const useFarmInterval = create<{ seconds: number }>(() => ({ seconds: DEFAULT_SECONDS }));

/** Seconds between two renewals; 0: off. */
export function useRenewal(): number {
  const chosen = usePreferences((preferences) => preferences.interval);
  const ofFarm = useFarmInterval((state) => state.seconds);
  return chosen ?? ofFarm;
}

/** How often this tab wants to hear, in seconds; 0: not at all. */
export function intervalSeconds({ paused, interval }: Preferences): number {
  return paused ? 0 : interval ?? useFarmInterval.getState().seconds;
}
