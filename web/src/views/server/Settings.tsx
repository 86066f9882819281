// The server's settings and limits as they are in force.
import type { Server } from '../../api/client';
import { duration, number } from '../../format/format';
import { plain } from '../../format/text';
import { openDialog } from '../../state/dialog';

function inForce(value: number | null, configured: number, unit: string, runs: boolean): string {
  if (value === null && !runs) return `${configured} ${unit}, once it runs`;
  if (value === null) return `not in force (${number(configured)} ${unit} wanted)`;
  const figure = unit === 'cores' ? String(value) : number(value);
  return value === configured ? `${figure} ${unit}` : `${figure} ${unit} (${configured} wanted)`;
}

function rowsOf(server: Server): [string, string][] {
  const { limits, limits_configured: wanted } = server;
  const runs = server.pid !== null;
  return [
    ['address', server.url],
    ...(server.node === null ? [] : [['node', server.node] as [string, string]]),
    ['pid', server.pid === null ? '–' : String(server.pid)],
    ['up', server.status === 'running' ? duration(server.uptime_seconds) : '–'],
    ['CPU limit', inForce(limits.cpu, wanted.cpu, 'cores', runs)],
    ['memory limit', inForce(limits.memory_mb, wanted.memory_mb, 'MB', runs)],
    ['CPU reserved', inForce(limits.cpu_reservation, wanted.cpu_reservation, 'cores', runs)],
    ['memory reserved', inForce(limits.memory_reservation_mb, wanted.memory_reservation_mb, 'MB', runs)],
    ['processes', inForce(limits.pids, wanted.pids, 'at most', runs)],
    ['group', server.group],
    ['labels', Object.entries(server.labels).map(([key, value]) => `${key}=${value}`).join(', ') || '–'],
    ['restart', `${server.restart}, profile ${server.restart_profile}`],
    ['requests in all', number(server.requests_total)],
  ];
}

export function Settings({ server }: { server: Server }) {
  return (
    <>
      <table>
        <tbody>
          {rowsOf(server).map(([name, value]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td className="n">{plain(value)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <button type="button" onClick={() => openDialog({ about: 'limits', ids: [server.id] })}>
        change limits…
      </button>
    </>
  );
}
