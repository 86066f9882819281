// How old what is shown is, how often it is renewed, and how the page looks.
import { duration } from '../../format/format';
import { farm } from '../../live/farm';
import type { Kind } from '../../live/kind';
import { useConnection, type ConnectionStore } from '../../state/connection';
import { go } from '../../state/place';
import { INTERVALS, useFarmInterval, usePreferences, type Theme } from '../../state/preferences';
import { useNow } from '../../ui/useNow';

/** Above so many intervals without a sign of life what is shown is called stale. */
const STALE_INTERVALS = 3;

export function isStale(connection: ConnectionStore, interval: number, now: number): boolean {
  return connection.lifeAt > 0 && now - connection.lifeAt > STALE_INTERVALS * 1000 * Math.max(interval, 5 / STALE_INTERVALS);
}

/** Of the farm as it is; the timeline says when it is not what is shown. */
function standing(connection: ConnectionStore, interval: number, paused: boolean, now: number): [Kind, string] {
  const age = connection.lifeAt ? `${duration((now - connection.lifeAt) / 1000)} ago` : '';
  if (paused) return ['paused', `paused, ${age || 'nothing yet'}`];
  if (interval === 0) return ['off', `not renewed, ${age}`];
  if (connection.phase === 'lost') return ['bad', age ? `lost, ${age}` : 'not connected'];
  if (connection.phase === 'unauthorised') return ['bad', 'not signed in'];
  if (!connection.lifeAt) return ['info', 'connecting'];
  if (isStale(connection, interval, now)) return ['warn', `stale, ${age}`];
  return connection.phase === 'polling' ? ['ok', `polled, ${age}`] : ['ok', `live, ${age}`];
}

/** Seconds between two renewals; 0: off. */
function useInterval(): number {
  const chosen = usePreferences((preferences) => preferences.interval);
  const ofFarm = useFarmInterval((state) => state.seconds);
  return chosen ?? ofFarm;
}

function Age() {
  const connection = useConnection();
  const paused = usePreferences((preferences) => preferences.paused);
  const interval = useInterval();
  const [kind, text] = standing(connection, interval, paused, useNow(250));
  return (
    <span className="live-age" data-kind={kind} data-standing={text.split(',')[0]}>
      <i aria-hidden="true">{kind === 'ok' ? '●' : kind === 'paused' ? '‖' : kind === 'bad' ? '✕' : '◐'}</i>
      {text}
    </span>
  );
}

export function LiveStatus() {
  const { paused, theme } = usePreferences();
  const interval = useInterval();
  const offered = INTERVALS.includes(interval) ? INTERVALS : [interval, ...INTERVALS];
  const isHeld = paused || interval === 0;
  return (
    <div className="live push">
      <Age />
      {isHeld && (
        <button type="button" onClick={() => farm.refresh()}>
          refresh
        </button>
      )}
      <button type="button" aria-pressed={paused} onClick={() => usePreferences.setState({ paused: !paused })}>
        {paused ? 'resume' : 'pause'}
      </button>
      <select
        aria-label="renew every"
        value={interval}
        onChange={(event) => usePreferences.setState({ interval: Number(event.target.value) })}
      >
        {offered.map((seconds) => (
          <option key={seconds} value={seconds}>
            {seconds ? `${seconds} s` : 'off'}
          </option>
        ))}
      </select>
      <select
        aria-label="theme"
        value={theme}
        onChange={(event) => usePreferences.setState({ theme: event.target.value as Theme })}
      >
        <option value="dark">dark</option>
        <option value="light">light</option>
        <option value="system">system</option>
      </select>
      <button type="button" aria-label="help and keys" onClick={() => go({ panel: 'help' })}>
        ?
      </button>
    </div>
  );
}
