// Beside the farm: the server that is open, or what happened lately.
import { lazy, Suspense, useMemo } from 'react';
import { useEvents } from '../../live/events';
import { usePlace } from '../../state/place';
import { EventList } from './EventList';
import { withoutStart } from './lately';
import './server.css';

/** Its plots are a third of the page's code; who looks at the farm only doesn't load them. */
const ServerView = lazy(() => import('./ServerView').then((module) => ({ default: module.ServerView })));

function Lately() {
  const events = useEvents();
  const lately = useMemo(() => withoutStart(events), [events]);
  return (
    <>
      <div className="side-head">
        <h2>What happened</h2>
      </div>
      <EventList events={lately} isOfFarm />
    </>
  );
}

export function Side() {
  const id = usePlace((place) => place.server);
  return (
    <aside className="side" data-empty={id === 0} aria-label={id ? `server ${id}` : 'what happened'}>
      {id ? (
        <Suspense fallback={<p className="dim">…</p>}>
          <ServerView key={id} id={id} />
        </Suspense>
      ) : (
        <Lately />
      )}
    </aside>
  );
}
