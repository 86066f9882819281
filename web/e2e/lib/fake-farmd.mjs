// Serves the built page as farmd does (same policy, same paths) with a generated stream: for sizes that a test machine
// cannot run, and for `npm run dev`-like work without a farm. With `api`, all but the stream comes from a real farmd.
import { createReadStream, existsSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generatedFarm } from './generated.mjs';

const DIST = fileURLToPath(new URL('../../dist/', import.meta.url));
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/** What a farm answers to which nothing has happened. */
const EMPTY = {
  '/api/events': { events: [], last_id: 0, lost: false },
  '/api/history': { servers: [] },
  '/api/load-tests': { load_tests: [], complete: true },
};
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

function serveFile(path, response) {
  const name = path === '/' ? 'index.html' : path === '/docs' ? 'docs.html' : path.slice(1);
  const file = join(DIST, name);
  if (!file.startsWith(DIST) || !existsSync(file)) return false;
  response.writeHead(200, { 'Content-Type': TYPES[extname(file)] ?? 'text/plain', 'Content-Security-Policy': POLICY });
  createReadStream(file).pipe(response);
  return true;
}

function serveStream(farm, tickMs, response) {
  let sequence = 1;
  const send = (event, data) => response.write(`id: generated-${sequence}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  send('snapshot', farm.snapshot(sequence));
  const timer = setInterval(() => send('delta', farm.tick(++sequence)), tickMs);
  response.on('close', () => clearInterval(timer));
}

function pass(api, incoming, response) {
  const url = new URL(incoming.url, api);
  const headers = { ...incoming.headers, host: url.host };
  delete headers.origin;
  const outgoing = request(url, { method: incoming.method, headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  outgoing.on('error', () => response.destroy());
  response.on('close', () => outgoing.destroy());
  incoming.pipe(outgoing);
}

/** Resolves to { url, close }. `servers` 0: no stream of its own. */
export function startFake({ servers = 0, tickMs = 1000, api = null, port = 0 }) {
  const farm = servers ? generatedFarm(servers) : null;
  const server = createServer((incoming, response) => {
    const { pathname } = new URL(incoming.url, 'http://localhost');
    if (farm && pathname === '/api/stream') serveStream(farm, tickMs, response);
    else if (serveFile(pathname, response)) return;
    else if (api) pass(api, incoming, response);
    else {
      const answer = EMPTY[pathname];
      response.writeHead(answer ? 200 : 404, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify(answer ?? { detail: 'No such path' }));
    }
  });
  return new Promise((resolve) => {
    server.listen(port, '127.0.0.1', () => {
      resolve({
        url: `http://127.0.0.1:${server.address().port}`,
        close: () => (server.closeAllConnections(), new Promise((done) => server.close(done))),
      });
    });
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [servers, port, api] = process.argv.slice(2);
  const { url } = await startFake({ servers: Number(servers ?? 50), port: Number(port ?? 0), api });
  console.log(url);
}
