// The language of selections, shared with the API and the command line: ids ("1-50", "7", "server-7", "all") add up,
// conditions ("state:unhealthy", "cpu>80", "zone=a") narrow them; alone they narrow all servers. Several words for one
// name are alternatives.
import { nameOf, rowOf, type Table } from '../live/table';
import { isCondition, parseCondition, SelectorError, type Condition } from './condition';
import { FIGURE_KINDS, HEALTHS, STATES } from './kinds';

export { SelectorError };

const TEXT_MAX = 4000;
const TERM_MAX = 255;
const CONDITIONS_MAX = 32;

export interface Selector {
  all: boolean;
  ranges: readonly { first: number; last: number }[];
  conditions: readonly Condition[];
}

const RANGE = /^(?:server-)?(\d+)(?:[ \t]*-[ \t]*(?:server-)?(\d+))?$/;

function notUnderstood(term: string): SelectorError {
  if (FIGURE_KINDS.some((kind) => kind.name === term))
    return new SelectorError(`"${term}" has nothing to compare with; write ${term}>80`);
  return new SelectorError(
    `"${term}" is not a server; write 7, server-7, 1-10,20 or all, or a condition such as state:unhealthy, cpu>80 or zone=a`,
  );
}

function parseRange(term: string): { first: number; last: number } {
  const match = RANGE.exec(term);
  if (!match) throw notUnderstood(term);
  const first = Number(match[1]);
  const last = match[2] === undefined ? first : Number(match[2]);
  if (last < first) throw new SelectorError(`"${term}" ends before it begins; write it as ${last}-${first}`);
  return { first, last };
}

/** Throws SelectorError. An empty text is everything. */
export function parseSelector(text: string): Selector {
  if (text.trim() === '') return { all: true, ranges: [], conditions: [] };
  if (text.length > TEXT_MAX) throw new SelectorError(`a selector has at most ${TEXT_MAX} characters`);
  const ranges = [];
  const conditions = [];
  let all = false;
  for (const part of text.split(',')) {
    const term = part.replace(/^[ \t]+|[ \t]+$/g, '');
    if (term.length > TERM_MAX) throw new SelectorError(`"${term.slice(0, 40)}…" is longer than ${TERM_MAX} characters`);
    if (term === 'all') all = true;
    else if (isCondition(term)) conditions.push(parseCondition(term));
    else ranges.push(parseRange(term));
  }
  if (conditions.length > CONDITIONS_MAX)
    throw new SelectorError(`more than ${CONDITIONS_MAX} conditions in one selector`);
  return { all: all || ranges.length === 0, ranges, conditions };
}

function isOfRanges(selector: Selector, id: number): boolean {
  return selector.all || selector.ranges.some((range) => id >= range.first && id <= range.last);
}

/** Conditions of one topic are asked together; each group of them must hold. */
function conditionsHold(selector: Selector, table: Table, row: number, now: number): boolean {
  return selector.conditions.every(
    (condition) =>
      condition.holds(table, row, now) ||
      (condition.topic !== null &&
        selector.conditions.some((other) => other.topic === condition.topic && other.holds(table, row, now))),
  );
}

/** The rows that are meant, ascending. `now`: seconds since 1970, for uptimes. */
export function chooseRows(selector: Selector, table: Table, now: number): number[] {
  const rows = [];
  for (let row = 0; row < table.count; row++) {
    if (isOfRanges(selector, table.columns.id[row]) && conditionsHold(selector, table, row, now)) rows.push(row);
  }
  return rows;
}

/** Ids named that the farm doesn't have: the first of each range. */
export function missingIds(selector: Selector, table: Table): number[] {
  return selector.ranges.flatMap(({ first, last }) =>
    [first, last].filter((id, i, both) => both.indexOf(id) === i && rowOf(table, id) < 0),
  );
}

/** Ids as people and the API write them, ascending: "1-10,20". */
export function formatIds(ids: Iterable<number>): string {
  const sorted = [...ids].sort((a, b) => a - b);
  const parts = [];
  for (let i = 0; i < sorted.length; ) {
    let j = i;
    while (j + 1 < sorted.length && sorted[j + 1] === sorted[j] + 1) j++;
    parts.push(i === j ? `${sorted[i]}` : `${sorted[i]}-${sorted[j]}`);
    i = j + 1;
  }
  return parts.join(',');
}

/** What completion offers. */
export const SELECTOR_WORDS: readonly string[] = [
  ...[...STATES, ...HEALTHS].map((word) => `state:${word}`),
  'group:',
  ...FIGURE_KINDS.map((kind) => `${kind.name}>`),
];

/** "server-7", or "3 servers". */
export function describeIds(table: Table | null, ids: readonly number[]): string {
  if (ids.length !== 1) return `${ids.length.toLocaleString('en')} servers`;
  const row = table ? rowOf(table, ids[0]) : -1;
  return table && row >= 0 ? nameOf(table, row) : `server-${ids[0]}`;
}
