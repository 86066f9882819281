// One server, as a card. Renders again only when something of its own row has changed.
import { memo, type KeyboardEvent, type MouseEvent } from 'react';
import { ACTIONS } from '../../actions/actions';
import { askAction } from '../actions/dialogs';
import { duration, megabytes, number, percent, plural, short } from '../../format/format';
import { farm, useRow, useTicks } from '../../live/farm';
import { GLYPHS, kindOf, stateWord, THROTTLED } from '../../live/kind';
import { nameOf, textOf, type Table } from '../../live/table';
import { useJobs } from '../../state/jobs';
import { useMoment } from '../../state/past';
import { usePlace } from '../../state/place';
import { useSelection } from '../../state/selection';
import { Bar } from '../../ui/Bar';
import { Sparkline } from '../../ui/Sparkline';

const ON_CARD: Record<string, readonly string[]> = { stopped: ['start'], failed: ['start'], backoff: ['start', 'stop'], paused: ['resume', 'stop'] };

/** The curve goes on also when the row stays as it is. It is of the last minute, so there is none of the past. */
function Trail({ row }: { row: number }) {
  useTicks();
  if (farm.isPast()) return null;
  return <Sparkline values={farm.trail.cpuOf(row)} max={1000} />;
}

function Meters({ table, row }: { table: Table; row: number }) {
  const { cpu, throttled, memory, memory_limit } = table.columns;
  const used = ((memory[row] / 1000) * memory_limit[row]) / 1024;
  return (
    <>
      <div className="meter">
        CPU
        <Bar value={cpu[row]} throttled={throttled[row]} />
        <em>{percent(cpu[row])}</em>
      </div>
      <div className="meter">
        mem
        <Bar value={memory[row]} />
        <em title={`${percent(memory[row])} of its limit`}>{Number.isNaN(used) ? percent(memory[row]) : megabytes(used)}</em>
      </div>
      <div className="card-foot">
        <Trail row={row} />
        {throttled[row] > THROTTLED ? (
          <span className="kind">throttled {percent(throttled[row])}</span>
        ) : (
          <span>{short(table.columns.rate[row])}/s</span>
        )}
      </div>
    </>
  );
}

/** Why it doesn't run, and what comes next. */
function Standing({ table, row }: { table: Table; row: number }) {
  const now = useMoment(250);
  const { next_restart, since } = table.columns;
  const next = next_restart[row] - now;
  const reason = textOf(table, 'reason', row);
  return (
    <div className="card-state">
      <div className="kind">
        {reason && reason !== 'Stopped' ? reason : stateWord(table, row)}
      </div>
      <div className="dim">
        {Number.isNaN(next)
          ? Number.isNaN(since[row]) ? '' : `${duration(now / 1000 - since[row])} ago`
          : next > 0 ? `next try in ${duration(next / 1000)}` : 'starting again'}
      </div>
    </div>
  );
}

function Acts({ id, name, status }: { id: number; name: string; status: string }) {
  const shown = ON_CARD[status] ?? ['restart', 'stop'];
  return (
    <div className="card-acts" role="gridcell">
      {ACTIONS.filter((spec) => shown.includes(spec.action)).map((spec) => (
        <button
          key={spec.action}
          type="button"
          tabIndex={-1}
          aria-label={`${spec.action} ${name}`}
          title={spec.action}
          onClick={(event) => {
            event.stopPropagation();
            askAction(spec.action, [id]);
          }}
        >
          {spec.glyph}
        </button>
      ))}
    </div>
  );
}

interface CardProps {
  id: number;
  isFocused: boolean;
  onClick: (id: number, event: MouseEvent) => void;
  onKeyDown: (id: number, event: KeyboardEvent) => void;
}

export const Card = memo(function Card({ id, isFocused, onClick, onKeyDown }: CardProps) {
  const { table, row } = useRow(id);
  const isSelected = useSelection((selection) => selection.ids.has(id));
  const isOpen = usePlace((place) => place.server === id);
  const pending = useJobs((jobs) => jobs.pending.get(id));
  if (!table || row < 0) return null;
  const kind = kindOf(table, row);
  const status = textOf(table, 'status', row);
  const name = nameOf(table, row);
  const node = textOf(table, 'node', row);
  const restarts = table.columns.restarts[row];
  const isLive = status === 'running' || status === 'paused';
  return (
    <div
      className="card"
      role="row"
      data-id={id}
      data-kind={kind}
      data-open={isOpen}
      aria-selected={isSelected}
      tabIndex={isFocused ? 0 : -1}
      onClick={(event) => onClick(id, event)}
      onKeyDown={(event) => onKeyDown(id, event)}
    >
      <div role="gridcell" className="card-inside">
        <div className="card-title">
          <i className="glyph" aria-hidden="true">{GLYPHS[kind]}</i>
          <b title={node ? `${name} on node ${node}` : name}>{name}</b>
          <span className="hidden">{stateWord(table, row)}</span>
          {pending ? <span>{pending}…</span> : restarts > 0 && <span title={plural(restarts, 'restart')}>↻{number(restarts)}</span>}
        </div>
        {isLive ? <Meters table={table} row={row} /> : <Standing table={table} row={row} />}
      </div>
      <Acts id={id} name={name} status={status} />
    </div>
  );
});
