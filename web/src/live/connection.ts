// The one connection to farmd's stream: opens it, follows it, and opens it again when it ends. Where farmd has no stream
// it asks for the list of servers instead, as often. Runs in the shared worker, or in the page where there is none.
import type { Delta, Snapshot } from './protocol';
import { fromServerList } from './poll';
import { applyPatch, decodeDelta, fromSnapshot, type Patch } from './reduce';
import { readSse, type SseMessage } from './sse';
import type { Table } from './table';

export interface ConnectionState {
  phase: 'idle' | 'connecting' | 'live' | 'polling' | 'lost' | 'unauthorised';
  /** Why it is lost, in one sentence. */
  detail: string;
  /** ms since 1970: the next try; 0: none is planned. */
  retryAt: number;
}

export interface ConnectionListener {
  onTable(table: Table): void;
  onPatch(patch: Patch): void;
  onState(state: ConnectionState): void;
  /** Something was heard at this time, ms since 1970; what is shown is as of then. */
  onLife(at: number): void;
}

const FIRST_DELAY_MS = 500;
const LAST_DELAY_MS = 5000;
const SILENCE_MS = 12_000; // farmd sends a sign of life every 5 s

class Refused extends Error {
  constructor(readonly status: number, detail: string) {
    super(detail);
  }
}

async function refuse(response: Response): Promise<never> {
  const body: unknown = await response.json().catch(() => null);
  const detail = body && typeof body === 'object' && 'detail' in body ? String(body.detail) : `HTTP ${response.status}`;
  throw new Refused(response.status, detail);
}

export class Connection {
  table: Table | null = null;
  state: ConnectionState = { phase: 'idle', detail: '', retryAt: 0 };
  private intervalSeconds = 0;
  private abort: AbortController | null = null;
  private lastId = '';
  private delayMs = FIRST_DELAY_MS;
  private wake: (() => void) | null = null;
  private silence: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly listener: ConnectionListener) {}

  /** Seconds between ticks; 0 closes the connection. */
  setInterval(seconds: number): void {
    if (seconds === this.intervalSeconds) return;
    const wasIdle = this.intervalSeconds === 0;
    this.intervalSeconds = seconds;
    this.again();
    if (wasIdle) void this.run();
  }

  /** Tries at once, whatever it waits for. */
  again(): void {
    this.delayMs = FIRST_DELAY_MS;
    this.abort?.abort();
    this.wake?.();
  }

  private setState(phase: ConnectionState['phase'], detail = '', retryAt = 0): void {
    this.state = { phase, detail, retryAt };
    this.listener.onState(this.state);
  }

  private async run(): Promise<void> {
    while (this.intervalSeconds > 0) {
      if (this.state.phase !== 'lost') this.setState('connecting');
      this.abort = new AbortController();
      const signal = this.abort.signal;
      try {
        await this.follow(signal);
        if (!signal.aborted) await this.pause('farmd closed the stream');
      } catch (problem) {
        if (!signal.aborted || this.timedOut(signal)) await this.fail(problem);
      }
      clearTimeout(this.silence);
    }
    this.setState('idle');
  }

  private timedOut(signal: AbortSignal): boolean {
    return signal.reason instanceof Error && signal.reason.name === 'TimeoutError';
  }

  private async fail(problem: unknown): Promise<void> {
    if (problem instanceof Refused && problem.status === 401) {
      this.setState('unauthorised', problem.message);
      await new Promise<void>((resolve) => (this.wake = resolve));
    } else if (problem instanceof Refused) {
      await this.pause(problem.message);
    } else if (problem instanceof SyntaxError || problem instanceof RangeError) {
      this.lastId = '';
      await this.pause(`farmd's answer isn't understood: ${problem.message}`);
    } else if (this.abort && this.timedOut(this.abort.signal)) {
      await this.pause('farmd is silent');
    } else {
      await this.pause('farmd does not answer');
    }
    this.wake = null;
  }

  private async pause(detail: string): Promise<void> {
    const delay = this.delayMs;
    this.delayMs = Math.min(delay * 2, LAST_DELAY_MS);
    this.setState('lost', detail, Date.now() + delay);
    await new Promise<void>((resolve) => {
      this.wake = resolve;
      setTimeout(resolve, delay);
    });
  }

  /** Ends the connection when nothing is heard for too long. */
  private heard = (): void => {
    const abort = this.abort;
    clearTimeout(this.silence);
    this.silence = setTimeout(
      () => abort?.abort(new DOMException('silent', 'TimeoutError')),
      Math.max(SILENCE_MS, this.intervalSeconds * 3000),
    );
    if (this.state.phase === 'live') this.listener.onLife(Date.now());
  };

  private async follow(signal: AbortSignal): Promise<void> {
    this.heard();
    const response = await fetch(`/api/stream?interval=${this.intervalSeconds}`, {
      headers: this.lastId ? { 'Last-Event-ID': this.lastId } : {},
      signal,
    });
    if (response.status === 404) return this.poll(signal);
    if (!response.ok) return refuse(response);
    await readSse(response, { onMessage: (message) => this.take(message), onLife: this.heard });
  }

  private take(message: SseMessage): void {
    if (message.event === 'snapshot') this.takeTable(fromSnapshot(JSON.parse(message.data) as Snapshot));
    else if (message.event === 'delta') this.takeDelta(JSON.parse(message.data) as Delta);
    else return;
    this.lastId = message.id;
    this.delayMs = FIRST_DELAY_MS;
    if (this.state.phase !== 'live') this.setState('live');
    this.listener.onLife(Date.now());
  }

  private takeTable(table: Table): void {
    this.table = table;
    this.listener.onTable(table);
  }

  private takeDelta(delta: Delta): void {
    if (!this.table) throw new RangeError('a delta before the snapshot');
    const patch = decodeDelta(delta);
    this.table = applyPatch(this.table, patch);
    this.listener.onPatch(patch);
  }

  private async poll(signal: AbortSignal): Promise<void> {
    for (;;) {
      this.heard();
      const response = await fetch('/api/servers', { signal });
      if (!response.ok) return refuse(response);
      const table = fromServerList(await response.json(), (this.table?.sequence ?? 0) + 1);
      signal.throwIfAborted();
      this.takeTable(table);
      this.delayMs = FIRST_DELAY_MS;
      if (this.state.phase !== 'polling') this.setState('polling');
      this.listener.onLife(Date.now());
      await new Promise<void>((resolve) => {
        setTimeout(resolve, this.intervalSeconds * 1000);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      signal.throwIfAborted();
    }
  }
}
