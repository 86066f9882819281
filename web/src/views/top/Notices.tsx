// What a person has to know before all else: no connection, no right to look, no limits in force.
import { useState } from 'react';
import { duration } from '../../format/format';
import { farm, useFarm } from '../../live/farm';
import { useConnection } from '../../state/connection';
import { useNow } from '../../ui/useNow';

function Lost() {
  const { detail, retryAt, lifeAt } = useConnection();
  const now = useNow(250);
  return (
    <div className="notice" data-kind="bad" role="alert">
      <b>✕ {detail}</b>
      <span>
        {lifeAt ? 'What is shown is as it was then; it goes on by itself when farmd is back.' : 'Is it running? ./farmd starts it.'}
      </span>
      <span className="dim push" aria-hidden="true">
        next try {retryAt > now ? `in ${duration((retryAt - now) / 1000)}` : 'now'}
      </span>
      <button type="button" onClick={() => farm.retry()}>
        try now
      </button>
    </div>
  );
}

/** Trades the token once for a cookie that no script can read. */
function SignIn() {
  const [problem, setProblem] = useState('');
  async function signIn(token: string): Promise<void> {
    const answer = await fetch('/api/session', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ token }),
    }).catch(() => null);
    if (answer?.ok) farm.retry();
    else setProblem(answer?.status === 401 ? 'That is not the token.' : 'farmd did not take it.');
  }
  return (
    <div className="notice" data-kind="info" role="alert">
      <b>This farm asks for its token</b>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void signIn(String(new FormData(event.currentTarget).get('token')));
        }}
      >
        <input name="token" type="password" autoComplete="current-password" aria-label="token" required />
        <button type="submit" data-tone="main">
          sign in
        </button>
      </form>
      {problem && <span className="problem">{problem}</span>}
    </div>
  );
}

function Enforcement() {
  const warning = useFarm((table) => table.farm.enforcement_warning);
  return warning ? (
    <div className="notice" data-kind="warn">
      <b>◐ limits are not in force</b>
      <span>{warning}</span>
    </div>
  ) : null;
}

export function Notices() {
  const phase = useConnection((connection) => connection.phase);
  return (
    <div className="notices">
      {phase === 'lost' && <Lost />}
      {phase === 'unauthorised' && <SignIn />}
      <Enforcement />
    </div>
  );
}
