// `make bench-web`: what the page weighs, how soon it is useful, what a tick of 5,000 servers costs, and whether its memory grows. Times are wall
// time of the page's main thread, so a busy machine makes them longer. Exit code 1 when something is over its bound.
import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { launch, openPage } from './lib/browser.mjs';
import { startFake } from './lib/fake-farmd.mjs';
import { DIST, startFarmd } from './lib/farmd.mjs';
import { until } from './lib/until.mjs';

const SECONDS = Number(process.argv[2] ?? 30);
const MINUTES = Number(process.argv[3] ?? 1000); // simulated, for the memory
const MINUTES_BEFORE = 60; // by then all that is bounded is full
const MEMORY_SERVERS = 250; // the least that are drawn as tiles: fewer servers than elsewhere, so that it ends in minutes
const rows = [];
const row = (what, value, bound, unit) => rows.push({ what, value: +value.toFixed(1), bound, unit });

function firstLoad() {
  const html = readFileSync(`${DIST}/index.html`, 'utf8');
  const names = [...html.matchAll(/\/(assets\/[^"]+\.(?:js|css))"/g)].map((match) => match[1]);
  const worker = readdirSync(`${DIST}/assets`).filter((name) => name.startsWith('worker-')).map((name) => `assets/${name}`);
  const bytes = [...names, ...worker].reduce((sum, name) => sum + gzipSync(readFileSync(`${DIST}/${name}`), { level: 9 }).length, 0);
  row('JavaScript and CSS of the first load, gzipped', bytes / 1024, 150, 'KB');
}

async function firstPaint(browser) {
  const farmd = await startFarmd({ servers: 50 });
  const times = [];
  for (let i = 0; i < 5; i++) {
    const { page, close } = await openPage(browser, farmd.url);
    times.push(await page.evaluate(() => new Promise((done) => {
      const look = () => (document.querySelectorAll('.card').length === 50 ? requestAnimationFrame(() => done(performance.now())) : setTimeout(look, 1));
      look();
    })));
    await close();
  }
  await farmd.close();
  row('50 servers to be seen, after the address is entered, median', times.sort((a, b) => a - b)[2], 500, 'ms');
}

/** Tasks of the pages' main threads, in ms, from a trace. */
function tasksOf(trace) {
  const { traceEvents } = JSON.parse(trace);
  const place = (event) => `${event.pid}:${event.tid}`;
  const mains = new Set(traceEvents.filter((event) => event.name === 'thread_name' && event.args.name === 'CrRendererMain').map(place));
  return traceEvents
    .filter((event) => event.ph === 'X' && event.name.endsWith('RunTask') && mains.has(place(event)))
    .map((event) => ({ at: event.ts / 1000, ms: event.dur / 1000 }));
}

async function ticks(browser, colourBy) {
  const fake = await startFake({ servers: 5000 });
  const { page, close } = await openPage(browser, fake.url, { allowed: /status of 404/ });
  await page.evaluate((colour) => {
    const { state } = JSON.parse(localStorage.getItem('farmd'));
    localStorage.setItem('farmd', JSON.stringify({ state: { ...state, colourBy: colour }, version: 1 }));
  }, colourBy);
  await page.reload();
  await page.locator('.tiles canvas').waitFor();
  await page.waitForTimeout(2000);
  await browser.startTracing(page, { categories: ['toplevel', 'devtools.timeline'] });
  await page.waitForTimeout(SECONDS * 1000);
  const tasks = tasksOf((await browser.stopTracing()).toString()).sort((a, b) => b.ms - a.ms);
  // Of each second the two longest: the tick taken in, and the frame in which it is drawn.
  const seconds = Map.groupBy ? Map.groupBy(tasks, (task) => Math.floor(task.at / 1000)) : tasks.reduce((map, task) => {
    const key = Math.floor(task.at / 1000);
    return map.set(key, [...(map.get(key) ?? []), task]);
  }, new Map());
  const sums = [...seconds.values()].map((own) => own.slice(0, 2).reduce((sum, task) => sum + task.ms, 0)).sort((a, b) => a - b);
  row(`a tick of 5,000 servers applied and drawn, coloured by ${colourBy}, p95`, sums[Math.floor(sums.length * 0.95)], 16, 'ms');
  row(`longest task meanwhile, by ${colourBy}`, tasks[0].ms, 50, 'ms');
  await close();
  await fake.close();
}

/** The event of a simulated second, as of now, so that the line of the last hour always shows some; ten come with every tenth tick, so that those that are kept are all new after 50 min. */
const eventAt = (second) => ({
  id: second, at: new Date().toISOString(), server_id: 1 + (second % MEMORY_SERVERS), reason: 'Crashed',
  message: `server-${1 + (second % MEMORY_SERVERS)} ended with exit code 3 after ${second} s; next try in 1 s`, warning: true,
});

/** Bytes that the page holds on to, of scripts and of what is laid out. What isn't in use goes by and by: the least counts. */
async function heapOf(devtools) {
  let least = Infinity;
  for (let i = 0; i < 8; i++) {
    await devtools.send('HeapProfiler.collectGarbage');
    await new Promise((done) => setTimeout(done, 250));
    const { usedSize, embedderHeapUsedSize = 0 } = await devtools.send('Runtime.getHeapUsage');
    least = Math.min(least, usedSize + embedderHeapUsedSize);
  }
  return least;
}

/** A second of the farm for each tick, sent as fast as the page takes them in. The stream is followed in the page itself, not
 * in the shared worker, so that what it keeps is counted too. */
async function memory(browser) {
  const fake = await startFake({ servers: MEMORY_SERVERS, tickMs: 0 });
  const { page, close } = await openPage(browser, 'about:blank', { allowed: /status of 404/ });
  // A minute is over when the farm's name, which tells it, is to be seen. Each look from outside, as by a locator, would leave
  // something behind in the page, and be measured with it: so the page tells by itself.
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Runtime.enable');
  await devtools.send('Runtime.addBinding', { name: 'tellBench' });
  let seen = '';
  devtools.on('Runtime.bindingCalled', ({ payload }) => (seen = payload));
  await page.addInitScript(() => {
    delete globalThis.SharedWorker;
    let told = '';
    const look = () => {
      const name = document.querySelector('.brand small')?.textContent ?? '';
      if (name !== told) globalThis.tellBench((told = name));
    };
    new MutationObserver(look).observe(document, { subtree: true, childList: true, characterData: true });
  });
  await page.goto(fake.url);
  await page.locator('.tiles canvas').waitFor();
  const heaps = {};
  for (let minute = 1; minute <= MINUTES; minute++) {
    for (let second = (minute - 1) * 60 + 1; second <= minute * 60; second++) {
      const isLast = second === minute * 60;
      const events = second % 10 ? [] : Array.from({ length: 10 }, (_, i) => eventAt(second - 9 + i));
      await fake.tick({ events, ...(isLast && { farm: { name: `minute ${minute}` } }) });
    }
    await until(() => seen === `minute ${minute}`, `minute ${minute}`, 60_000);
    if (minute === MINUTES_BEFORE || minute === MINUTES) heaps[minute] = await heapOf(devtools);
  }
  const [before, after] = [heaps[MINUTES_BEFORE], heaps[MINUTES]];
  console.log(`memory of the page: ${(before / 1e6).toFixed(1)} MB after ${MINUTES_BEFORE} min, ${(after / 1e6).toFixed(1)} MB after ${MINUTES}`);
  row(`memory after ${MINUTES.toLocaleString('en')} minutes of ticks, of that after ${MINUTES_BEFORE}`, (after / before) * 100, 105, '%');
  await close();
  await fake.close();
}

firstLoad();
const browser = await launch();
await firstPaint(browser);
await ticks(browser, 'state');
await ticks(browser, 'cpu');
await memory(browser);
await browser.close();
for (const { what, value, bound, unit } of rows)
  console.log(`${value <= bound ? 'ok  ' : 'over'}  ${what.padEnd(74)} ${String(value).padStart(7)} ${unit}  (at most ${bound})`);
process.exitCode = rows.every(({ value, bound }) => value <= bound) ? 0 : 1;
