// The moment of the past that is shown; null: the farm as it is. Written by views/timeline alone.
import { create } from 'zustand';
import { useNow } from '../ui/useNow';

interface Past {
  /** ms since 1970. */
  at: number | null;
  /** What is not known of it; "" when all is. */
  caution: string;
}

export const usePast = create<Past>(() => ({ at: null, caution: '' }));

/** The moment that is shown, ms since 1970; now is renewed so often. */
export function useMoment(everyMs: number): number {
  const now = useNow(everyMs);
  return usePast((past) => past.at) ?? now;
}
