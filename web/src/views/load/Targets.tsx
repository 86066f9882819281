// Each server of a load test, what stands out first. Only the rows in view are in the page.
import { useVirtualizer } from '@tanstack/react-virtual';
import { useMemo, useRef } from 'react';
import { latency, number, short } from '../../format/format';
import { plain } from '../../format/text';
import type { Target } from './api';

const ROW_PX = 24;

export function Targets({ targets }: { targets: readonly Target[] }) {
  const scroller = useRef<HTMLDivElement>(null);
  const sorted = useMemo(
    () => [...targets].sort((a, b) => Number(!!b.stands_out) - Number(!!a.stands_out) || b.failed - a.failed
      || (b.latency?.p99_us ?? 0) - (a.latency?.p99_us ?? 0)),
    [targets],
  );
  const rows = useVirtualizer({
    count: sorted.length, getScrollElement: () => scroller.current, estimateSize: () => ROW_PX, overscan: 8,
  });
  return (
    <div className="targets" role="table" aria-label="servers of the test" aria-rowcount={sorted.length + 1}>
      <div className="targets-row dim" role="row">
        {['server', 'requests/s', 'p50', 'p99', 'failed', 'throttled', 'stands out'].map((name) => (
          <span key={name} role="columnheader">{name}</span>
        ))}
      </div>
      <div ref={scroller} className="targets-scroll" role="rowgroup" tabIndex={0} aria-label="rows">
        <div className="logs-all" role="presentation" style={{ height: rows.getTotalSize() }}>
          {rows.getVirtualItems().map(({ index, start }) => {
            const target = sorted[index];
            return (
              <div key={target.id} className="targets-row log-line" role="row" aria-rowindex={index + 2}
                data-kind={target.stands_out || target.failed ? 'warn' : 'ok'} style={{ transform: `translateY(${start}px)` }}>
                <span role="cell">{plain(target.name)}</span>
                <span role="cell">{short(target.achieved_rate)}</span>
                <span role="cell">{latency(target.latency?.p50_us ?? NaN)}</span>
                <span role="cell">{latency(target.latency?.p99_us ?? NaN)}</span>
                <span role="cell">{number(target.failed)}</span>
                <span role="cell">{target.throttled_percent === null ? '–' : `${number(target.throttled_percent)}%`}</span>
                <span role="cell" className="kind">{target.stands_out && `◐ ${plain(target.stands_out)}`}</span>
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}
