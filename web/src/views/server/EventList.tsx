// What happened, newest first. Those of the farm lead to their server.
import { clock } from '../../format/format';
import { plain } from '../../format/text';
import type { FarmEvent } from '../../live/protocol';
import { go } from '../../state/place';

const SHOWN = 200;

export function EventList({ events, isOfFarm }: { events: readonly FarmEvent[]; isOfFarm?: boolean }) {
  const newest = events.slice(-SHOWN).reverse();
  if (newest.length === 0) return <p className="dim">Nothing yet.</p>;
  return (
    <ol className="events" tabIndex={0} aria-label="events">
      {newest.map((event) => (
        <li key={`${event.at}${event.id}`} data-kind={event.warning ? 'bad' : 'ok'}>
          <time>{clock(Date.parse(event.at))}</time>
          <i className="glyph" aria-hidden="true">{event.warning ? '✕' : '·'}</i>
          {isOfFarm && event.server_id !== null ? (
            <button type="button" data-tone="plain" onClick={() => go({ server: event.server_id! })}>
              {plain(event.message)}
            </button>
          ) : (
            <span>{plain(event.message)}</span>
          )}
        </li>
      ))}
    </ol>
  );
}
