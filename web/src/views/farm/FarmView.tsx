// The farm in the middle of the page: cards, tiles where there are too many for cards, or why there is nothing to see.
import { useRef } from 'react';
import { useFarm } from '../../live/farm';
import { useConnection } from '../../state/connection';
import { go } from '../../state/place';
import { Cards } from './Cards';
import { Tiles } from './tiles/Tiles';
import { useHold, useShown } from './useArrangement';
import './farm.css';

/** More servers than these are drawn as tiles. */
export const CARDS_MAX = 200;

const HOLD_MS = 5000;

function Empty() {
  const servers = useFarm((table) => table.count);
  const phase = useConnection((connection) => connection.phase);
  if (servers === null) {
    return (
      <div className="empty">
        <b>{phase === 'lost' ? 'farmd does not answer' : 'Asking farmd for its servers'}</b>
        {phase === 'lost' && <span className="dim">Start it with ./farmd; this page goes on by itself.</span>}
      </div>
    );
  }
  if (servers === 0) {
    return (
      <div className="empty">
        <b>The farm has no servers</b>
        <span className="dim">
          <code>farmd scale 50</code> starts fifty.
        </span>
      </div>
    );
  }
  return (
    <div className="empty">
      <b>No server is like that</b>
      <button type="button" onClick={() => go({ filter: '' })}>
        show all
      </button>
    </div>
  );
}

/** Holds the order while the pointer is being used over the farm; one that only lies there holds nothing. */
function useHolding(): { hold: () => void; release: () => void } {
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const release = (): void => {
    clearTimeout(timer.current);
    useHold.setState({ isHeld: false });
  };
  const hold = (): void => {
    useHold.setState({ isHeld: true });
    clearTimeout(timer.current);
    timer.current = setTimeout(release, HOLD_MS);
  };
  return { hold, release };
}

export function FarmView() {
  const { hold, release } = useHolding();
  const { order, total } = useShown();
  const isLost = useConnection((connection) => connection.phase === 'lost');
  return (
    <main
      className="farm"
      aria-label="farm"
      data-stale={isLost}
      onPointerMove={(event) => event.pointerType !== 'touch' && hold()}
      onPointerLeave={release}
    >
      {order.length === 0 ? <Empty /> : total > CARDS_MAX ? <Tiles /> : <Cards />}
    </main>
  );
}
