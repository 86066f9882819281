// farmd's API, typed by its own description.
import createClient from 'openapi-fetch';
import type { components, paths } from './schema';

export type Schemas = components['schemas'];
export type Server = Schemas['ServerDetail'];
export type Action = Schemas['Action'];
export type Result = Schemas['Result'];

export const api = createClient<paths>({ baseUrl: '/' });

/** The API's own sentence, or what can be said without it. */
export function detailOf(error: unknown): string {
  if (error && typeof error === 'object' && 'detail' in error) return String(error.detail);
  if (error instanceof TypeError) return 'farmd does not answer';
  return error instanceof Error ? error.message : String(error);
}

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The JSON of an answer (a path that can also answer with a stream has text besides); throws an Error with the API's
 * sentence. */
export async function ask<T>(asking: Promise<Answer<T>>): Promise<Exclude<T, string>> {
  let answer: Answer<T>;
  try {
    answer = await asking;
  } catch (problem) {
    throw new Error(detailOf(problem));
  }
  if (answer.data === undefined)
    throw new Error(answer.error ? detailOf(answer.error) : `HTTP ${answer.response.status}`);
  return answer.data as Exclude<T, string>;
}
