// A real farmd of the tests' own: free ports, directories of its own, ended by pid.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from './until.mjs';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const FARMD = resolve(ROOT, process.env.FARMD ?? 'farmd');
export const DIST = join(ROOT, 'web/dist');

function isFree(port) {
  return new Promise((done) => {
    const server = createServer();
    server.once('error', () => done(false));
    server.listen(port, '127.0.0.1', () => server.close(() => done(true)));
  });
}

/** The first of so many ports in a row that nobody uses, below those that the kernel gives to clients. */
async function freePorts(count) {
  for (;;) {
    const first = 20_000 + Math.floor(Math.random() * (12_000 - count));
    const free = await Promise.all(Array.from({ length: count }, (_, i) => isFree(first + i)));
    if (free.every(Boolean)) return first;
  }
}

export class Farmd {
  constructor(directory, first, args, env) {
    this.env = env;
    this.directory = directory;
    this.url = `http://127.0.0.1:${first}`; // the dashboard's port has the API too
    this.args = [
      '--dashboard-port', first, '--port', first + 1, '--base-port', first + 2, '--state-dir', join(directory, 'state'),
      '--web-dir', DIST, ...args,
    ].map(String);
  }

  /** Starts it, also again after kill(); resolves when it answers. */
  async start() {
    let said = '';
    this.process = spawn(FARMD, this.args, {
      cwd: this.directory,
      env: { ...process.env, XDG_RUNTIME_DIR: this.directory, ...this.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const out of [this.process.stdout, this.process.stderr]) out.on('data', (text) => (said += text));
    this.ended = new Promise((done) => this.process.once('exit', done));
    await until(async () => {
      if (this.process.exitCode !== null) throw new Error(`farmd has ended: ${said}`);
      return (await fetch(`${this.url}/api/servers`).catch(() => null))?.status;
    });
    return this;
  }

  async ask(method, path, body) {
    const answer = await fetch(this.url + path, {
      method,
      headers: { 'Content-Type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    return answer.json();
  }

  async kill() {
    this.process.kill('SIGKILL');
    await this.ended;
  }

  async close() {
    if (this.process.exitCode === null && this.process.signalCode === null) this.process.kill('SIGTERM');
    await this.ended;
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** `yaml`: a farm.yaml. */
export async function startFarmd({ servers = 12, args = [], yaml = null, env = {} } = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'farmd-web-'));
  if (yaml) writeFileSync(join(directory, 'farm.yaml'), yaml);
  const first = await freePorts(servers + 12);
  const farmd = new Farmd(directory, first, [...(yaml ? [] : ['--servers', servers]), ...args], env);
  return farmd.start().catch(async (failure) => {
    await farmd.close();
    throw failure;
  });
}
