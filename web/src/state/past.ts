// The moment of the past that is shown; null: the farm as it is. Written by views/timeline alone.
import { create } from 'zustand';

interface Past {
  /** ms since 1970. */
  at: number | null;
  /** What is not known of it; "" when all is. */
  caution: string;
}

export const usePast = create<Past>(() => ({ at: null, caution: '' }));
