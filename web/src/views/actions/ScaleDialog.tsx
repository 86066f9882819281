import { useState } from 'react';
import { scaleCommands } from '../../actions/commands';
import { runScale } from '../../actions/run';
import { plural } from '../../format/format';
import { farm } from '../../live/farm';
import { textOf, type Table } from '../../live/table';
import { closeDialog } from '../../state/dialog';
import { CommandLines } from '../../ui/Copy';
import { Dialog } from '../../ui/Dialog';

/** How many servers each group has; "" stands for all of them. */
function countGroups(table: Table | null): Map<string, number> {
  const counts = new Map([['', table?.count ?? 0]]);
  for (let row = 0; table && row < table.count; row++) {
    const group = textOf(table, 'group', row);
    counts.set(group, (counts.get(group) ?? 0) + 1);
  }
  return counts;
}

export function ScaleDialog() {
  const [counts] = useState(() => countGroups(farm.table()));
  const [group, setGroup] = useState('');
  const [servers, setServers] = useState(counts.get('') ?? 0);
  const difference = servers - (counts.get(group) ?? 0);
  return (
    <Dialog title="Scale the farm" onClose={closeDialog}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          closeDialog();
          void runScale(servers, group);
        }}
      >
        <div className="fields">
          {counts.size > 2 && (
            <>
              <label htmlFor="scale-group">group</label>
              <select
                id="scale-group"
                value={group}
                onChange={(event) => {
                  setGroup(event.target.value);
                  setServers(counts.get(event.target.value) ?? 0);
                }}
              >
                {[...counts].map(([name, count]) => (
                  <option key={name} value={name}>
                    {name || 'all of them'} ({count})
                  </option>
                ))}
              </select>
            </>
          )}
          <label htmlFor="scale-servers">servers</label>
          <input
            id="scale-servers"
            type="number"
            min={group ? 0 : 1}
            max={10_000}
            required
            data-focus
            value={servers}
            onChange={(event) => setServers(Number(event.target.value))}
          />
          <small role="status">
            {difference === 0 && 'as many as there are'}
            {difference > 0 && `starts ${plural(difference, 'server')}; the others are not touched`}
            {difference < 0 && `stops and removes ${plural(-difference, 'server')}, those with the highest numbers`}
          </small>
        </div>
        <CommandLines commands={scaleCommands(servers, group)} />
        <div className="dialog-buttons">
          <button type="button" onClick={closeDialog}>
            cancel
          </button>
          <button type="submit" data-tone={difference < 0 ? 'danger' : 'main'} disabled={difference === 0}>
            {difference < 0 ? `remove ${plural(-difference, 'server')}` : `add ${plural(difference, 'server')}`}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
