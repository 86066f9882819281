// One plot by uPlot: curves over time, a dashed limit, and marks where the server was restarted.
import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { textUnit } from '../../ui/textUnit';
import { useScheme } from '../../state/theme';
import { withGaps } from './gaps';

export interface Curve {
  label: string;
  /** A token of the theme: "info". */
  colour: string;
  isFilled?: boolean;
}

export interface PlotProps {
  label: string;
  unit: string;
  at: readonly number[];
  curves: readonly Curve[];
  values: readonly (readonly (number | null)[])[];
  /** Seconds from one point to the next. */
  step: number;
  limit?: number | null;
  /** The time axis covers so many seconds, also before the first figure. */
  leastSeconds: number;
  /** Restarts, seconds since 1970. */
  marks: readonly number[];
  /** When the limit ended it, likewise. */
  kills?: readonly number[];
}

const HEIGHT = 104;
const LAST_TIME = 0.09; // of the axis: half of a time

function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

type Draw = (plot: uPlot) => void;

function drawLimit(plot: uPlot, limit: number): void {
  const { ctx, bbox } = plot;
  const y = plot.valToPos(limit, 'y', true);
  ctx.save();
  ctx.strokeStyle = token('bad');
  ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.restore();
}

function drawMarks(plot: uPlot, marks: readonly number[]): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = token('info');
  ctx.fillStyle = token('info');
  ctx.lineWidth = devicePixelRatio;
  for (const mark of marks) {
    const x = plot.valToPos(mark, 'x', true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.fillRect(x, bbox.top, devicePixelRatio, bbox.height);
    ctx.beginPath();
    ctx.moveTo(x - 4 * devicePixelRatio, bbox.top);
    ctx.lineTo(x + 5 * devicePixelRatio, bbox.top);
    ctx.lineTo(x + 0.5 * devicePixelRatio, bbox.top + 6 * devicePixelRatio);
    ctx.fill();
  }
  ctx.restore();
}

/** A cross on the limit. */
function drawKills(plot: uPlot, kills: readonly number[], limit: number): void {
  const { ctx, bbox } = plot;
  const arm = 4 * devicePixelRatio;
  const y = plot.valToPos(limit, 'y', true);
  ctx.save();
  ctx.strokeStyle = token('bad');
  ctx.lineWidth = 2 * devicePixelRatio;
  ctx.beginPath();
  for (const kill of kills) {
    const x = plot.valToPos(kill, 'x', true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.moveTo(x - arm, y - arm);
    ctx.lineTo(x + arm, y + arm);
    ctx.moveTo(x + arm, y - arm);
    ctx.lineTo(x - arm, y + arm);
  }
  ctx.stroke();
  ctx.restore();
}

/** Those of the axis; one at the very end would be cut off. */
function timesOf(plot: uPlot, ticks: number[]): string[] {
  const { min = 0, max = 0 } = plot.scales.x;
  return ticks.map((at) => (max - at < (max - min) * LAST_TIME ? '' : new Date(at * 1000).toLocaleTimeString('en-GB')));
}

function optionsOf(curves: readonly Curve[], unit: string, width: number, onDraw: Draw): uPlot.Options {
  const unitPx = textUnit();
  const axis = { stroke: token('dim'), grid: { stroke: token('line'), width: 1 }, ticks: { show: false }, font: `${11 * unitPx}px ${token('font')}` };
  return {
    width,
    height: HEIGHT * unitPx,
    padding: [8, 0, 0, 0],
    cursor: { y: false, points: { size: 5 }, sync: { key: 'server' } },
    legend: { show: true, live: true },
    scales: { x: {}, y: {} },
    axes: [
      { ...axis, size: 22 * unitPx, space: 70 * unitPx, values: timesOf },
      { ...axis, size: 40 * unitPx, space: 26 * unitPx, values: (_plot, ticks) => ticks.map((value) => (value >= 10_000 ? `${value / 1000}k` : `${value}`)) },
    ],
    series: [
      { label: 'at', value: (_plot, at) => (at === null ? '–' : new Date(at * 1000).toLocaleTimeString('en-GB')) },
      ...curves.map((curve) => ({
        label: curve.label,
        stroke: token(curve.colour),
        fill: curve.isFilled ? `${token(curve.colour)}33` : undefined,
        width: 1.5,
        points: { show: false },
        value: (_plot: uPlot, value: number | null) => (value === null ? '–' : `${+value.toPrecision(3)} ${unit}`),
      })),
    ],
    hooks: { draw: [onDraw], setCursor: [tellLast] },
  };
}

function alignedData(props: PlotProps): uPlot.AlignedData {
  const { at, values } = withGaps(props.at, props.values, props.step);
  return [at, ...values];
}

/** Without the pointer on it the legend tells the last figures. */
function tellLast(plot: uPlot): void {
  if (plot.cursor.left == null || plot.cursor.left < 0) plot.setLegend({ idx: plot.data[0].length - 1 });
}

export function Plot(props: PlotProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const now = useRef(props);
  now.current = props;
  const scheme = useScheme((state) => state.scheme);
  const { unit } = props;
  const labels = props.curves.map((curve) => `${curve.label}:${curve.colour}`).join();

  useEffect(() => {
    const element = box.current!;
    const draw: Draw = (made) => {
      const { limit, marks, kills } = now.current;
      if (limit != null) drawLimit(made, limit);
      drawMarks(made, marks);
      if (limit != null && kills) drawKills(made, kills, limit);
    };
    const options = optionsOf(now.current.curves, unit, element.clientWidth, draw);
    // The limit is part of the scale, so that one sees how far away it is.
    options.scales!.x!.range = (_plot, min, max) => [Math.min(min, max - now.current.leastSeconds), max];
    options.scales!.y!.range = (_plot, _min, max) => [0, Math.max((max ?? 0) * 1.05, (now.current.limit ?? 0) * 1.08, 1)];
    const made = new uPlot(options, alignedData(now.current), element);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT * textUnit() }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [scheme, unit, labels]);

  useEffect(() => {
    const made = plot.current;
    if (!made) return;
    made.setData(alignedData(props));
    tellLast(made);
  }, [props]);

  return <div ref={box} className="plot" role="img" aria-label={props.label} />;
}
