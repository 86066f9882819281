// Selecting by drawing a rectangle around servers. The rectangle is the browser's own element, moved without React.
import { useEffect, type RefObject } from 'react';
import { select, useSelection } from '../../state/selection';

const LEAST = 6; // px: less is a click

export interface Rectangle {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** `idsIn` tells which servers a rectangle of the window touches. */
export function useBand(area: RefObject<HTMLElement | null>, idsIn: (band: Rectangle) => number[]): void {
  useEffect(() => {
    const element = area.current;
    if (!element) return;
    let band: HTMLElement | null = null;
    let from: { x: number; y: number; kept: ReadonlySet<number> } | null = null;

    const down = (event: PointerEvent): void => {
      // With Alt the tiles are moved.
      if (event.button !== 0 || event.altKey || event.pointerType === 'touch' || (event.target as Element).closest('button')) return;
      from = { x: event.clientX, y: event.clientY, kept: event.ctrlKey || event.metaKey ? useSelection.getState().ids : new Set() };
    };
    const move = (event: PointerEvent): void => {
      if (!from || (!band && Math.hypot(event.clientX - from.x, event.clientY - from.y) < LEAST)) return;
      if (!band) {
        band = document.createElement('div');
        band.className = 'band';
        element.append(band);
      }
      const rectangle = {
        left: Math.min(from.x, event.clientX), right: Math.max(from.x, event.clientX),
        top: Math.min(from.y, event.clientY), bottom: Math.max(from.y, event.clientY),
      };
      band.style.left = `${rectangle.left}px`;
      band.style.top = `${rectangle.top}px`;
      band.style.width = `${rectangle.right - rectangle.left}px`;
      band.style.height = `${rectangle.bottom - rectangle.top}px`;
      select([...from.kept, ...idsIn(rectangle)]);
    };
    const up = (): void => {
      if (band) {
        // The click that ends a rectangle is none of what lies under the pointer.
        const swallow = (event: Event): void => event.stopPropagation();
        addEventListener('click', swallow, { capture: true, once: true });
        setTimeout(() => removeEventListener('click', swallow, { capture: true }));
      }
      band?.remove();
      band = null;
      from = null;
    };
    element.addEventListener('pointerdown', down);
    addEventListener('pointermove', move);
    addEventListener('pointerup', up);
    return () => {
      up();
      element.removeEventListener('pointerdown', down);
      removeEventListener('pointermove', move);
      removeEventListener('pointerup', up);
    };
  }, [area, idsIn]);
}
