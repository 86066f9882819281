// Any action as a command to copy: for curl, and for farmd itself.
import { formatIds } from '../filter/selector';

export interface Commands {
  curl: string;
  farmd: string;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

export function curl(method: string, path: string, body?: unknown): string {
  const json = body === undefined ? '' : ` -H 'Content-Type: application/json' -d ${quote(JSON.stringify(body))}`;
  return `curl -X ${method} ${quote(location.origin + path)}${json}`;
}

export function actionCommands(action: string, ids: readonly number[]): Commands {
  const text = formatIds(ids);
  return { curl: curl('POST', '/api/servers/action', { ids: text, action }), farmd: `farmd ${action} ${text}` };
}

export function rollingCommands(ids: readonly number[], maxUnavailable: number): Commands {
  const text = formatIds(ids);
  return {
    curl: curl('POST', '/api/rolling-restart', { ids: text, max_unavailable: maxUnavailable }),
    farmd: `farmd rolling-restart ${text} --max-unavailable ${maxUnavailable}`,
  };
}

export function scaleCommands(servers: number, group: string): Commands {
  return {
    curl: curl('POST', '/api/scale', group ? { servers, group } : { servers }),
    farmd: `farmd scale ${servers}${group ? ` --group ${quote(group)}` : ''}`,
  };
}

export interface LimitChange {
  cpu?: number;
  memory?: string;
}

export function limitCommands(ids: readonly number[], change: LimitChange): Commands {
  const text = formatIds(ids);
  return {
    curl: curl('PATCH', '/api/servers', { ids: text, ...change }),
    farmd: `farmd set ${text}${change.cpu === undefined ? '' : ` --cpu ${change.cpu}`}${change.memory ? ` --memory ${quote(change.memory)}` : ''}`,
  };
}
