// Which servers are selected, to be acted on.
import { create } from 'zustand';

interface Selection {
  ids: ReadonlySet<number>;
  /** Where a range begins that is selected with Shift. */
  anchor: number;
}

export const useSelection = create<Selection>(() => ({ ids: new Set(), anchor: 0 }));

export function select(ids: Iterable<number>, anchor?: number): void {
  const set = new Set(ids);
  useSelection.setState((before) => ({ ids: set, anchor: anchor ?? before.anchor }));
}

export function toggle(id: number): void {
  const ids = new Set(useSelection.getState().ids);
  if (!ids.delete(id)) ids.add(id);
  useSelection.setState({ ids, anchor: id });
}

/** From the anchor to this one, in the order in which they are shown. */
export function selectRange(order: readonly number[], to: number): void {
  const { anchor } = useSelection.getState();
  const from = Math.max(0, order.indexOf(anchor));
  const end = order.indexOf(to);
  select(order.slice(Math.min(from, end), Math.max(from, end) + 1), anchor || to);
}

/** Forgets those that are gone. */
export function keepSelected(ids: ArrayLike<number>): void {
  const there = new Set(Array.from(ids));
  const selected = useSelection.getState().ids;
  const left = [...selected].filter((id) => there.has(id));
  if (left.length < selected.size) select(left);
}

export function clearSelection(): void {
  select([], 0);
}
