// Keys that work wherever one is, but not while one writes or a dialog is open.
import { useEffect } from 'react';
import { useDialog } from '../../state/dialog';
import { go, usePlace } from '../../state/place';
import { usePreferences, type Theme } from '../../state/preferences';
import { useSelection } from '../../state/selection';
import { askAction } from '../actions/dialogs';

const NEXT_THEME: Record<Theme, Theme> = { dark: 'light', light: 'system', system: 'dark' };

function askSelection(action: 'stop' | 'restart'): void {
  const ids = [...useSelection.getState().ids];
  if (ids.length) askAction(action, ids);
}

const KEYS: Record<string, () => void> = {
  '/': () => document.getElementById('filter')?.focus(),
  '?': () => go({ panel: 'help' }),
  s: () => askSelection('stop'),
  r: () => askSelection('restart'),
  p: () => usePreferences.setState(({ paused }) => ({ paused: !paused })),
  t: () => usePreferences.setState(({ theme }) => ({ theme: NEXT_THEME[theme] })),
};

export function useKeys(): void {
  useEffect(() => {
    function onKeyDown(event: KeyboardEvent): void {
      const writes = (event.target as Element).closest('input:not([type=checkbox]), textarea, select');
      if (writes || event.ctrlKey || event.metaKey || event.altKey) return;
      if (useDialog.getState().question || usePlace.getState().panel) return;
      const act = KEYS[event.key];
      if (!act) return;
      event.preventDefault();
      act();
    }
    addEventListener('keydown', onKeyDown);
    return () => removeEventListener('keydown', onKeyDown);
  }, []);
}
