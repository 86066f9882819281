import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Connection, type ConnectionState } from './connection';
import { TOTALS } from './fixture';

/** A stream of farmd's that the test writes, and with what it was asked for. */
interface Stream {
  lastId: string | null;
  interval: string | null;
  say(event: string, id: number, data: object): void;
  end(): void;
}

const SNAPSHOT = { epoch: 'e', sequence: 1, timestamp: '', farm: { ...TOTALS, servers: 1 }, strings: [], columns: { id: [1], cpu: [5] } };
const delta = (sequence: number, since: number, cpu: number) => ({ sequence, since, timestamp: '', columns: { cpu: [cpu] } });

let streams: Stream[];
let answer: (() => Response) | null;
let states: ConnectionState[];
let connection: Connection;
const settle = () => vi.advanceTimersByTimeAsync(0);
const phase = () => connection.state.phase;
const cpu = () => connection.table?.columns.cpu[0];

beforeEach(() => {
  vi.useFakeTimers();
  streams = [];
  states = [];
  answer = null;
  vi.stubGlobal('fetch', (path: string, { headers, signal }: { headers: Record<string, string>; signal: AbortSignal }) => {
    if (answer) return Promise.resolve(answer());
    let out: ReadableStreamDefaultController<Uint8Array>;
    const body = new ReadableStream<Uint8Array>({ start: (controller) => void (out = controller) });
    signal.addEventListener('abort', () => out.error(signal.reason));
    streams.push({
      lastId: headers['Last-Event-ID'] ?? null,
      interval: new URL(path, 'http://localhost').searchParams.get('interval'),
      say: (event, id, data) => out.enqueue(new TextEncoder().encode(`id: e-${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`)),
      end: () => out.close(),
    });
    return Promise.resolve(new Response(body));
  });
  connection = new Connection({ onTable: vi.fn(), onPatch: vi.fn(), onState: (state) => states.push(state), onLife: vi.fn() });
  connection.setInterval(1);
});

afterEach(() => {
  connection.setInterval(0);
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

async function live(): Promise<void> {
  await settle();
  streams[0].say('snapshot', 1, SNAPSHOT);
  streams[0].say('delta', 2, delta(2, 1, 7));
  await settle();
}

it('takes a snapshot, then deltas', async () => {
  expect(phase()).toBe('connecting');
  await live();
  expect([streams[0].interval, streams[0].lastId]).toEqual(['1', null]);
  expect([phase(), cpu()]).toEqual(['live', 7]);
});

it('goes on from the last id after a stream that has ended', async () => {
  await live();
  streams[0].end();
  await settle();
  expect(connection.state).toMatchObject({ phase: 'lost', detail: 'farmd closed the stream', retryAt: Date.now() + 500 });
  await vi.advanceTimersByTimeAsync(500);
  expect(streams[1].lastId).toBe('e-2');
  streams[1].say('delta', 3, delta(3, 2, 9));
  await settle();
  expect([phase(), cpu()]).toEqual(['live', 9]);
});

it('begins anew after a gap', async () => {
  await live();
  streams[0].say('delta', 9, delta(9, 8, 1));
  await settle();
  expect(phase()).toBe('lost');
  expect(cpu()).toBe(7);
  await vi.advanceTimersByTimeAsync(500);
  expect(streams[1].lastId).toBeNull();
});

it('waits longer each time, but not for ever, and not at all when asked to try', async () => {
  answer = () => new Response('{"detail":"Too many readers"}', { status: 503 });
  const waits = [];
  connection.again();
  for (let i = 0; i < 6; i++) {
    await settle();
    waits.push(connection.state.retryAt - Date.now());
    await vi.advanceTimersByTimeAsync(waits[i]);
  }
  expect(waits).toEqual([500, 1000, 2000, 4000, 5000, 5000]);
  expect(connection.state.detail).toBe('Too many readers');
  answer = null;
  connection.again();
  await settle();
  expect(streams.length).toBeGreaterThan(1);
});

it('gives up a stream that is silent', async () => {
  await live();
  await vi.advanceTimersByTimeAsync(11_900);
  expect(phase()).toBe('live');
  await vi.advanceTimersByTimeAsync(200);
  expect(connection.state).toMatchObject({ phase: 'lost', detail: 'farmd is silent' });
});

it('forgets what it knew when it is not allowed to look, until it is told to try', async () => {
  await live();
  answer = () => new Response('{"detail":"A token is needed"}', { status: 401 });
  streams[0].end();
  await vi.advanceTimersByTimeAsync(600);
  expect([phase(), connection.table]).toEqual(['unauthorised', null]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(streams).toHaveLength(1);
  answer = null;
  connection.again();
  await settle();
  expect(streams[1].lastId).toBeNull();
});

it('hears nothing while nobody wants anything', async () => {
  await live();
  connection.setInterval(0);
  await settle();
  expect(phase()).toBe('idle');
  await vi.advanceTimersByTimeAsync(60_000);
  expect(streams).toHaveLength(1);
  connection.setInterval(5);
  await settle();
  expect([streams[1].interval, streams[1].lastId]).toEqual(['5', 'e-2']);
});
