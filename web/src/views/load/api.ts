// What the views of load and tests ask farmd for.
import { api, ask, type Schemas } from '../../api/client';
import { follow } from '../../api/follow';

export type Run = Schemas['LoadTestRun'];
export type Summary = Schemas['LoadTestSummary'];
export type Point = Schemas['LoadPoint'];
export type Target = Schemas['LoadTargetResult'];
export type Request = Schemas['LoadTestRequest'];
export type Comparison = Schemas['LoadComparison'];

export const begin = (body: Request): Promise<Run> => ask(api.POST('/api/load-tests', { body }));
export const cancel = (id: string): Promise<Run> => ask(api.DELETE('/api/load-tests/{id}', { params: { path: { id } } }));
export const compare = (a: string, b: string): Promise<Comparison> =>
  ask(api.GET('/api/load-tests/compare', { params: { query: { a, b } } }));
export const read = (id: string): Promise<Run> => ask(api.GET('/api/load-tests/{id}', { params: { path: { id } } }));

/** Each second of a test as it is over; resolves with the whole when the test is. */
export async function watch(id: string, onPoint: (point: Point) => void, signal: AbortSignal): Promise<Run> {
  await follow(`/api/load-tests/${encodeURIComponent(id)}?follow=true`, (message) => {
    if (message.event === 'progress') onPoint((JSON.parse(message.data) as { point: Point }).point);
  }, { signal });
  return read(id);
}
