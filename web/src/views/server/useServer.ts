// What farmd tells of one server beyond its row: asked for when the row's state or limits change.
import { useEffect, useState } from 'react';
import { api, ask, type Server } from '../../api/client';
import { useFarm } from '../../live/farm';
import { rowOf, textOf, type Table } from '../../live/table';

/** Changes when the details have to be asked for again; "" when the server isn't there. */
function versionOf(table: Table, id: number): string {
  const row = rowOf(table, id);
  if (row < 0) return '';
  const { since, restarts, next_restart, cpu_limit, memory_limit } = table.columns;
  const figures = [since, restarts, next_restart, cpu_limit, memory_limit].map((column) => column[row]);
  return [textOf(table, 'status', row), textOf(table, 'health', row), ...figures].join();
}

export interface Asked {
  server: Server | null;
  problem: string;
}

export function useServer(id: number): Asked {
  const version = useFarm((table) => versionOf(table, id));
  const [asked, setAsked] = useState<Asked>({ server: null, problem: '' });
  useEffect(() => {
    let isCurrent = true;
    ask(api.GET('/api/servers/{id}', { params: { path: { id } } })).then(
      (server) => isCurrent && setAsked({ server, problem: '' }),
      (problem: Error) => isCurrent && setAsked((before) => ({ ...before, problem: problem.message })),
    );
    return () => {
      isCurrent = false;
    };
  }, [id, version]);
  return asked;
}
