// The last hour: load tests, what happened to servers, what was done to the farm, one over the other. Dragging on it shows
// the farm as it was; it is a slider for the keyboard.
import { useEffect, useMemo, useRef, useState, type KeyboardEvent, type PointerEvent } from 'react';
import { clock } from '../../format/format';
import { plain } from '../../format/text';
import { useEvents } from '../../live/events';
import { GLYPHS } from '../../live/kind';
import type { Summary } from '../load/api';
import { usePast } from '../../state/past';
import { textUnit } from '../../ui/textUnit';
import { useNow } from '../../ui/useNow';
import { isOfFarm, isWorthAMark, marksOf, type Mark } from './marks';
import { comeBack, travelTo } from './travel';
import { useTests } from './useTests';
import './timeline.css';

const HOUR_MS = 3_600_000;
const TICK_MS = 10 * 60_000;
const STEP_MS = 10_000;
const NOW_MS = 5000; // nearer than this to the right end is now
const LEFT = 74; // px for the lanes' names
const RIGHT = 10; // px, so that what is new isn't cut off
const LANES = { tests: 12, servers: 32, farm: 52, axis: 68 };
const HEIGHT = 76;

interface Span {
  from: number;
  to: number;
  width: number;
}

function xOf({ from, to, width }: Span, at: number): number {
  return LEFT + (Math.max(0, Math.min(1, (at - from) / (to - from))) * (width - LEFT - RIGHT));
}

function Marks({ marks, y }: { marks: readonly Mark[]; y: number }) {
  return marks.map((mark) => (
    <g key={mark.x} data-kind={mark.kind} className="mark" transform={`translate(${LEFT + mark.x} ${y})`}>
      <title>{plain(mark.title)}</title>
      <text textAnchor="middle" dy="4" className="mark-sign">{mark.kind === 'info' ? '◆' : GLYPHS[mark.kind]}</text>
      {mark.label && <text x="8" dy="4">{mark.label}</text>}
    </g>
  ));
}

function Tests({ tests, span }: { tests: readonly Summary[]; span: Span }) {
  return tests.map((test) => {
    const from = xOf(span, Date.parse(test.started_at));
    const to = xOf(span, test.ended_at ? Date.parse(test.ended_at) : span.to);
    const label = `${plain(test.name || test.model)}, ${test.servers} servers`;
    return (
      <g key={test.id} data-kind={test.passed === false ? 'bad' : 'info'}>
        <title>{label}</title>
        <rect x={from} y={LANES.tests - 7} width={Math.max(3, to - from)} height="13" rx="3" className="test" />
        {to - from > label.length * 7 && <text x={from + 5} y={LANES.tests + 4}>{label}</text>}
      </g>
    );
  });
}

function Axis({ span }: { span: Span }) {
  const ticks = [];
  for (let at = Math.ceil(span.from / TICK_MS) * TICK_MS; at < span.to; at += TICK_MS) ticks.push(at);
  return (
    <>
      {ticks.map((at) => (
        <g key={at} transform={`translate(${xOf(span, at)} 0)`}>
          <line y1="0" y2={LANES.axis - 8} className="grid" />
          <text y={LANES.axis + 4} textAnchor="middle">{clock(at).slice(0, 5)}</text>
        </g>
      ))}
    </>
  );
}

function Moment({ at }: { at: number }) {
  const caution = usePast((past) => past.caution);
  return (
    <div className="timeline-past" role="status">
      <b>◐ as it was at {clock(at)}</b>
      {caution && <span className="dim">{caution}</span>}
      <span className="dim">actions still go to the farm as it is</span>
      <button type="button" data-tone="main" onClick={comeBack}>back to now</button>
    </div>
  );
}

/** All in it is drawn for the usual size of text; `unit` is how much larger the reader's is. */
function useWidth() {
  const box = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState({ width: 800, unit: 1 });
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      const unit = textUnit();
      setSize({ width: Math.max(200, entry.contentRect.width / unit), unit });
    });
    observer.observe(box.current!);
    return () => observer.disconnect();
  }, []);
  return { box, ...size };
}

export function Timeline() {
  const { box, width, unit } = useWidth();
  const now = useNow(5000);
  const past = usePast((state) => state.at);
  const events = useEvents();
  const tests = useTests();
  // While one looks at the past the line stands still.
  const held = useRef(now);
  if (past === null) held.current = now;
  const to = held.current;
  const span = useMemo(() => ({ from: to - HOUR_MS, to, width }), [to, width]);
  const { ofServers, ofFarm } = useMemo(() => {
    const worth = events.filter(isWorthAMark);
    const mark = (wanted: boolean): Mark[] => marksOf(worth.filter((event) => isOfFarm(event) === wanted), span.from, span.to, width - LEFT - RIGHT);
    return { ofServers: mark(false), ofFarm: mark(true) };
  }, [events, span, width]);

  function show(at: number): void {
    const bounded = Math.max(span.from, Math.min(span.to, at));
    if (span.to - bounded < NOW_MS) comeBack();
    else void travelTo(Math.round(bounded / 1000) * 1000);
  }

  function onPointer(event: PointerEvent<HTMLElement>): void {
    if (event.type === 'pointerdown') event.currentTarget.setPointerCapture(event.pointerId);
    else if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
    const x = (event.clientX - event.currentTarget.getBoundingClientRect().left) / unit;
    show(span.from + ((x - LEFT) / (width - LEFT - RIGHT)) * HOUR_MS);
  }

  function onKeyDown(event: KeyboardEvent): void {
    const at = past ?? span.to;
    const steps: Record<string, number> = {
      ArrowLeft: at - STEP_MS, ArrowRight: at + STEP_MS, PageUp: at - 6 * STEP_MS, PageDown: at + 6 * STEP_MS,
      Home: span.from, End: span.to, Escape: span.to,
    };
    if (steps[event.key] === undefined) return;
    event.preventDefault();
    show(steps[event.key]);
  }

  return (
    <footer className="timeline">
      {past !== null && <Moment at={past} />}
      <div
        ref={box}
        className="timeline-line"
        role="slider"
        tabIndex={0}
        aria-label="moment of the last hour that is shown"
        aria-valuemin={-3600}
        aria-valuemax={0}
        aria-valuenow={past === null ? 0 : Math.round((past - span.to) / 1000)}
        aria-valuetext={past === null ? 'now' : clock(past)}
        onPointerDown={onPointer}
        onPointerMove={onPointer}
        onKeyDown={onKeyDown}
      >
        <svg width={width * unit} height={HEIGHT * unit} viewBox={`0 0 ${width} ${HEIGHT}`} aria-hidden="true">
          <Axis span={span} />
          <text y={LANES.tests + 4}>load tests</text>
          <text y={LANES.servers + 4}>servers</text>
          <text y={LANES.farm + 4}>farm</text>
          <Tests tests={tests.filter((test) => !test.ended_at || Date.parse(test.ended_at) > span.from)} span={span} />
          <Marks marks={ofServers} y={LANES.servers} />
          <Marks marks={ofFarm} y={LANES.farm} />
          <line x1={xOf(span, past ?? span.to) - 1} x2={xOf(span, past ?? span.to) - 1} y1="0" y2={HEIGHT} className="moment" />
        </svg>
      </div>
    </footer>
  );
}
