// A small curve without axes. Values that aren't known leave a gap.
import { memo } from 'react';

const WIDTH = 60;
const HEIGHT = 12;

function path(values: readonly number[], max: number): string {
  let d = '';
  let pen = 'M';
  const left = WIDTH - values.length;
  values.forEach((value, i) => {
    if (Number.isNaN(value)) {
      pen = 'M';
      return;
    }
    const y = HEIGHT - 0.5 - (Math.min(value, max) / max) * (HEIGHT - 1);
    d += `${pen}${left + i} ${y.toFixed(1)}`;
    pen = 'L';
  });
  return d;
}

/** `max`: what the top stands for; absent: the largest value. */
export const Sparkline = memo(function Sparkline({ values, max }: { values: readonly number[]; max?: number }) {
  const top = max ?? Math.max(1e-9, ...values.filter((value) => !Number.isNaN(value)));
  return (
    <svg className="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      <path d={path(values, top)} />
    </svg>
  );
});
