// "Stop 3 servers?"
import { specOf } from '../../actions/actions';
import { actionCommands } from '../../actions/commands';
import { runAction } from '../../actions/run';
import type { Action } from '../../api/client';
import { describeIds, formatIds } from '../../filter/selector';
import { farm } from '../../live/farm';
import { closeDialog } from '../../state/dialog';
import { CommandLines } from '../../ui/Copy';
import { Dialog } from '../../ui/Dialog';

const SHOWN_IDS = 120; // characters

export function ConfirmAction({ action, ids }: { action: Action; ids: readonly number[] }) {
  const who = describeIds(farm.table(), ids);
  const list = formatIds(ids);
  return (
    <Dialog title={`${action} ${who}?`} onClose={closeDialog}>
      {ids.length > 1 && <p className="mono dim">{list.length > SHOWN_IDS ? `${list.slice(0, SHOWN_IDS)}…` : list}</p>}
      <p>{specOf(action).confirm?.[ids.length === 1 ? 'one' : 'many']}</p>
      <CommandLines commands={actionCommands(action, ids)} />
      <form
        className="dialog-buttons"
        onSubmit={(event) => {
          event.preventDefault();
          closeDialog();
          void runAction(action, ids);
        }}
      >
        <button type="button" onClick={closeDialog}>
          cancel
        </button>
        <button type="submit" data-tone="danger" data-focus>
          {action} {who}
        </button>
      </form>
    </Dialog>
  );
}
