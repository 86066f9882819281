// How large cards are: as large as they can be with all servers in the window, so that a wall of screens shows more of
// each and not an empty half. By all servers, not by those that a filter leaves, so that they keep their size meanwhile.
import { useEffect, type RefObject } from 'react';

/** In rem, as farm.css has them; the gap in px. */
const CARD = { width: 7.25, height: 4.75, heading: 1.75, gap: 6 };
/** Times the least size. */
const LARGEST = 2;
const STEP = 0.05;
/** Narrower pages are as long as they need to be, so that nothing is to be filled. */
const PAGE_SCROLLS = '(max-width: 62rem)';

interface Space {
  width: number;
  height: number;
  /** px */
  rem: number;
}

/** Pure. `groups`: how many headings stand between the cards. */
export function roomFor({ width, height, rem }: Space, servers: number, groups: number): number {
  const fits = (size: number): boolean => {
    const columns = Math.floor((width + CARD.gap) / (CARD.width * rem * size + CARD.gap));
    // Each group may leave the end of its last row empty.
    const rows = Math.ceil(servers / columns) + groups - 1;
    const headings = groups > 1 ? groups * CARD.heading * rem : 0;
    return columns > 0 && rows * (CARD.height * rem * size + CARD.gap) + headings <= height;
  };
  let size = LARGEST;
  while (size > 1 && !fits(size)) size -= STEP;
  return Math.max(1, size);
}

/** Sets --room of the cards' area, which lies in what scrolls. */
export function useRoom(area: RefObject<HTMLElement | null>, servers: number, groups: number): void {
  useEffect(() => {
    const element = area.current;
    const frame = element?.parentElement;
    if (!element || !frame) return undefined;
    const scrolls = matchMedia(PAGE_SCROLLS);
    const observer = new ResizeObserver(() => {
      const style = getComputedStyle(frame);
      const height = frame.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom);
      const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
      const room = scrolls.matches ? 1 : roomFor({ width: element.clientWidth, height, rem }, servers, groups);
      element.style.setProperty('--room', String(room));
    });
    observer.observe(frame);
    return () => observer.disconnect();
  }, [area, servers, groups]);
}
