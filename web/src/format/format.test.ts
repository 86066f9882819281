import { expect, it } from 'vitest';
import * as format from './format';

it.each([
  [format.number, 0, '0'], [format.number, 0.44, '0.4'], [format.number, 1234.4, '1,234'], [format.number, NaN, '–'],
  [format.short, 812, '812'], [format.short, 41_234, '41.2 k'], [format.short, 2_500_000, '2.5 M'],
  [format.percent, 998, '100%'], [format.percent, 120, '12%'], [format.percent, 5, '0.5%'], [format.percent, NaN, '–'],
  [format.megabytes, 1.31, '1.3 MB'], [format.megabytes, 12_800, '13 GB'],
  [format.latency, 210, '0.21 ms'], [format.latency, 1900, '1.9 ms'], [format.latency, 14_000, '14 ms'],
  [format.latency, 1_200_000, '1.2 s'], [format.latency, NaN, '–'],
  [format.duration, 0.41, '0.4 s'], [format.duration, 20.7, '20 s'], [format.duration, 192, '3m12s'],
  [format.duration, 7500, '2h05m'], [format.duration, 360_000, '4d04h'],
] as [(value: number) => string, number, string][])('%o of %d', (of, value, text) => expect(of(value)).toBe(text));

it('says how much of how much', () => {
  expect(format.megabytesOf(1229, 12_800)).toBe('1.2 of 12.5 GB');
  expect(format.megabytesOf(41, 256)).toBe('41 of 256 MB');
  expect(format.megabytesOf(41, null)).toBe('41 MB');
  expect(format.plural(1, 'server')).toBe('1 server');
  expect(format.plural(5000, 'server')).toBe('5,000 servers');
});
