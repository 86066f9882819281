// Does what was asked, and keeps its job up to date.
import { api, ask, type Action, type Result } from '../api/client';
import { follow } from '../api/follow';
import { formatIds } from '../filter/selector';
import { answerJob, beginJob, endJob } from '../state/jobs';
import type { LimitChange } from './commands';

/** The selector that the API reads, or the list where ranges would be too long for it. */
function idsFor(ids: readonly number[]): string | number[] {
  const text = formatIds(ids);
  return text.length <= 4000 ? text : [...ids];
}

async function followJob(title: string, ids: readonly number[], path: string, body: object): Promise<void> {
  const key = beginJob(title, ids);
  let problem = '';
  try {
    await follow(
      `${path}?follow=true`,
      (message) => {
        const data: unknown = JSON.parse(message.data);
        if (message.event === 'result') {
          const result = data as Result;
          answerJob(key, result.server_id, result.status, result.message);
        } else if (message.event === 'done') {
          problem = (data as { message?: string }).message ?? '';
        }
      },
      { body },
    );
  } catch (failure) {
    problem = (failure as Error).message;
  }
  endJob(key, problem);
}

export function runAction(action: Action, ids: readonly number[]): Promise<void> {
  return followJob(action, ids, '/api/servers/action', { ids: idsFor(ids), action });
}

export function runRolling(ids: readonly number[], maxUnavailable: number): Promise<void> {
  return followJob('rolling restart', ids, '/api/rolling-restart', { ids: idsFor(ids), max_unavailable: maxUnavailable });
}

async function askJob(title: string, ids: readonly number[], asking: () => Promise<{ results?: Result[] }>): Promise<void> {
  const key = beginJob(title, ids);
  try {
    const { results } = await asking();
    results?.forEach((result) => answerJob(key, result.server_id, result.status, result.message));
    endJob(key);
  } catch (failure) {
    endJob(key, (failure as Error).message);
  }
}

export function runScale(servers: number, group: string): Promise<void> {
  const body = group ? { servers, group } : { servers };
  return askJob(`scale ${group ? `${group} ` : ''}to ${servers}`, [], async () => {
    await ask(api.POST('/api/scale', { body }));
    return {};
  });
}

export function runLimits(ids: readonly number[], change: LimitChange): Promise<void> {
  return askJob('set limits of', ids, () => ask(api.PATCH('/api/servers', { body: { ids: idsFor(ids), ...change } })));
}
