// The arrangement as it is shown. While the pointer is over it, nothing in it moves: what changes then is drawn where it
// is, and put in order when the pointer has left.
import { createContext, createElement, useContext, useMemo, useRef, type ReactNode } from 'react';
import { create } from 'zustand';
import { useTable } from '../../live/farm';
import { usePlace } from '../../state/place';
import { usePreferences } from '../../state/preferences';
import { arrange, readFilter, type Arrangement } from './arrange';

export interface Shown extends Arrangement {
  total: number;
  /** What is wrong with the filter; "" when nothing is. */
  problem: string;
}

const NOTHING: Shown = { groups: [], order: [], total: 0, problem: '' };

/** Whether the pointer is being used over the farm. */
export const useHold = create<{ isHeld: boolean }>(() => ({ isHeld: false }));

function useArrangement(): Shown {
  const table = useTable();
  const filter = usePlace((place) => place.filter);
  const sortBy = usePreferences((preferences) => preferences.sortBy);
  const groupBy = usePreferences((preferences) => preferences.groupBy);
  const wish = useMemo(() => ({ ...readFilter(filter), sortBy, groupBy }), [filter, sortBy, groupBy]);
  const isHeld = useHold((hold) => hold.isHeld);
  const last = useRef<{ wish: object; ids: object; shown: Shown } | null>(null);
  return useMemo(() => {
    if (!table) return NOTHING;
    const before = last.current;
    if (isHeld && before && before.wish === wish && before.ids === table.columns.id) return before.shown;
    const made = arrange(table, wish, Date.now() / 1000);
    const shown = before && isSame(before.shown, made, table.count, wish.problem)
      ? before.shown
      : { ...made, total: table.count, problem: wish.problem };
    last.current = { wish, ids: table.columns.id, shown };
    return shown;
  }, [table, wish, isHeld]);
}

/** Whether another arrangement would show the same, so that nothing needs to be drawn again. */
function isSame(a: Shown, b: Arrangement, total: number, problem: string): boolean {
  return (
    a.total === total &&
    a.problem === problem &&
    a.groups.length === b.groups.length &&
    a.groups.every((group, i) => group.label === b.groups[i].label && group.ids.length === b.groups[i].ids.length) &&
    a.order.every((id, i) => id === b.order[i])
  );
}

const ShownContext = createContext<Shown>(NOTHING);

/** What is shown, for all below it. A tick that moves nothing renders none of them. */
export function ShownProvider({ children }: { children: ReactNode }) {
  return createElement(ShownContext, { value: useArrangement() }, children);
}

export function useShown(): Shown {
  return useContext(ShownContext);
}
