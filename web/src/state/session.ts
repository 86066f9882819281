// Whether this browser has shown the farm's token. The cookie itself is out of scripts' reach.
import { create } from 'zustand';
import { persist } from 'zustand/middleware';

export const useSession = create<{ isSignedIn: boolean }>()(
  persist((): { isSignedIn: boolean } => ({ isSignedIn: false }), { name: 'farmd-session', version: 1 }),
);

/** Trades the token for a cookie. "", or what is wrong in one sentence. */
export async function signIn(token: string): Promise<string> {
  const answer = await fetch('/api/session', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ token }),
  }).catch(() => null);
  if (!answer?.ok) return answer?.status === 401 ? 'That is not the token.' : 'farmd did not take it.';
  useSession.setState({ isSignedIn: true });
  return '';
}

/** Ends the session, for all tabs of this browser. False: farmd did not answer, so it has not ended. */
export async function signOut(): Promise<boolean> {
  const answer = await fetch('/api/session', { method: 'DELETE' }).catch(() => null);
  if (!answer?.ok && answer?.status !== 401) return false;
  useSession.setState({ isSignedIn: false });
  return true;
}
