// The way to the hub: in the shared worker, or in this page where a browser has none.
import { Hub } from './hub';

export function openPort(): MessagePort {
  if (typeof SharedWorker !== 'undefined') {
    return new SharedWorker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'farmd' }).port;
  }
  const channel = new MessageChannel();
  new Hub().attach(channel.port1);
  return channel.port2;
}
