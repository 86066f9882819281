// How old what is shown is, how often it is renewed, and how the page looks.
import { duration } from '../../format/format';
import { farm } from '../../live/farm';
import type { Kind } from '../../live/kind';
import { useConnection, type ConnectionStore } from '../../state/connection';
import { go } from '../../state/place';
import { intervalSeconds, usePreferences, useRenewal } from '../../state/preferences';
import { signOut, useSession } from '../../state/session';
import { useNow } from '../../ui/useNow';
import { Choices } from './Choices';

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

function Age() {
  const connection = useConnection();
  const paused = usePreferences((preferences) => preferences.paused);
  const interval = useRenewal();
  const [kind, text] = standing(connection, interval, paused, useNow(250));
  return (
    <span className="live-age" data-kind={kind} data-standing={text.split(',')[0]}>
      <i aria-hidden="true">{kind === 'ok' ? '●' : kind === 'paused' ? '‖' : kind === 'bad' ? '✕' : '◐'}</i>
      {text}
    </span>
  );
}

/** What this page knew goes with it, once the connection that all tabs share was begun anew and refused. */
async function leave(): Promise<void> {
  if (!(await signOut())) return;
  if (intervalSeconds(usePreferences.getState()) === 0) location.reload();
  useConnection.subscribe(({ phase }) => phase === 'unauthorised' && location.reload());
  farm.retry();
}

/** For who has shown the token here; another farm at this address may have none. */
function SignOut() {
  const isSignedIn = useSession((session) => session.isSignedIn);
  const phase = useConnection((connection) => connection.phase);
  if (!isSignedIn || phase === 'unauthorised') return null;
  return (
    <button type="button" onClick={() => void leave()}>
      sign out
    </button>
  );
}

export function LiveStatus() {
  const paused = usePreferences((preferences) => preferences.paused);
  const interval = useRenewal();
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
      <Choices place="head" />
      <button type="button" aria-label="help and keys" onClick={() => go({ panel: 'help' })}>
        ?
      </button>
      <SignOut />
    </div>
  );
}
