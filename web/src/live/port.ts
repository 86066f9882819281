// The way to the hub: in the shared worker, or in this page where a browser has none or cannot load it.
import { Hub } from './hub';

function ownHub(): MessagePort {
  const channel = new MessageChannel();
  new Hub().attach(channel.port1);
  return channel.port2;
}

/** `use` is called with the port; and with another one, which takes its place, when the worker fails to load. */
export function openPort(use: (port: MessagePort) => void): void {
  if (typeof SharedWorker === 'undefined') {
    use(ownHub());
    return;
  }
  const worker = new SharedWorker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'farmd' });
  worker.onerror = () => use(ownHub());
  use(worker.port);
}
