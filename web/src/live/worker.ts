// The shared worker: one for all tabs of a browser.
import { Hub } from './hub';

const hub = new Hub();

addEventListener('connect', (event) => hub.attach((event as MessageEvent).ports[0]));
