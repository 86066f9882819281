// Text that others have written, made fit to be shown: no escape sequences, no control characters, not too long.

const SHOWN = 2000; // characters of a line

// Terminal sequences: CSI (colours, movements), OSC (titles, links) up to their end, and two-character escapes.
const ESCAPES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g;
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

export function plain(text: string): string {
  const cut = text.length > SHOWN ? text.slice(0, SHOWN) : text;
  const shown = cut.replace(ESCAPES, '').replace(CONTROLS, '�');
  return cut === text ? shown : `${shown}… (${(text.length - SHOWN).toLocaleString('en')} more characters)`;
}

export type Level = 'error' | 'warning' | 'info';

/** What a line seems to say of itself; programs write it in many ways. */
export function levelOf(text: string): Level {
  const head = text.slice(0, 300);
  if (/\b(error|fatal|panic|critical|exception|traceback|killed|emerg)\b/i.test(head)) return 'error';
  return /\bwarn(ing)?\b/i.test(head) ? 'warning' : 'info';
}
