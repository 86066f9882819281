// What can be done: to the selection when there is one, else to the farm.
import { ACTIONS } from '../../actions/actions';
import { describeIds } from '../../filter/selector';
import { farm, useFarm } from '../../live/farm';
import { openDialog } from '../../state/dialog';
import { go } from '../../state/place';
import { clearSelection, useSelection } from '../../state/selection';
import { Jobs } from './Jobs';
import { askAction } from './dialogs';
import './actions.css';

function OfSelection({ ids }: { ids: readonly number[] }) {
  return (
    <>
      <b>{describeIds(farm.table(), ids)} selected</b>
      {ACTIONS.map((spec) => (
        <button key={spec.action} type="button" onClick={() => askAction(spec.action, ids)}>
          {spec.action}
          {spec.confirm && '…'}
        </button>
      ))}
      <button type="button" onClick={() => openDialog({ about: 'rolling', ids })}>
        rolling restart…
      </button>
      <button type="button" onClick={() => openDialog({ about: 'limits', ids })}>
        limits…
      </button>
      <button type="button" onClick={() => go({ panel: 'load' })}>
        load…
      </button>
      <button type="button" onClick={() => openDialog({ about: 'commands', ids })}>
        copy as…
      </button>
      <button type="button" data-tone="plain" className="push" onClick={clearSelection}>
        clear
      </button>
    </>
  );
}

function OfFarm() {
  const servers = useFarm((table) => table.count);
  return (
    <>
      <span className="dim">nothing selected: click, drag, or press Space on a server</span>
      <span className="push" />
      <button type="button" disabled={servers === null} onClick={() => openDialog({ about: 'scale' })}>
        scale…
      </button>
      <button type="button" onClick={() => go({ panel: 'load' })}>
        load and test…
      </button>
    </>
  );
}

export function ActionBar() {
  const selected = useSelection((selection) => selection.ids);
  const ids = [...selected];
  return (
    <section className="acts" aria-label="actions">
      <Jobs />
      <div className="acts-bar" role="toolbar" aria-label={ids.length ? 'actions on the selection' : 'actions on the farm'}>
        {ids.length ? <OfSelection ids={ids} /> : <OfFarm />}
      </div>
    </section>
  );
}
