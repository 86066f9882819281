// What is asked of all servers at once, with what each says: burning, a request to all, a probe now.
import { useState, type ReactNode } from 'react';
import { api, ask } from '../../api/client';
import { number } from '../../format/format';
import { plain } from '../../format/text';
import type { Kind } from '../../live/kind';
import { GLYPHS } from '../../live/kind';
import { useTargets } from './LoadForm';

interface Line {
  id: number;
  kind: Kind;
  text: string;
}

interface Outcome {
  said: string;
  lines: readonly Line[];
}

const SHOWN = 500;

/** A form that asks once and lists an answer for each server. */
function Check({ label, button, run, children }: { label: string; button: string; run: (fields: FormData) => Promise<Outcome>; children?: ReactNode }) {
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const [problem, setProblem] = useState('');
  const [isBusy, setBusy] = useState(false);
  async function go(fields: FormData): Promise<void> {
    setBusy(true);
    setProblem('');
    try {
      setOutcome(await run(fields));
    } catch (failure) {
      setProblem((failure as Error).message);
    }
    setBusy(false);
  }
  return (
    <form
      aria-label={label}
      onSubmit={(event) => {
        event.preventDefault();
        void go(new FormData(event.currentTarget));
      }}
    >
      {children && <div className="fields">{children}</div>}
      <div className="dialog-buttons">
        <button type="submit" data-tone="main" disabled={isBusy}>{isBusy ? 'under way…' : button}</button>
      </div>
      {problem && <p className="problem" role="alert">{problem}</p>}
      {outcome && (
        <>
          <p role="status"><b>{outcome.said}</b></p>
          <ul className="check-lines" tabIndex={0} aria-label={`${label}: results`}>
            {outcome.lines.slice(0, SHOWN).map(({ id, kind, text }) => (
              <li key={id} data-kind={kind}>
                <i className="glyph" aria-hidden="true">{GLYPHS[kind]}</i> <b>server-{id}</b> <span>{plain(text)}</span>
              </li>
            ))}
            {outcome.lines.length > SHOWN && <li className="dim">and {number(outcome.lines.length - SHOWN)} more</li>}
          </ul>
        </>
      )}
    </form>
  );
}

const troubleFirst = (lines: Line[]): Line[] => lines.sort((a, b) => Number(a.kind === 'ok') - Number(b.kind === 'ok'));

export function Simulate() {
  const { ids, who } = useTargets();
  return (
    <Check
      label="simulate load"
      button={`burn on ${who}`}
      run={async (fields) => {
        const { results } = await ask(api.POST('/api/simulate-load', {
          body: { server_ids: ids || 'all', cpu_duration: Number(fields.get('cpu')), memory_mb: Number(fields.get('memory')) },
        }));
        const lines = results.map((result): Line => result.status === 'success'
          ? { id: result.server_id, kind: 'ok', text: result.data.message }
          : { id: result.server_id, kind: 'bad', text: result.message });
        return { said: `${lines.filter((line) => line.kind === 'ok').length} of ${lines.length} did`, lines: troubleFirst(lines) };
      }}
    >
      <label htmlFor="simulate-cpu">burn CPU for</label>
      <input id="simulate-cpu" name="cpu" type="number" min={0} max={3600} step="any" defaultValue={2} />
      <small>seconds</small>
      <label htmlFor="simulate-memory">and hold</label>
      <input id="simulate-memory" name="memory" type="number" min={0} max={1_048_576} defaultValue={100} />
      <small>MB; more than the limit provokes an OOM kill</small>
    </Check>
  );
}

function wordsOf(answer: unknown): { kind: Kind; text: string } {
  const error = answer && typeof answer === 'object' && 'error' in answer ? String(answer.error) : '';
  return error ? { kind: 'bad', text: error } : { kind: 'ok', text: JSON.stringify(answer).slice(0, 300) };
}

export function Broadcast() {
  const { ids, who } = useTargets();
  return (
    <Check
      label="broadcast"
      button={`send to ${who}`}
      run={async (fields) => {
        const answer = await ask(api.POST('/api/broadcast', {
          params: { query: { select: ids || undefined } },
          body: { endpoint: String(fields.get('endpoint')), method: String(fields.get('method')) as 'GET' },
        }));
        const lines = answer.server_ids.map((id, i): Line => ({ id, ...wordsOf(answer.results[i]) }));
        return { said: `${number(answer.successful_responses)} answered, ${number(answer.failed_responses)} failed`, lines: troubleFirst(lines) };
      }}
    >
      <label htmlFor="broadcast-method">method</label>
      <select id="broadcast-method" name="method">{['GET', 'HEAD', 'POST', 'PUT', 'DELETE'].map((method) => <option key={method}>{method}</option>)}</select>
      <label htmlFor="broadcast-endpoint">endpoint</label>
      <input id="broadcast-endpoint" name="endpoint" defaultValue="/" required />
    </Check>
  );
}

const HEALTH: Record<string, Kind> = { healthy: 'ok', degraded: 'warn', error: 'bad' };

export function HealthCheck() {
  const { ids, who } = useTargets();
  return (
    <Check
      label="health check"
      button={`probe ${who} now`}
      run={async () => {
        const health = await ask(api.GET('/api/health', { params: { query: { select: ids || undefined } } }));
        const lines = health.servers.map((server): Line => ({
          id: server.server_id, kind: HEALTH[server.status], text: server.error ?? `${server.status} in ${number(server.response_time_ms)} ms`,
        }));
        return { said: `${health.healthy} healthy, ${health.degraded} degraded, ${health.unhealthy} not`, lines: troubleFirst(lines) };
      }}
    />
  );
}
