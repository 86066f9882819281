import { useDialog } from '../../state/dialog';
import { CommandsDialog } from './CommandsDialog';
import { ConfirmAction } from './ConfirmAction';
import { LimitsDialog } from './LimitsDialog';
import { RollingDialog } from './RollingDialog';
import { ScaleDialog } from './ScaleDialog';

export function Dialogs() {
  const question = useDialog((dialog) => dialog.question);
  switch (question?.about) {
    case 'action':
      return <ConfirmAction action={question.action} ids={question.ids} />;
    case 'rolling':
      return <RollingDialog ids={question.ids} />;
    case 'limits':
      return <LimitsDialog ids={question.ids} />;
    case 'commands':
      return <CommandsDialog ids={question.ids} />;
    case 'scale':
      return <ScaleDialog />;
    default:
      return null;
  }
}
