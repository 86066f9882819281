// What to send, to whom, how fast, for how long, and what must hold.
import { useState } from 'react';
import { describeIds, formatIds } from '../../filter/selector';
import { farm, useFarm } from '../../live/farm';
import { useSelection } from '../../state/selection';
import { CommandLines } from '../../ui/Copy';
import { begin } from './api';
import { commandsOf, FIRST_PLAN, requestOf, type Plan } from './plan';

interface FieldSpec {
  name: keyof Plan;
  label: string;
  hint: string;
  models?: readonly Plan['model'][];
  type?: 'number' | 'text';
}

const OPEN = ['constant', 'poisson'] as const;

const FIELDS: readonly FieldSpec[] = [
  { name: 'requests', label: 'requests', hint: 'to each server; empty: by time alone', models: ['closed'], type: 'number' },
  { name: 'rate', label: 'rate', hint: 'a second, to all of them together', models: OPEN, type: 'number' },
  { name: 'stages', label: 'stages', hint: 'one after the other: 10s@500,20s@2000', models: ['stages'] },
  { name: 'duration', label: 'duration', hint: 'seconds; without it and requests: 10', models: ['closed', ...OPEN], type: 'number' },
  { name: 'connections', label: 'connections', hint: 'to each server', type: 'number' },
  { name: 'path', label: 'endpoint', hint: '/, /health, /slow-endpoint, /data/64, /error/503' },
  { name: 'thresholds', label: 'must hold', hint: 'p99<10ms, errors<0.1%, target.p99<20ms' },
  { name: 'name', label: 'name', hint: 'for people' },
];

function Field({ spec, plan, onChange }: { spec: FieldSpec; plan: Plan; onChange: (plan: Plan) => void }) {
  const id = `load-${spec.name}`;
  return (
    <>
      <label htmlFor={id}>{spec.label}</label>
      <input
        id={id}
        type={spec.type ?? 'text'}
        min={spec.type && 0}
        step={spec.type && 'any'}
        value={plan[spec.name]}
        onChange={(event) => onChange({ ...plan, [spec.name]: event.target.value })}
      />
      <small>{spec.hint}</small>
    </>
  );
}

export function useTargets(): { ids: string; who: string } {
  const selected = useSelection((selection) => selection.ids);
  const count = useFarm((table) => table.count) ?? 0;
  if (selected.size === 0) return { ids: '', who: `all ${count} servers` };
  return { ids: formatIds(selected), who: describeIds(farm.table(), [...selected]) };
}

export function LoadForm({ onBegun }: { onBegun: (id: string) => void }) {
  const [plan, setPlan] = useState(FIRST_PLAN);
  const [problem, setProblem] = useState('');
  const { ids, who } = useTargets();
  async function start(): Promise<void> {
    try {
      const run = await begin(requestOf(plan, ids));
      setProblem('');
      onBegun(run.id);
    } catch (failure) {
      setProblem((failure as Error).message);
    }
  }
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void start();
      }}
    >
      <div className="fields">
        <label htmlFor="load-model">model</label>
        <select id="load-model" value={plan.model} onChange={(event) => setPlan({ ...plan, model: event.target.value as Plan['model'] })}>
          <option value="closed">closed: each waits for its answer</option>
          <option value="constant">open: at a constant rate, whatever is answered</option>
          <option value="poisson">open: at random instants, as users come</option>
          <option value="stages">open: in stages</option>
        </select>
        {FIELDS.filter((spec) => !spec.models || spec.models.includes(plan.model)).map((spec) => (
          <Field key={spec.name} spec={spec} plan={plan} onChange={setPlan} />
        ))}
      </div>
      <CommandLines commands={commandsOf(plan, ids)} />
      {problem && <p className="problem" role="alert">{problem}</p>}
      <div className="dialog-buttons">
        <button type="submit" data-tone="main">load {who}</button>
      </div>
    </form>
  );
}
