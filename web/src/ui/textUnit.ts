const NORMAL_FONT = 16; // px

/** How much larger than usual the reader has set text: for what is drawn and not laid out. */
export function textUnit(): number {
  return parseFloat(getComputedStyle(document.documentElement).fontSize) / NORMAL_FONT;
}
