// The canvas and its size, the view onto it, and when it is painted: at most once a frame.
import { useCallback, useEffect, useMemo, useRef, useState, type RefObject } from 'react';
import { farm } from '../../../live/farm';
import { usePreferences } from '../../../state/preferences';
import { useSelection } from '../../../state/selection';
import { useScheme } from '../../../state/theme';
import { textUnit } from '../../../ui/textUnit';
import type { Shown } from '../useArrangement';
import { readPalette, type Palette } from './colours';
import { layOut, type Layout } from './layout';
import { Painter } from './paint';
import { clamped, WHOLE, type View } from './view';

export interface Stage {
  canvas: RefObject<HTMLCanvasElement | null>;
  layout: RefObject<Layout>;
  view: RefObject<View>;
  setView(view: View): void;
}

export function useStage(shown: Shown, focused: number): Stage {
  const canvas = useRef<HTMLCanvasElement>(null);
  const view = useRef<View>(WHOLE);
  const palette = useRef<Palette | null>(null);
  const painter = useRef<Painter | null>(null);
  const frame = useRef(0);
  const [size, setSize] = useState({ width: 0, height: 0, unit: 1 });
  const layout = useRef<Layout>(null!);
  layout.current = useMemo(() => layOut(shown.groups, size.width, size.height, size.unit), [shown, size]);
  const now = useRef({ shown, focused, size });
  now.current = { shown, focused, size };

  const paint = useCallback(() => {
    frame.current = 0;
    const table = farm.table();
    const { shown: showing, focused: focus, size: { width, height, unit } } = now.current;
    if (!table || !canvas.current || width === 0) return;
    painter.current ??= new Painter(canvas.current.getContext('2d', { alpha: false })!);
    palette.current ??= readPalette();
    painter.current.paint({
      table, layout: layout.current, order: showing.order, view: view.current, focused: focus, palette: palette.current,
      colourBy: usePreferences.getState().colourBy, selected: useSelection.getState().ids, width, height, unit,
    });
  }, []);

  const soon = useCallback(() => {
    frame.current ||= requestAnimationFrame(paint);
  }, [paint]);

  const setView = useCallback((wanted: View) => {
    const { width, height } = now.current.size;
    view.current = clamped(wanted, layout.current, width, height);
    soon();
  }, [soon]);

  useEffect(() => {
    const box = canvas.current!.parentElement!;
    const measure = (): void => setSize({ width: box.clientWidth, height: box.clientHeight, unit: textUnit() });
    const observer = new ResizeObserver(measure);
    observer.observe(box);
    measure();
    const leave = [farm.subscribe(soon), useSelection.subscribe(soon), usePreferences.subscribe(soon), useScheme.subscribe(() => {
      palette.current = null;
      soon();
    })];
    return () => {
      observer.disconnect();
      leave.forEach((end) => end());
      cancelAnimationFrame(frame.current);
      frame.current = 0;
    };
  }, [soon]);

  useEffect(() => {
    const element = canvas.current!;
    element.width = size.width * devicePixelRatio;
    element.height = size.height * devicePixelRatio;
    painter.current = null;
    setView(view.current);
  }, [shown, size, setView]);

  useEffect(soon, [focused, soon]);
  return useMemo(() => ({ canvas, layout, view, setView }), [setView]);
}
