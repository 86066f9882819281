// What the user has chosen for this browser. Kept in localStorage, but for the pause, which is the tab's.
import { create } from 'zustand';
import { persist } from 'zustand/middleware';

export type Theme = 'dark' | 'light' | 'system';
export type ColourBy = 'state' | 'cpu' | 'memory' | 'throttled' | 'p99' | 'restarts';
export type SortBy = 'trouble' | 'id' | 'cpu' | 'memory' | 'rate';

export const INTERVALS = [1, 5, 0] as const; // seconds; 0: off

export interface Preferences {
  theme: Theme;
  interval: number;
  paused: boolean;
  colourBy: ColourBy;
  /** "", "group", "state", or "label:" and a label's name. */
  groupBy: string;
  sortBy: SortBy;
}

export const usePreferences = create<Preferences>()(
  persist(
    (): Preferences => ({ theme: 'dark', interval: 5, paused: false, colourBy: 'state', groupBy: '', sortBy: 'trouble' }),
    { name: 'farmd', version: 1, partialize: ({ paused: _, ...kept }) => kept },
  ),
);

/** How often this tab wants to hear, in seconds; 0: not at all. */
export function intervalSeconds(preferences: Preferences): number {
  return preferences.paused ? 0 : preferences.interval;
}
