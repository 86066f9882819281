import { useState } from 'react';
import { limitCommands, type LimitChange } from '../../actions/commands';
import { runLimits } from '../../actions/run';
import { describeIds } from '../../filter/selector';
import { farm } from '../../live/farm';
import { rowOf } from '../../live/table';
import { closeDialog } from '../../state/dialog';
import { CommandLines } from '../../ui/Copy';
import { Dialog } from '../../ui/Dialog';

/** What is in force now, where all of them have the same. */
function common(ids: readonly number[], column: 'cpu_limit' | 'memory_limit'): number | null {
  const table = farm.table();
  const values = new Set(ids.map((id) => (table ? table.columns[column][rowOf(table, id)] : NaN)));
  const [value] = values;
  return values.size === 1 && !Number.isNaN(value) ? value : null;
}

export function LimitsDialog({ ids }: { ids: readonly number[] }) {
  const [cpu, setCpu] = useState('');
  const [memory, setMemory] = useState('');
  const who = describeIds(farm.table(), ids);
  const milliCpu = common(ids, 'cpu_limit');
  const kib = common(ids, 'memory_limit');
  const change: LimitChange = { ...(cpu && { cpu: Number(cpu) }), ...(memory && { memory }) };
  return (
    <Dialog title={`Limits of ${who}`} onClose={closeDialog}>
      <p>Changed while they run; nothing restarts. What is left empty stays as it is.</p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          closeDialog();
          void runLimits(ids, change);
        }}
      >
        <div className="fields">
          <label htmlFor="limit-cpu">CPU</label>
          <input id="limit-cpu" type="number" step="any" min={0.01} max={1024} data-focus value={cpu}
            placeholder={milliCpu === null ? 'they differ' : `${milliCpu / 1000} now`} onChange={(event) => setCpu(event.target.value)} />
          <small>cores: 0.5 is half of one</small>
          <label htmlFor="limit-memory">memory</label>
          <input id="limit-memory" value={memory} pattern="\d+(\.\d+)?\s*([KkMmGgTt]?[Ii]?[Bb]?)"
            placeholder={kib === null ? 'they differ' : `${kib / 1024}M now`} onChange={(event) => setMemory(event.target.value)} />
          <small>256M, 1G; a server that uses more is killed by the kernel</small>
        </div>
        {(cpu || memory) && <CommandLines commands={limitCommands(ids, change)} />}
        <div className="dialog-buttons">
          <button type="button" onClick={closeDialog}>
            cancel
          </button>
          <button type="submit" data-tone="main" disabled={!cpu && !memory}>
            set for {who}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
