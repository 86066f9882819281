// Where in the page the user is, kept in the URL: the filter, the server that is open, the panel that is open.
import { create } from 'zustand';

export type Panel = '' | 'load' | 'help';

export interface Place {
  filter: string;
  /** The id of the server that is open; 0: none. */
  server: number;
  panel: Panel;
}

function read(): Place {
  const query = new URLSearchParams(location.search);
  const panel = query.get('panel');
  return {
    filter: query.get('filter') ?? '',
    server: Number(query.get('server')) || 0,
    panel: panel === 'load' || panel === 'help' ? panel : '',
  };
}

function write({ filter, server, panel }: Place): string {
  const query = new URLSearchParams();
  if (filter) query.set('filter', filter);
  if (server) query.set('server', String(server));
  if (panel) query.set('panel', panel);
  const text = query.toString();
  return text ? `?${text}` : location.pathname;
}

export const usePlace = create<Place>(read);

/** A filter is typed letter by letter and replaces its entry of the history; what opens makes a new one. */
export function go(to: Partial<Place>): void {
  const before = usePlace.getState();
  const after = { ...before, ...to };
  const opens = after.server !== before.server || after.panel !== before.panel;
  if (opens) history.pushState(null, '', write(after));
  else history.replaceState(null, '', write(after));
  usePlace.setState(after);
}

addEventListener('popstate', () => usePlace.setState(read()));
