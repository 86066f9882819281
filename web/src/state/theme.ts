// Puts the chosen theme on the page, and follows the system's where that is the choice. What is drawn on a canvas reads its
// colours anew when `useScheme` changes, which is after they are on the page.
import { create } from 'zustand';
import { usePreferences } from './preferences';

/** The theme that is on the page. */
export const useScheme = create<{ scheme: 'dark' | 'light' }>(() => ({ scheme: 'dark' }));

export function watchTheme(): void {
  const light = matchMedia('(prefers-color-scheme: light)');
  const apply = (): void => {
    const { theme } = usePreferences.getState();
    const scheme = theme === 'system' ? (light.matches ? 'light' : 'dark') : theme;
    document.documentElement.dataset.theme = scheme;
    if (scheme !== useScheme.getState().scheme) useScheme.setState({ scheme });
  };
  light.addEventListener('change', apply);
  usePreferences.subscribe(apply);
  apply();
}
