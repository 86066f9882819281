// The log: only the lines in view are in the page, and it stays at the end while one is there.
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useMemo, useRef, useState } from 'react';
import { clock, number } from '../../format/format';
import type { Level } from '../../format/text';
import type { Logs } from './useLogs';

const LINE_PX = 18;

export function LogView({ logs, isPaused, onPause }: { logs: Logs; isPaused: boolean; onPause: (isPaused: boolean) => void }) {
  const [search, setSearch] = useState('');
  const [level, setLevel] = useState<'' | Level>('');
  const scroller = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  const lines = useMemo(() => {
    const wanted = search.toLowerCase();
    return logs.lines.filter(
      (line) =>
        (!wanted || line.text.toLowerCase().includes(wanted)) &&
        (!level || line.level === level || (level === 'warning' && line.level === 'error')),
    );
  }, [logs.lines, search, level]);
  const rows = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => LINE_PX,
    getItemKey: (i) => lines[i].key,
    overscan: 10,
  });
  useEffect(() => {
    if (isAtEnd.current && lines.length) rows.scrollToIndex(lines.length - 1, { align: 'end' });
  }, [lines, rows]);
  return (
    <div className="logs">
      <div className="logs-tools">
        <input type="search" aria-label="search the log" placeholder="search" value={search} onChange={(event) => setSearch(event.target.value)} />
        <select aria-label="level" value={level} onChange={(event) => setLevel(event.target.value as '' | Level)}>
          <option value="">all lines</option>
          <option value="warning">warnings, errors</option>
          <option value="error">errors</option>
        </select>
        <button type="button" aria-pressed={isPaused} onClick={() => onPause(!isPaused)}>
          {isPaused ? 'follow' : 'pause'}
        </button>
      </div>
      {logs.problem && <p className="problem">{logs.problem}</p>}
      <div
        ref={scroller}
        className="log-lines logs-scroll"
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label="log"
        onScroll={({ currentTarget: at }) => (isAtEnd.current = at.scrollHeight - at.scrollTop - at.clientHeight < LINE_PX * 2)}
      >
        {lines.length === 0 && <p className="dim">{logs.lines.length ? 'no line is like that' : 'it has printed nothing'}</p>}
        <div className="logs-all" style={{ height: rows.getTotalSize() }}>
          {rows.getVirtualItems().map((item) => (
            <div
              key={item.key}
              ref={rows.measureElement}
              data-index={item.index}
              className="log-line"
              data-level={lines[item.index].level}
              style={{ transform: `translateY(${item.start}px)` }}
            >
              <time>{clock(lines[item.index].at)}</time> {lines[item.index].text}
            </div>
          ))}
        </div>
      </div>
      <p className="dim">{number(lines.length)} of {number(logs.lines.length)} lines</p>
    </div>
  );
}
