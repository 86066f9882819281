// Puts the chosen theme on the page, and follows the system's where that is the choice.
import { usePreferences } from './preferences';

export function watchTheme(): void {
  const light = matchMedia('(prefers-color-scheme: light)');
  const apply = (): void => {
    const { theme } = usePreferences.getState();
    document.documentElement.dataset.theme = theme === 'system' ? (light.matches ? 'light' : 'dark') : theme;
  };
  light.addEventListener('change', apply);
  usePreferences.subscribe(apply);
  apply();
}
