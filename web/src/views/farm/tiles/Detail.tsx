// What a card tells, of the tile under the pointer or with the focus.
import { duration, latency, number, percent, short } from '../../../format/format';
import { farm, useRow } from '../../../live/farm';
import { GLYPHS, kindOf, stateWord } from '../../../live/kind';
import { nameOf, textOf, type Table } from '../../../live/table';
import { Bar } from '../../../ui/Bar';
import { Sparkline } from '../../../ui/Sparkline';

/** One sentence for those who hear the page. */
export function sentenceOf(table: Table, row: number): string {
  const { cpu, throttled, memory, rate, restarts } = table.columns;
  const parts = [nameOf(table, row), stateWord(table, row)];
  if (!Number.isNaN(cpu[row])) parts.push(`CPU ${percent(cpu[row])} of its limit`);
  if (throttled[row] > 0) parts.push(`throttled ${percent(throttled[row])}`);
  if (!Number.isNaN(memory[row])) parts.push(`memory ${percent(memory[row])}`);
  if (!Number.isNaN(rate[row])) parts.push(`${number(rate[row])} requests a second`);
  if (restarts[row]) parts.push(`${number(restarts[row])} restarts`);
  const node = textOf(table, 'node', row);
  if (node) parts.push(`on node ${node}`);
  return parts.join(', ');
}

export function Detail({ id, x, y, width }: { id: number; x: number; y: number; width: number }) {
  const { table, row } = useRow(id);
  if (!table || row < 0) return null;
  const kind = kindOf(table, row);
  const { cpu, throttled, memory, rate, p99, restarts, next_restart } = table.columns;
  const reason = textOf(table, 'reason', row);
  const node = textOf(table, 'node', row);
  const next = (next_restart[row] - Date.now()) / 1000;
  return (
    <div className="tile-detail card" data-kind={kind} aria-hidden="true" style={{ left: Math.min(x + 14, width - 190), top: y + 14 }}>
      <div className="card-title">
        <i className="glyph">{GLYPHS[kind]}</i>
        <b>{nameOf(table, row)}</b>
        <span>{stateWord(table, row)}</span>
      </div>
      {Number.isNaN(cpu[row]) ? (
        <div className="card-state">
          {reason}
          {next > 0 && <div className="dim">next try in {duration(next)}</div>}
        </div>
      ) : (
        <>
          <div className="meter">CPU<Bar value={cpu[row]} throttled={throttled[row]} /><em>{percent(cpu[row])}</em></div>
          <div className="meter">mem<Bar value={memory[row]} /><em>{percent(memory[row])}</em></div>
          {!farm.isPast() && <Sparkline values={farm.trail.cpuOf(row)} max={1000} />}
          <div className="card-foot">
            {short(rate[row])}/s · p99 {latency(p99[row])}
            {throttled[row] > 0 && ` · throttled ${percent(throttled[row])}`}
          </div>
        </>
      )}
      {node && <div className="card-foot">on {node}</div>}
      {restarts[row] > 0 && <div className="card-foot">↻{number(restarts[row])} restarts</div>}
    </div>
  );
}
