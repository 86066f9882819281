// How often the page is renewed, and how it looks: in its head; on a phone, where there is no room, in the `?` sheet.
import { INTERVALS, usePreferences, useRenewal, type Theme } from '../../state/preferences';

function Renewal() {
  const interval = useRenewal();
  const offered = INTERVALS.includes(interval) ? INTERVALS : [interval, ...INTERVALS];
  return (
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
  );
}

function Themes() {
  const theme = usePreferences((preferences) => preferences.theme);
  return (
    <select
      aria-label="theme"
      value={theme}
      onChange={(event) => usePreferences.setState({ theme: event.target.value as Theme })}
    >
      <option value="dark">dark</option>
      <option value="light">light</option>
      <option value="system">system</option>
    </select>
  );
}

export function Choices({ place }: { place: 'head' | 'sheet' }) {
  return (
    <div className="choices" data-place={place}>
      {place === 'sheet' && <span aria-hidden="true">renew every</span>}
      <Renewal />
      {place === 'sheet' && <span aria-hidden="true">theme</span>}
      <Themes />
    </div>
  );
}
