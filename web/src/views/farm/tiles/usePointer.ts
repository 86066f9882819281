// The pointer over the tiles: hover, click, wheel to zoom, drag with the middle button (or with Alt, or a finger) to pan,
// two fingers to zoom. Drawing a rectangle is useBand's.
import { useEffect, type RefObject } from 'react';
import { tileAt } from './layout';
import type { Stage } from './useStage';
import { zoomed } from './view';

const WHEEL = 0.0015; // of a zoom for each px that a wheel turns

export interface PointerCalls {
  onHover(index: number, x: number, y: number): void;
}

interface Point {
  x: number;
  y: number;
}

/** The tile at a place of the window. */
export function indexAt(stage: Stage, box: DOMRect, clientX: number, clientY: number): number {
  const { scale, x, y } = stage.view.current;
  return tileAt(stage.layout.current, (clientX - box.left - x) / scale, (clientY - box.top - y) / scale);
}

export function usePointer(area: RefObject<HTMLElement | null>, stage: Stage, calls: PointerCalls): void {
  useEffect(() => {
    const element = area.current!;
    const down = new Map<number, Point>();

    const onWheel = (event: WheelEvent): void => {
      event.preventDefault();
      const box = element.getBoundingClientRect();
      stage.setView(zoomed(stage.view.current, Math.exp(-event.deltaY * WHEEL), event.clientX - box.left, event.clientY - box.top));
      calls.onHover(-1, 0, 0);
    };
    const pans = (event: PointerEvent): boolean => event.pointerType === 'touch' || event.button === 1 || event.altKey;
    const onDown = (event: PointerEvent): void => {
      if (!pans(event)) return;
      if (event.button === 1) event.preventDefault();
      element.setPointerCapture(event.pointerId);
      down.set(event.pointerId, { x: event.clientX, y: event.clientY });
    };
    const pinch = (event: PointerEvent, from: Point): void => {
      const other = [...down].find(([pointer]) => pointer !== event.pointerId)![1];
      const box = element.getBoundingClientRect();
      const before = Math.hypot(from.x - other.x, from.y - other.y) || 1;
      const after = Math.hypot(event.clientX - other.x, event.clientY - other.y);
      stage.setView(zoomed(stage.view.current, after / before, other.x - box.left, other.y - box.top));
    };
    const onMove = (event: PointerEvent): void => {
      const from = down.get(event.pointerId);
      if (!from) {
        const box = element.getBoundingClientRect();
        calls.onHover(indexAt(stage, box, event.clientX, event.clientY), event.clientX - box.left, event.clientY - box.top);
        return;
      }
      const view = stage.view.current;
      if (down.size > 1) pinch(event, from);
      else stage.setView({ ...view, x: view.x + event.clientX - from.x, y: view.y + event.clientY - from.y });
      down.set(event.pointerId, { x: event.clientX, y: event.clientY });
    };
    const onUp = (event: PointerEvent): void => {
      down.delete(event.pointerId);
    };
    const onLeave = (): void => calls.onHover(-1, 0, 0);

    const listeners: [string, EventListener, AddEventListenerOptions?][] = [
      ['wheel', onWheel as EventListener, { passive: false }], ['pointerdown', onDown as EventListener],
      ['pointermove', onMove as EventListener], ['pointerup', onUp as EventListener],
      ['pointercancel', onUp as EventListener], ['pointerleave', onLeave],
    ];
    listeners.forEach(([name, listener, options]) => element.addEventListener(name, listener, options));
    return () => listeners.forEach(([name, listener]) => element.removeEventListener(name, listener));
  }, [area, stage, calls]);
}
