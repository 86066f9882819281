// Shares one connection between the tabs of a browser. A tab that joins gets the whole table, all get each patch.
import { Connection, type ConnectionState } from './connection';
import type { Patch } from './reduce';
import type { Table } from './table';

/** What a tab says. */
export type ToHub =
  | { type: 'want'; intervalSeconds: number } // 0: nothing for now
  | { type: 'retry' }
  | { type: 'bye' };

/** What a tab hears. */
export type FromHub =
  | { type: 'table'; table: Table }
  | { type: 'patch'; patch: Patch }
  | { type: 'state'; state: ConnectionState }
  | { type: 'life'; at: number };

export class Hub {
  private readonly wants = new Map<MessagePort, number>();
  private readonly connection = new Connection({
    onTable: (table) => this.tell({ type: 'table', table }),
    onPatch: (patch) => this.tell({ type: 'patch', patch }),
    onState: (state) => this.tell({ type: 'state', state }),
    onLife: (at) => this.tell({ type: 'life', at }),
  });

  attach(port: MessagePort): void {
    this.wants.set(port, 0);
    port.onmessage = (event: MessageEvent<ToHub>) => this.hear(port, event.data);
  }

  private hear(port: MessagePort, message: ToHub): void {
    if (message.type === 'bye') this.wants.delete(port);
    else if (message.type === 'retry') this.connection.again();
    else this.want(port, message.intervalSeconds);
    this.connection.setInterval(this.shortest());
  }

  private want(port: MessagePort, intervalSeconds: number): void {
    const before = this.wants.get(port);
    this.wants.set(port, intervalSeconds);
    if (before || intervalSeconds === 0) return;
    const isLive = this.shortestBut(port) > 0;
    if (isLive && this.connection.table) post(port, { type: 'table', table: this.connection.table });
    post(port, { type: 'state', state: this.connection.state });
  }

  /** The interval of the tab that wants it shortest; 0: none wants anything. */
  private shortest(): number {
    const wanted = [...this.wants.values()].filter((seconds) => seconds > 0);
    return wanted.length ? Math.min(...wanted) : 0;
  }

  private shortestBut(port: MessagePort): number {
    return Math.max(0, ...[...this.wants].filter(([other]) => other !== port).map(([, seconds]) => seconds));
  }

  private tell(message: FromHub): void {
    for (const [port, seconds] of this.wants) {
      if (seconds > 0) post(port, message);
    }
  }
}

function post(port: MessagePort, message: FromHub): void {
  port.postMessage(message);
}
