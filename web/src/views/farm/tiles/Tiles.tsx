// The farm as tiles on a canvas: the same signs, hover and keys as the cards, for thousands of servers.
import { useCallback, useMemo, useRef, useState, type KeyboardEvent, type MouseEvent } from 'react';
import { GLYPHS, KINDS } from '../../../live/kind';
import { usePreferences } from '../../../state/preferences';
import { actByClick, actByKey } from '../keys';
import { useBand, type Rectangle } from '../useBand';
import { useShown } from '../useArrangement';
import { legendOf } from './colours';
import { Detail } from './Detail';
import { stepFrom, tilesIn } from './layout';
import { cellId, SpokenGrid } from './SpokenGrid';
import { indexAt, usePointer } from './usePointer';
import { useStage, type Stage } from './useStage';
import { revealing, WHOLE, zoomed } from './view';
import './tiles.css';

const ZOOM = 1.5;

interface Pointed {
  id: number;
  x: number;
  y: number;
}

function Legend() {
  const colourBy = usePreferences((preferences) => preferences.colourBy);
  return (
    <p className="tiles-legend dim">
      {colourBy === 'state' ? (
        KINDS.map((kind) => (
          <span key={kind} data-kind={kind}>
            <i className="glyph" aria-hidden="true">{GLYPHS[kind]}</i>
            {{ bad: 'unhealthy, failed', info: 'restarting', warn: 'degraded', paused: 'paused', off: 'stopped', ok: 'healthy' }[kind]}
          </span>
        ))
      ) : (
        <span>nothing <i className="ramp" aria-hidden="true" /> {legendOf(colourBy)}</span>
      )}
    </p>
  );
}

function Zoom({ stage, area }: { stage: Stage; area: React.RefObject<HTMLElement | null> }) {
  const by = (factor: number): void => {
    const box = area.current!;
    stage.setView(zoomed(stage.view.current, factor, box.clientWidth / 2, box.clientHeight / 2));
  };
  return (
    <div className="tiles-zoom">
      <button type="button" aria-label="zoom in" onClick={() => by(ZOOM)}>+</button>
      <button type="button" aria-label="zoom out" onClick={() => by(1 / ZOOM)}>−</button>
      <button type="button" onClick={() => stage.setView(WHOLE)}>all</button>
    </div>
  );
}

/** Where the focused tile lies in the window. */
function placeOf(stage: Stage, index: number): { x: number; y: number } {
  const { x, y } = stage.layout.current;
  const view = stage.view.current;
  return { x: view.x + x[index] * view.scale, y: view.y + y[index] * view.scale };
}

export function Tiles() {
  const shown = useShown();
  const area = useRef<HTMLDivElement>(null);
  const [focused, setFocused] = useState(0);
  const [hasFocus, setHasFocus] = useState(false);
  const [hovered, setHovered] = useState<Pointed | null>(null);
  const index = Math.max(0, shown.order.indexOf(focused));
  const stage = useStage(shown, hasFocus ? shown.order[index] : 0);
  const order = useRef(shown.order);
  order.current = shown.order;

  const calls = useMemo(() => ({
    onHover: (at: number, x: number, y: number) => setHovered(at < 0 ? null : { id: order.current[at], x, y }),
  }), []);
  usePointer(area, stage, calls);

  const idsIn = useCallback((band: Rectangle) => {
    const box = area.current!.getBoundingClientRect();
    const { scale, x, y } = stage.view.current;
    const to = (client: number, edge: number, offset: number): number => (client - edge - offset) / scale;
    return tilesIn(stage.layout.current, to(band.left, box.left, x), to(band.top, box.top, y),
      to(band.right, box.left, x), to(band.bottom, box.top, y)).map((at) => order.current[at]);
  }, [stage.layout, stage.view]);
  useBand(area, idsIn);

  function onClick(event: MouseEvent): void {
    const at = indexAt(stage, area.current!.getBoundingClientRect(), event.clientX, event.clientY);
    if (at < 0 || event.altKey) return;
    setFocused(shown.order[at]);
    actByClick(shown.order, shown.order[at], event);
  }

  function onKeyDown(event: KeyboardEvent): void {
    const box = area.current!;
    const to = stepFrom(stage.layout.current, index, event.key);
    if (to !== null) {
      setFocused(shown.order[to]);
      const { x, y, pitch } = stage.layout.current;
      stage.setView(revealing(stage.view.current, x[to], y[to], pitch, box.clientWidth, box.clientHeight));
      if (event.shiftKey) actByKey(shown.order, shown.order[to], { key: ' ', shiftKey: true } as KeyboardEvent);
    } else if (event.key === '+' || event.key === '-') {
      const { x, y } = placeOf(stage, index);
      stage.setView(zoomed(stage.view.current, event.key === '+' ? ZOOM : 1 / ZOOM, x, y));
    } else if (event.key === '0') {
      stage.setView(WHOLE);
    } else if (!actByKey(shown.order, shown.order[index], event)) {
      return;
    }
    event.preventDefault();
  }

  const pointed = hovered ?? (hasFocus ? { id: shown.order[index], ...placeOf(stage, index) } : null);
  return (
    <div className="tiles">
      <div
        ref={area}
        className="tiles-area"
        role="grid"
        tabIndex={0}
        aria-label="servers"
        aria-multiselectable="true"
        aria-rowcount={stage.layout.current.rows.length}
        aria-colcount={stage.layout.current.columns}
        aria-activedescendant={hasFocus ? cellId(shown.order[index]) : undefined}
        onClick={onClick}
        onKeyDown={onKeyDown}
        onFocus={() => setHasFocus(area.current!.matches(':focus-visible'))}
        onBlur={() => setHasFocus(false)}
      >
        <canvas ref={stage.canvas} aria-hidden="true" />
        <SpokenGrid layout={stage.layout.current} order={shown.order} index={index} />
        {pointed && <Detail id={pointed.id} x={pointed.x} y={pointed.y} width={area.current?.clientWidth ?? 0} />}
      </div>
      <div className="tiles-foot">
        <Legend />
        <Zoom stage={stage} area={area} />
      </div>
    </div>
  );
}
