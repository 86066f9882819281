// Numbers, sizes and times as people write them: "80", "200M", "5m".
const SIZES: Record<string, number> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };
const TIMES_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export function parseNumber(text: string): number | null {
  return /^\d+(\.\d+)?$/.test(text) ? Number(text) : null;
}

/** "200M" in bytes; null when it isn't a size. */
export function parseSize(text: string): number | null {
  const match = /^(\d+)(?:([kmgt])(?:i?b)?|b)?$/i.exec(text);
  return match ? Number(match[1]) * SIZES[(match[2] ?? '').toLowerCase()] : null;
}

/** "5m" in ms; null when it isn't a time with its unit. */
export function parseDuration(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  return match ? Number(match[1]) * TIMES_MS[match[2]] : null;
}
