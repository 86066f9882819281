// Does an action, or asks first where it takes something away.
import { specOf } from '../../actions/actions';
import { runAction } from '../../actions/run';
import type { Action } from '../../api/client';
import { openDialog } from '../../state/dialog';

export function askAction(action: Action, ids: readonly number[]): void {
  if (specOf(action).confirm) openDialog({ about: 'action', action, ids });
  else void runAction(action, ids);
}
