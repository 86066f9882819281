// Answers that go on: a request whose results come as they become known, and logs or events as they are written.
import { readSse, type SseMessage } from '../live/sse';
import { detailOf } from './client';

/** Resolves when the answer ends; throws an Error with the API's sentence. */
export async function follow(
  path: string,
  onMessage: (message: SseMessage) => void,
  options: { body?: unknown; signal?: AbortSignal } = {},
): Promise<void> {
  let response: Response;
  try {
    response = await fetch(path, {
      method: options.body === undefined ? 'GET' : 'POST',
      headers: options.body === undefined ? {} : { 'Content-Type': 'application/json' },
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
      signal: options.signal,
    });
  } catch (problem) {
    throw new Error(detailOf(problem));
  }
  if (!response.ok) {
    const body: unknown = await response.json().catch(() => null);
    throw new Error(body ? detailOf(body) : `HTTP ${response.status}`);
  }
  await readSse(response, { onMessage });
}
