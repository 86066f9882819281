// Every action on the selection, as commands to copy.
import { useState } from 'react';
import { ACTIONS } from '../../actions/actions';
import { actionCommands, rollingCommands } from '../../actions/commands';
import { describeIds } from '../../filter/selector';
import { farm } from '../../live/farm';
import { closeDialog } from '../../state/dialog';
import { CommandLines } from '../../ui/Copy';
import { Dialog } from '../../ui/Dialog';

export function CommandsDialog({ ids }: { ids: readonly number[] }) {
  const [action, setAction] = useState<string>('restart');
  return (
    <Dialog title={`Commands for ${describeIds(farm.table(), ids)}`} onClose={closeDialog}>
      <div className="fields">
        <label htmlFor="command-action">action</label>
        <select id="command-action" value={action} onChange={(event) => setAction(event.target.value)}>
          {ACTIONS.map((spec) => (
            <option key={spec.action}>{spec.action}</option>
          ))}
          <option>rolling-restart</option>
        </select>
      </div>
      <CommandLines commands={action === 'rolling-restart' ? rollingCommands(ids, 1) : actionCommands(action, ids)} />
      <div className="dialog-buttons">
        <button type="button" onClick={closeDialog}>
          close
        </button>
      </div>
    </Dialog>
  );
}
