import { useState } from 'react';
import { rollingCommands } from '../../actions/commands';
import { runRolling } from '../../actions/run';
import { describeIds } from '../../filter/selector';
import { farm } from '../../live/farm';
import { closeDialog } from '../../state/dialog';
import { CommandLines } from '../../ui/Copy';
import { Dialog } from '../../ui/Dialog';

export function RollingDialog({ ids }: { ids: readonly number[] }) {
  const [unavailable, setUnavailable] = useState(1);
  const who = describeIds(farm.table(), ids);
  return (
    <Dialog title={`Rolling restart of ${who}`} onClose={closeDialog}>
      <p>A few at a time, each waited for until it is ready. It stops at the first that does not come back.</p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          closeDialog();
          void runRolling(ids, unavailable);
        }}
      >
        <div className="fields">
          <label htmlFor="unavailable">at a time</label>
          <input
            id="unavailable"
            type="number"
            min={1}
            max={10_000}
            required
            value={unavailable}
            onChange={(event) => setUnavailable(Number(event.target.value))}
          />
          <small>max_unavailable: how many may be away at once</small>
        </div>
        <CommandLines commands={rollingCommands(ids, unavailable)} />
        <div className="dialog-buttons">
          <button type="button" onClick={closeDialog}>
            cancel
          </button>
          <button type="submit" data-tone="danger">
            restart {who}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
