// How the page stands with farmd. Written by live/farm.ts alone.
import { create } from 'zustand';
import type { ConnectionState } from '../live/connection';

export interface ConnectionStore extends ConnectionState {
  /** ms since 1970: what is shown is as of then; 0: nothing yet. */
  lifeAt: number;
}

export const useConnection = create<ConnectionStore>(() => ({
  phase: 'connecting',
  detail: '',
  retryAt: 0,
  lifeAt: 0,
}));
