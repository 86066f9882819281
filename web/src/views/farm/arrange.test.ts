import { expect, it } from 'vitest';
import { farmOf } from '../../live/fixture';
import type { SortBy } from '../../state/preferences';
import { arrange, labelKeys, readFilter } from './arrange';

const table = farmOf([
  { id: 1, group: 'web', labels: 'zone=a', cpu: 50, memory: 300, rate: 9 },
  { id: 2, group: 'web', labels: 'zone=b,tier=1', cpu: 900, memory: 200, rate: 1 },
  { id: 3, group: 'db', labels: '', status: 'stopped', health: 'unknown', cpu: null, memory: null, rate: null },
  { id: 4, group: 'db', labels: 'zone=a', cpu: 10, memory: 400, rate: 5, health: 'unhealthy' },
  { id: 10, group: 'db', labels: 'zone=a', cpu: 10, memory: 100, rate: 5, throttled: 500 },
]);
const shown = (filter: string, sortBy: SortBy, groupBy = '') => arrange(table, { ...readFilter(filter), sortBy, groupBy }, 0);

it.each([
  ['id', [1, 2, 3, 4, 10]], ['trouble', [4, 10, 3, 1, 2]], ['cpu', [2, 1, 4, 10, 3]], ['memory', [4, 1, 2, 10, 3]], ['rate', [1, 4, 10, 2, 3]],
] as [SortBy, number[]][])('sorts by %s; what is not known comes last', (sortBy, ids) => expect(shown('', sortBy).order).toEqual(ids));

it('groups what the filter chose by group, state or label', () => {
  const groups = (groupBy: string) => shown('1-4', 'id', groupBy).groups.map(({ label, ids }) => `${label}: ${ids.join(' ')}`);
  expect(groups('group')).toEqual(['db: 3 4', 'web: 1 2']);
  expect(groups('state')).toEqual(['healthy: 1 2', 'stopped: 3', 'unhealthy: 4']);
  expect(groups('label:zone')).toEqual(['no zone: 3', 'zone=a: 1 4', 'zone=b: 2']);
  expect(shown('', 'id', 'group').order).toEqual([3, 4, 10, 1, 2]);
  expect(labelKeys(table)).toEqual(['tier', 'zone']);
});

it('shows all while a filter is not understood', () => {
  expect(readFilter('cup>1').problem).toContain('did you mean cpu?');
  expect(shown('cup>1', 'id').order).toHaveLength(5);
});
