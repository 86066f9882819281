// What can be done to servers: one table for the bar, the cards, the drawer, the keyboard and the commands to copy.
import type { Action } from '../api/client';

export interface ActionSpec {
  action: Action;
  glyph: string;
  /** What it takes away, of one server and of many: it is asked first. null: nothing. */
  confirm: { one: string; many: string } | null;
}

export const ACTIONS: readonly ActionSpec[] = [
  { action: 'start', glyph: '▶', confirm: null },
  {
    action: 'stop',
    glyph: '■',
    confirm: { one: 'It stays stopped until someone starts it.', many: 'They stay stopped until someone starts them.' },
  },
  {
    action: 'restart',
    glyph: '↻',
    confirm: { one: 'Its connections end.', many: 'Their connections end, all at once. A rolling restart spares some.' },
  },
  {
    action: 'kill',
    glyph: '✕',
    confirm: {
      one: 'It ends at once, as in a crash; its restart policy then decides.',
      many: 'They end at once, as in a crash; their restart policy then decides.',
    },
  },
  {
    action: 'pause',
    glyph: '‖',
    confirm: {
      one: 'It keeps its connections and answers nothing until it is resumed.',
      many: 'They keep their connections and answer nothing until they are resumed.',
    },
  },
  { action: 'resume', glyph: '▷', confirm: null },
];

export function specOf(action: Action): ActionSpec {
  return ACTIONS.find((spec) => spec.action === action)!;
}
