import { describe, expect, it } from 'vitest';
import { farmOf } from '../live/fixture';
import { chooseRows, formatIds, missingIds, parseSelector, SelectorError } from './selector';

const NOW = 1_000_000;
const table = farmOf(
  [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 21].map((id, i) => ({
    id,
    group: id > 10 ? 'plain' : id % 2 ? 'odd' : 'even',
    labels: id > 10 ? '' : id % 2 ? 'zone=a,tier=web' : 'zone=b',
    status: id === 2 ? 'backoff' : id === 3 ? 'failed' : id === 21 ? 'stopped' : 'running',
    health: id === 4 ? 'unhealthy' : id === 2 || id === 21 ? 'unknown' : 'healthy',
    cpu: id === 21 ? null : i * 100,
    memory: id === 21 ? null : i * 10,
    p99: id === 1 ? 12_500 : 0,
    restarts: i % 3,
    since: NOW - 100 * i,
  })),
);

function chosen(text: string): string {
  return chooseRows(parseSelector(text), table, NOW).map((row) => table.columns.id[row]).join(' ');
}

describe('selector', () => {
  it.each([
    ['', '1 2 3 4 5 6 7 8 9 10 20 21'],
    ['all', '1 2 3 4 5 6 7 8 9 10 20 21'],
    ['7', '7'],
    ['server-7', '7'],
    ['007', '7'],
    ['1-3,20', '1 2 3 20'],
    ['server-1-server-3', '1 2 3'],
    ['20, 3 - 5 ,4', '3 4 5 20'],
    ['state:backoff,state:failed', '2 3'],
    ['state=Unhealthy', '4'],
    ['health:unknown', '2 21'],
    ['1-4,state!=running', '2 3'],
    ['1-5,state:running,health:healthy', '1 5'],
    ['group:plain', '20 21'],
    ['group:web', ''],
    ['zone=a', '1 3 5 7 9'],
    ['zone=a,zone=b', '1 2 3 4 5 6 7 8 9 10'],
    ['zone=b,tier=web', ''],
    ['zone!=a,zone!=b', '20 21'],
    ['label:zone=a', '1 3 5 7 9'],
    ['label:cpu=a', ''],
    ['zone=', ''],
    ['cpu>80', '10 20'],
    ['cpu>=80%', '9 10 20'],
    ['cpu>10,cpu<40', '3 4'],
    ['cpu!=0,1-3', '2 3'],
    ['cpu!=0,21', ''],
    ['memory>8', '10 20'],
    ['memory>24M', '20'],
    ['restarts>1,1-6', '3 6'],
    ['port=8007', '7'],
    ['uptime>5m', '5 6 7 8 9 10 20'],
    ['p99>10', '1'],
    ['p99>10ms', '1'],
    ['p99>1s', ''],
    ['1-999999999', '1 2 3 4 5 6 7 8 9 10 20 21'],
  ])('%s chooses %s', (text, ids) => expect(chosen(text)).toBe(ids));

  it.each([
    ['frog', '"frog" is not a server'],
    ['1,', '"" is not a server'],
    ['10-1', 'write it as 1-10'],
    ['1 2', 'is not a server'],
    ['1-2-3', 'is not a server'],
    ['ALL', 'is not a server'],
    ['state:unhelthy', 'did you mean state:unhealthy?'],
    ['state:x', 'there are running, starting'],
    ['state:', 'the state is missing'],
    ['state>3', 'state is no number'],
    ['cpu:80', 'write cpu>80'],
    ['cpu>lots', '"lots" is not a number'],
    ['cpu>', 'is not a number'],
    ['cpu>-1', 'is not a number'],
    ['cpu>5m', 'is not a number'],
    ['cpu', 'nothing to compare with'],
    ['cup>80', 'did you mean cpu?'],
    ['colour>80', 'there is no "colour" to select by'],
    ['label:zone', 'is not a label'],
    ['label:cpu>5', 'is not a label'],
    ['a'.repeat(300), 'longer than'],
    [Array(33).fill('cpu>1').join(','), 'more than 32 conditions'],
    ['1'.repeat(4001), 'at most 4000 characters'],
  ].map(([text, message]) => [text.slice(0, 60), text, message]))('%s is refused', (_name, text, message) => {
    expect(() => parseSelector(text)).toThrow(SelectorError);
    expect(() => parseSelector(text)).toThrow(message);
  });

  it('tells the ids that the farm does not have', () => {
    expect(missingIds(parseSelector('1-11,7'), table)).toEqual([11]);
    expect(missingIds(parseSelector('1-10'), table)).toEqual([]);
  });

  it('writes ids as ranges', () => {
    expect(formatIds([3, 1, 2, 20])).toBe('1-3,20');
    expect(formatIds([])).toBe('');
  });
});
