// What swagger-ui's markup lacks for keyboards and screen readers. Its parts are mended as they come onto the page.
type Attributes = Record<string, string | null>; // null: without it

const MENDS: Record<string, Attributes> = {
  '.information-container': { role: 'region', 'aria-label': 'about the API' },
  '.scheme-container': { role: 'region', 'aria-label': 'server and token' },
  '.servers select': { 'aria-label': 'server' },
  // Below the title, level 1, it goes on with 3.
  h3: { 'aria-level': '2' },
  h4: { 'aria-level': '3' },
  h5: { 'aria-level': '4' },
  '.opblock-summary-control a': { href: null }, // no link in a button, which changes the address too
  '.body-param textarea': { 'aria-label': 'request body' },
  '.microlight': { tabindex: '0' }, // scrolls
  '.modal-ux': { role: 'dialog', 'aria-label': 'authorize' },
  '.close-modal': { 'aria-label': 'close' },
  '.responses-table': { role: null }, // was a region without a name, and no table
};

function set(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null) element.removeAttribute(name);
    else element.setAttribute(name, value);
  }
}

/** From now on, whatever comes into `root`. */
export function mend(root: Element): void {
  const all = (): void => {
    for (const [selector, attributes] of Object.entries(MENDS)) root.querySelectorAll(selector).forEach((element) => set(element, attributes));
    for (const row of root.querySelectorAll<HTMLElement>('[data-param-name]:not(.body-param)')) {
      row.querySelectorAll('select, input').forEach((field) => set(field, { 'aria-label': row.dataset.paramName! }));
    }
  };
  new MutationObserver(all).observe(root, { childList: true, subtree: true });
}
