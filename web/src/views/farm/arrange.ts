// Which servers are shown, in which order, under which headings. Pure.
import { chooseRows, parseSelector, SelectorError, type Selector } from '../../filter/selector';
import { KINDS, kindOf, stateWord } from '../../live/kind';
import { labelOf, textOf, type Table } from '../../live/table';
import type { SortBy } from '../../state/preferences';

export interface Arrangement {
  groups: readonly { label: string; ids: readonly number[] }[];
  /** All ids in the order in which they are shown. */
  order: readonly number[];
}

export interface Wish {
  selector: Selector;
  sortBy: SortBy;
  /** "", "group", "state", or "label:" and a label's name. */
  groupBy: string;
}

const RANK = new Map(KINDS.map((kind, rank) => [kind, rank]));

function sortKey(table: Table, sortBy: SortBy): ((row: number) => number) | null {
  if (sortBy === 'id') return null;
  if (sortBy === 'trouble') return (row) => RANK.get(kindOf(table, row))!;
  const column = table.columns[sortBy];
  return (row) => -(Number.isNaN(column[row]) ? -1 : column[row]);
}

function headingOf(table: Table, row: number, groupBy: string): string {
  if (groupBy === 'group') return textOf(table, 'group', row);
  if (groupBy === 'state') return stateWord(table, row);
  const key = groupBy.slice('label:'.length);
  const value = labelOf(table, row, key);
  return value === undefined ? `no ${key}` : `${key}=${value}`;
}

export function arrange(table: Table, wish: Wish, now: number): Arrangement {
  const rows = chooseRows(wish.selector, table, now);
  const key = sortKey(table, wish.sortBy);
  if (key) {
    const keys = new Float64Array(table.count);
    for (const row of rows) keys[row] = key(row);
    rows.sort((a, b) => keys[a] - keys[b] || a - b);
  }
  const idOf = (row: number): number => table.columns.id[row];
  if (!wish.groupBy) return { groups: [{ label: '', ids: rows.map(idOf) }], order: rows.map(idOf) };
  const groups = new Map<string, number[]>();
  for (const row of rows) {
    const heading = headingOf(table, row, wish.groupBy);
    const ids = groups.get(heading) ?? [];
    groups.set(heading, ids);
    ids.push(idOf(row));
  }
  const sorted = [...groups].sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }));
  return { groups: sorted.map(([label, ids]) => ({ label, ids })), order: sorted.flatMap(([, ids]) => ids) };
}

/** The labels by which the farm can be grouped. */
export function labelKeys(table: Table): string[] {
  const keys = new Set<string>();
  for (const text of new Set(table.columns.labels)) {
    for (const pair of (table.strings[text] ?? '').split(',')) if (pair.includes('=')) keys.add(pair.slice(0, pair.indexOf('=')));
  }
  return [...keys].sort();
}

/** What a filter's text means, or what is wrong with it. */
export function readFilter(text: string): { selector: Selector; problem: string } {
  try {
    return { selector: parseSelector(text), problem: '' };
  } catch (problem) {
    if (!(problem instanceof SelectorError)) throw problem;
    return { selector: parseSelector(''), problem: problem.message };
  }
}
