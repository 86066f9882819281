// Moving through what is shown by keyboard, and selecting by keyboard and pointer. Shared by cards and tiles.
import type { KeyboardEvent, MouseEvent } from 'react';
import { go } from '../../state/place';
import { clearSelection, select, selectRange, toggle } from '../../state/selection';

/** The id that a key moves to from here, or null when it is no such key. `columns`: how many stand side by side. */
export function moved(order: readonly number[], id: number, key: string, columns: number, page: number): number | null {
  const steps: Record<string, number> = {
    ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns,
    PageUp: -columns * page, PageDown: columns * page, Home: -Infinity, End: Infinity,
  };
  const step = steps[key];
  if (step === undefined) return null;
  const at = order.indexOf(id) + step;
  return order[Math.max(0, Math.min(order.length - 1, at))] ?? null;
}

/** What a key does to the server that has the focus. True: it did something. */
export function actByKey(order: readonly number[], id: number, event: KeyboardEvent): boolean {
  if (event.key === ' ') {
    if (event.shiftKey) selectRange(order, id);
    else toggle(id);
  } else if (event.key === 'Enter') {
    select([id], id);
    go({ server: id });
  } else if (event.key === 'a' && (event.ctrlKey || event.metaKey)) {
    select(order);
  } else if (event.key === 'Escape') {
    clearSelection();
    go({ server: 0 });
  } else {
    return false;
  }
  return true;
}

/** A click opens and selects; with Ctrl it adds or takes away, with Shift it selects a range. */
export function actByClick(order: readonly number[], id: number, event: MouseEvent): void {
  if (event.shiftKey) {
    selectRange(order, id);
  } else if (event.ctrlKey || event.metaKey) {
    toggle(id);
  } else {
    select([id], id);
    go({ server: id });
  }
}
