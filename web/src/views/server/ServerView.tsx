// One server, answer first.
import { useEffect, useMemo, useState } from 'react';
import { ACTIONS } from '../../actions/actions';
import { openDialog } from '../../state/dialog';
import { GLYPHS, kindOf, stateWord } from '../../live/kind';
import { events as eventStore, useEvents } from '../../live/events';
import { useRow } from '../../live/farm';
import { nameOf, textOf } from '../../live/table';
import { useJobs } from '../../state/jobs';
import { go } from '../../state/place';
import { Tabs } from '../../ui/Tabs';
import { askAction } from '../actions/dialogs';
import { EventList } from './EventList';
import { LogView } from './LogView';
import { Plots } from './Plots';
import { Settings } from './Settings';
import { useHistory, type Resolution } from './useHistory';
import { useLogs } from './useLogs';
import { useServer } from './useServer';
import { Why } from './Why';

function useEventsOf(id: number) {
  const all = useEvents();
  useEffect(() => {
    // Without an answer the farm's own events are what there is.
    eventStore.loadServer(id).catch(() => undefined);
  }, [id]);
  return useMemo(() => all.filter((event) => event.server_id === id), [all, id]);
}

function Head({ id }: { id: number }) {
  const { table, row } = useRow(id);
  const pending = useJobs((jobs) => jobs.pending.get(id));
  const kind = table && row >= 0 ? kindOf(table, row) : 'off';
  const name = table && row >= 0 ? nameOf(table, row) : `server-${id}`;
  const node = table && row >= 0 ? textOf(table, 'node', row) : '';
  return (
    <div className="side-head" data-kind={kind}>
      <h2>{name}</h2>
      {table && row >= 0 && <a className="mono" href={`http://${location.hostname}:${table.columns.port[row]}/`} target="_blank" rel="noreferrer">:{table.columns.port[row]}</a>}
      {node && <span className="dim">on {node}</span>}
      <span className="kind push">
        <i className="glyph" aria-hidden="true">{GLYPHS[kind]}</i> {pending ? `${pending}…` : table && row >= 0 ? stateWord(table, row) : 'gone'}
      </span>
      <button type="button" data-tone="plain" aria-label="close" onClick={() => go({ server: 0 })}>
        ✕
      </button>
    </div>
  );
}

function Acts({ id }: { id: number }) {
  return (
    <div className="side-acts" role="toolbar" aria-label={`actions on server ${id}`}>
      {ACTIONS.map((spec) => (
        <button key={spec.action} type="button" onClick={() => askAction(spec.action, [id])}>
          {spec.action}
          {spec.confirm && '…'}
        </button>
      ))}
      <button type="button" onClick={() => openDialog({ about: 'limits', ids: [id] })}>limits…</button>
      <button type="button" onClick={() => openDialog({ about: 'commands', ids: [id] })}>copy as…</button>
    </div>
  );
}

export function ServerView({ id }: { id: number }) {
  const { server, problem } = useServer(id);
  const [resolution, setResolution] = useState<Resolution>(1);
  const points = useHistory(id, resolution);
  const [isPaused, setPaused] = useState(false);
  const logs = useLogs(id, isPaused);
  const events = useEventsOf(id);
  // A server that doesn't run has limits again when it starts.
  const limits = server?.pid === null ? server.limits_configured : server?.limits;
  return (
    <>
      <Head id={id} />
      {problem && <p className="problem" role="alert">{problem}</p>}
      <Acts id={id} />
      {server?.id === id && <Why server={server} points={points} events={events} lines={logs.lines} />}
      <Tabs
        label="about this server"
        tabs={[
          { name: 'plots', title: 'plots', render: () => <Plots points={points} events={events} limits={limits} resolution={resolution} onResolution={setResolution} /> },
          { name: 'log', title: 'log', render: () => <LogView logs={logs} isPaused={isPaused} onPause={setPaused} /> },
          { name: 'events', title: `events ${events.length}`, render: () => <EventList events={events} /> },
          { name: 'settings', title: 'settings', render: () => server && <Settings server={server} /> },
        ]}
      />
    </>
  );
}
