// A small curve without axes. Values that aren't known leave a gap.
import { memo } from 'react';

const SLOTS = 60;
const HEIGHT = 12;

function path(values: readonly number[], max: number, slots: number): string {
  let d = '';
  let pen = 'M';
  const left = slots - values.length;
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

interface SparklineProps {
  values: readonly number[];
  /** What the top stands for; absent: the largest value. */
  max?: number;
  /** Values that the width has room for: fewer of them stand at its right end. */
  slots?: number;
}

export const Sparkline = memo(function Sparkline({ values, max, slots = SLOTS }: SparklineProps) {
  const top = max ?? Math.max(1e-9, ...values.filter((value) => !Number.isNaN(value)));
  return (
    <svg className="sparkline" viewBox={`0 0 ${slots - 1} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      <path d={path(values, top, slots)} />
    </svg>
  );
});
