// A load test as it is filled in, and the request that it becomes. Pure.
import { curl, type Commands } from '../../actions/commands';
import type { Request } from './api';

/** As in the fields; "" is left to farmd. */
export interface Plan {
  model: 'closed' | 'constant' | 'poisson' | 'stages';
  requests: string;
  connections: string;
  duration: string;
  rate: string;
  stages: string;
  path: string;
  method: string;
  thresholds: string;
  name: string;
}

export const FIRST_PLAN: Plan = {
  model: 'closed', requests: '1000', connections: '10', duration: '', rate: '1000', stages: '10s@500,20s@2000',
  path: '/', method: 'GET', thresholds: '', name: '',
};

const figure = (text: string): number | undefined => (text.trim() === '' ? undefined : Number(text));

/** `ids`: a selector; "" for all. */
export function requestOf(plan: Plan, ids: string): Request {
  const isOpen = plan.model === 'constant' || plan.model === 'poisson';
  const thresholds = plan.thresholds.split(',').map((text) => text.trim()).filter(Boolean);
  const request: Partial<Request> = {
    target_servers: ids || undefined,
    name: plan.name || undefined,
    model: plan.model === 'stages' ? undefined : plan.model,
    rate: isOpen ? figure(plan.rate) : undefined,
    stages: plan.model === 'stages' ? plan.stages : undefined,
    requests: plan.model === 'closed' ? figure(plan.requests) : undefined,
    duration: plan.model === 'stages' ? undefined : figure(plan.duration),
    connections: figure(plan.connections),
    path: plan.path === '/' ? undefined : plan.path,
    method: plan.method === 'GET' ? undefined : plan.method,
    thresholds: thresholds.length ? thresholds : undefined,
  };
  return Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined)) as Request;
}

function quote(text: string): string {
  return /^[\w@,./:-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

export function commandsOf(plan: Plan, ids: string): Commands {
  const request = requestOf(plan, ids);
  const flags: [string, unknown][] = [
    ['-n', request.requests], ['-c', request.connections], ['--rate', request.rate], ['--stages', request.stages],
    ['--method', request.method], ['-d', request.duration && `${request.duration}s`],
    ['--path', request.path],
    ...(request.thresholds ?? []).map((threshold): [string, unknown] => ['--threshold', threshold]),
  ];
  const said = flags.filter(([, value]) => value !== undefined).map(([flag, value]) => `${flag} ${quote(String(value))}`);
  if (plan.model === 'poisson') said.push('--poisson');
  return { farmd: ['farmd load', quote(ids || 'all'), ...said].join(' '), curl: curl('POST', '/api/load-tests', request) };
}
