// The load tests so far: one is opened, two are compared.
import { useState } from 'react';
import { clock, latency, number, short } from '../../format/format';
import { plain } from '../../format/text';
import type { Kind } from '../../live/kind';
import { GLYPHS } from '../../live/kind';
import { compare, type Comparison, type Summary } from './api';

function kindOfRun(run: Summary): Kind {
  if (run.status === 'running') return 'info';
  if (run.passed === false) return 'bad';
  return run.status === 'completed' ? 'ok' : 'off';
}

const VERDICTS: Record<string, Kind> = { better: 'ok', worse: 'bad', mixed: 'warn' };

function Compared({ comparison: { a, b, comparison } }: { comparison: Comparison }) {
  return (
    <section aria-label="comparison" className="why" data-kind={VERDICTS[comparison.verdict] ?? 'off'}>
      <b className="why-head">{plain(b.name || b.id)} against {plain(a.name || a.id)}: {comparison.verdict}</b>
      <table>
        <thead>
          <tr><th scope="col">figure</th><th scope="col" className="n">before</th><th scope="col" className="n">after</th><th scope="col" className="n">change</th><th scope="col">is</th></tr>
        </thead>
        <tbody>
          {comparison.metrics.map((metric) => (
            <tr key={metric.metric} data-kind={VERDICTS[metric.verdict] ?? 'off'}>
              <th scope="row">{metric.metric}</th>
              <td className="n">{number(metric.a)}</td>
              <td className="n">{number(metric.b)}</td>
              <td className="n">{metric.change_percent === null ? '–' : `${metric.change_percent > 0 ? '+' : ''}${number(metric.change_percent)}%`}</td>
              <td className="kind">{metric.verdict}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {comparison.cautions.map((caution) => <p key={caution} className="dim">{plain(caution)}</p>)}
    </section>
  );
}

export function History({ runs, onOpen }: { runs: readonly Summary[]; onOpen: (id: string) => void }) {
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const [comparison, setComparison] = useState<Comparison | null>(null);
  const [problem, setProblem] = useState('');
  if (runs.length === 0) return <p className="dim">None yet.</p>;
  const choose = (id: string, isChosen: boolean): void =>
    setChosen(isChosen ? [...chosen, id].slice(-2) : chosen.filter((other) => other !== id));
  async function show(): Promise<void> {
    // The older one stands first.
    const [b, a] = runs.filter((run) => chosen.includes(run.id)).map((run) => run.id);
    try {
      setComparison(await compare(a, b));
      setProblem('');
    } catch (failure) {
      setProblem((failure as Error).message);
    }
  }
  return (
    <>
      <div className="load-table">
        <table>
          <thead>
            <tr>
              <th scope="col"><span className="hidden">compare</span></th><th scope="col">test</th><th scope="col" className="n">servers</th>
              <th scope="col" className="n">answered</th><th scope="col" className="n">rate</th><th scope="col" className="n">p99</th><th scope="col" className="n">failed</th>
            </tr>
          </thead>
          <tbody>
            {runs.map((run) => (
              <tr key={run.id} data-kind={kindOfRun(run)}>
                <td><input type="checkbox" aria-label={`compare ${run.name || run.id}`} checked={chosen.includes(run.id)} onChange={(event) => choose(run.id, event.target.checked)} /></td>
                <td>
                  <i className="glyph" aria-hidden="true">{GLYPHS[kindOfRun(run)]}</i>{' '}
                  <button type="button" data-tone="plain" onClick={() => onOpen(run.id)}>{clock(Date.parse(run.started_at))} {plain(run.name || run.model)}</button>
                  {run.status !== 'completed' && <span className="dim"> {run.status}</span>}
                </td>
                <td className="n">{number(run.servers)}</td>
                <td className="n">{short(run.answered)}</td>
                <td className="n">{short(run.achieved_rate)}/s</td>
                <td className="n">{latency(run.p99_us)}</td>
                <td className="n">{number(run.failed)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <button type="button" disabled={chosen.length !== 2} onClick={() => void show()}>compare two</button>
      {problem && <p className="problem" role="alert">{problem}</p>}
      {comparison && <Compared comparison={comparison} />}
    </>
  );
}
