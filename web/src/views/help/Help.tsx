// The `?` sheet: keys, the filter's language, what the signs mean.
import { GLYPHS, KINDS, type Kind } from '../../live/kind';
import { go, usePlace } from '../../state/place';
import { Dialog } from '../../ui/Dialog';
import { Choices } from '../top/Choices';
import './help.css';

const KEYS: readonly [string, string][] = [
  ['/', 'go to the filter'],
  ['arrows, Home, End, Page', 'move through the servers; with Shift select on the way'],
  ['Space', 'select, or not'],
  ['Enter', 'open the server'],
  ['Ctrl+A', 'select all that are shown'],
  ['Escape', 'select nothing, close'],
  ['s, r', 'stop, restart the selection (asks first)'],
  ['p', 'pause or resume what is shown'],
  ['t', 'next theme: dark, light, system'],
  ['?', 'this sheet'],
];

const FILTERS: readonly [string, string][] = [
  ['7, 1-10,20, all', 'these servers'],
  ['state:unhealthy', 'a state or a health'],
  ['cpu>80', 'per cent of its limit; also throttled, memory (or memory>200M)'],
  ['p99>10, requests>100', 'ms, a second; also p50, errors, restarts, oom, uptime, port'],
  ['group:web, zone=a, zone!=a', 'a group, a label'],
  ['1-20,cpu>80', 'both; several words for one name are alternatives'],
];

const MEANINGS: Record<Kind, string> = {
  bad: 'unhealthy, or given up',
  info: 'starting, stopping, or waiting to be started again',
  warn: 'degraded, or throttled',
  paused: 'paused',
  off: 'stopped on purpose',
  ok: 'running and healthy',
};

export function Help() {
  const isOpen = usePlace((place) => place.panel === 'help');
  if (!isOpen) return null;
  return (
    <Dialog title="Keys, filters and signs" onClose={() => go({ panel: '' })}>
      <Choices place="sheet" />
      <dl className="help">
        {KEYS.map(([key, what]) => (
          <div key={key}>
            <dt><kbd>{key}</kbd></dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <h3>Filter</h3>
      <dl className="help">
        {FILTERS.map(([text, what]) => (
          <div key={text}>
            <dt><code>{text}</code></dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <h3>Signs</h3>
      <dl className="help">
        {KINDS.map((kind) => (
          <div key={kind} data-kind={kind}>
            <dt><i className="glyph" aria-hidden="true">{GLYPHS[kind]}</i> <span className="hidden">{kind}</span></dt>
            <dd>{MEANINGS[kind]}</dd>
          </div>
        ))}
      </dl>
      <p>
        The API has the same and more: <a href="/docs">its documentation</a>. The page is made with{' '}
        <a href="/docs/licences.txt">libraries of others</a>.
      </p>
      <div className="dialog-buttons">
        <button type="button" onClick={() => go({ panel: '' })}>close</button>
      </div>
    </Dialog>
  );
}
