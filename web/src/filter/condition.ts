// One condition of a selector: a state, a group, a label, or a figure compared with a number.
import type { Table } from '../live/table';
import { FIGURE_KINDS, labelKind, memoryBytes, WORD_KINDS, type FigureKind, type WordKind } from './kinds';
import { nearest } from './nearest';

type Operator = '!=' | '>=' | '<=' | '>' | '<' | '=';

export interface Condition {
  /** Conditions of one topic are alternatives; null: it stands alone. */
  topic: string | null;
  holds(table: Table, row: number, now: number): boolean;
}

/** Says what is not understood, and how it is written. */
export class SelectorError extends Error {}

const FORM = /^([\w./-]+)(!=|>=|<=|>|<|=|:)(.*)$/s;
const NAME_MAX = 63;

export function isCondition(term: string): boolean {
  return FORM.test(term);
}

const COMPARE: Record<Operator, (figure: number, number: number) => boolean> = {
  '=': (figure, number) => figure === number,
  '!=': (figure, number) => figure !== number && !Number.isNaN(figure),
  '>': (figure, number) => figure > number,
  '>=': (figure, number) => figure >= number,
  '<': (figure, number) => figure < number,
  '<=': (figure, number) => figure <= number,
};

function figureCondition(term: string, kind: FigureKind, sign: string, text: string): Condition {
  if (sign === ':')
    throw new SelectorError(`"${term}": ${kind.name} is compared with >, >=, <, <=, = or !=; write ${kind.name}>80`);
  const read = kind.read(text);
  if (!read) throw new SelectorError(`"${term}": "${text}" is not a number; write ${kind.example}`);
  const compare = COMPARE[sign as Operator];
  const figure = read.bytes ? memoryBytes : kind.figure;
  return { topic: null, holds: (table, row, now) => compare(figure(table, row, now), read.number) };
}

function wordOf(kind: WordKind, term: string, text: string): string {
  if (text === '' && kind.name !== 'label') throw new SelectorError(`"${term}": the ${kind.name} is missing`);
  if (!kind.words) return text;
  const word = text.toLowerCase();
  if (kind.words.includes(word)) return word;
  const meant = nearest(word, kind.words);
  throw new SelectorError(
    `"${text}" is no ${kind.name}; ${meant ? `did you mean ${kind.name}:${meant}?` : `there are ${kind.words.join(', ')}`}`,
  );
}

function wordCondition(term: string, kind: WordKind, topic: string, sign: string, text: string): Condition {
  if (sign !== ':' && sign !== '=' && sign !== '!=')
    throw new SelectorError(`"${term}": ${kind.name} is no number; write ${kind.name}:…`);
  const word = wordOf(kind, term, text);
  const wanted = sign !== '!=';
  return { topic: wanted ? topic : null, holds: (table, row) => kind.is(table, row, word) === wanted };
}

function unknownKind(term: string, name: string): SelectorError {
  const names = [...WORD_KINDS, ...FIGURE_KINDS].map((kind) => kind.name);
  const meant = nearest(name, names);
  return new SelectorError(
    `"${term}": there is no "${name}" to select by; ` +
      (meant ? `did you mean ${meant}?` : `there are ${names.join(', ')}, and labels with =`),
  );
}

export function parseCondition(term: string): Condition {
  const isLabel = term.startsWith('label:');
  const match = FORM.exec(isLabel ? term.slice('label:'.length) : term);
  const isEquality = match?.[2] === '=' || match?.[2] === '!=';
  if (!match || (isLabel && !isEquality)) throw new SelectorError(`"${term}" is not a label; write zone=a or zone!=a`);
  const [, name, sign, text] = match;
  if (name.length > NAME_MAX) throw new SelectorError(`the name is longer than ${NAME_MAX} characters`);
  const word = isLabel ? undefined : WORD_KINDS.find((kind) => kind.name === name);
  const figure = isLabel ? undefined : FIGURE_KINDS.find((kind) => kind.name === name);
  if (word) return wordCondition(term, word, word.name, sign, text);
  if (figure) return figureCondition(term, figure, sign, text);
  if (!isEquality) throw unknownKind(term, name);
  return wordCondition(term, labelKind(name), `label:${name}`, sign, text);
}
