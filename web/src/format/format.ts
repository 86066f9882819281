// Figures as people read them: short, with their unit, of a steady width.

/** 0.4 → "0.4", 12.34 → "12", 1234 → "1,234"; "–" when it isn't known. */
export function number(value: number | null | undefined): string {
  if (value == null || Number.isNaN(value)) return '–';
  if (value > 0 && value < 10 && !Number.isInteger(value)) return value.toFixed(1);
  return Math.round(value).toLocaleString('en');
}

/** 41200 → "41.2 k". */
export function short(value: number | null | undefined): string {
  if (value == null || Number.isNaN(value)) return '–';
  if (value < 10_000) return number(value);
  return value < 1e6 ? `${(value / 1e3).toFixed(1)} k` : `${(value / 1e6).toFixed(1)} M`;
}

/** Per mille → "98%"; below one per cent with a decimal. */
export function percent(perMille: number): string {
  if (Number.isNaN(perMille)) return '–';
  return perMille > 0 && perMille < 10 ? `${(perMille / 10).toFixed(1)}%` : `${Math.round(perMille / 10)}%`;
}

/** MB → "1.3 MB", "12.5 GB". */
export function megabytes(mb: number | null | undefined): string {
  if (mb == null || Number.isNaN(mb)) return '–';
  return mb < 1024 ? `${number(mb)} MB` : `${number(mb / 1024)} GB`;
}

/** "3.1 of 25", "1.2 of 12.5 GB": two figures in the unit of the larger. */
export function megabytesOf(used: number, limit: number | null): string {
  if (limit == null || limit < 1024) return `${number(used)}${limit == null ? '' : ` of ${number(limit)}`} MB`;
  const gb = (mb: number): string => (mb < 102_400 ? (mb / 1024).toFixed(1).replace(/\.0$/, '') : number(mb / 1024));
  return `${gb(used)} of ${gb(limit)} GB`;
}

/** µs → "0.21 ms", "14 ms", "1.2 s". */
export function latency(us: number): string {
  if (Number.isNaN(us) || us === 0) return '–';
  if (us < 1000) return `${(us / 1000).toFixed(2)} ms`;
  if (us < 10_000) return `${(us / 1000).toFixed(1)} ms`;
  return us < 1e6 ? `${Math.round(us / 1000)} ms` : `${(us / 1e6).toFixed(1)} s`;
}

/** Seconds → "0.4 s", "20 s", "3m12s", "2h05m", "4d03h". */
export function duration(seconds: number): string {
  if (Number.isNaN(seconds)) return '–';
  if (seconds < 10) return `${Math.max(0, seconds).toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${two(seconds % 60)}s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h${two((seconds % 3600) / 60)}m`;
  return `${Math.floor(seconds / 86_400)}d${two((seconds % 86_400) / 3600)}h`;
}

/** ms since 1970 → "12:04:31" in the user's zone. */
export function clock(ms: number): string {
  return Number.isNaN(ms) ? '–' : new Date(ms).toLocaleTimeString('en-GB');
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`;
}
