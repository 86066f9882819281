// `make pictures`: the pictures of docs/dashboard.md and the README, of a real farm with some trouble in it.
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { launch, openPage } from './lib/browser.mjs';
import { startFake } from './lib/fake-farmd.mjs';
import { startFarmd } from './lib/farmd.mjs';
import { until } from './lib/until.mjs';

const PICTURES = fileURLToPath(new URL('../../docs/pictures/', import.meta.url));
const YAML = `
groups:
  - {name: web, count: 30, labels: {zone: a}}
  - {name: backend, count: 20, labels: {zone: b}}
`;

mkdirSync(PICTURES, { recursive: true });
const farmd = await startFarmd({ yaml: YAML, servers: 50 });
const fake = await startFake({ servers: 5000 });
const browser = await launch();
const portOf = async (id) => (await farmd.ask('GET', `/api/servers/${id}`)).port;
const simulate = async (id, query) => fetch(`http://127.0.0.1:${await portOf(id)}/simulate-load?${query}`, { method: 'POST' }).catch(() => null);

async function take(name, url, act, options) {
  const { page, close } = await openPage(browser, url, options);
  await act(page);
  await page.screenshot({ path: `${PICTURES}${name}.png` });
  await close();
}

await farmd.ask('POST', '/api/servers/12/action', { action: 'stop' });
await farmd.ask('POST', '/api/servers/31/action', { action: 'pause' });
await farmd.ask('POST', '/api/load-tests', { target_servers: '1-10,15-30', rate: 3000, duration: 12, name: 'steady', thresholds: ['p99<500ms'] });
void simulate(6, 'cpu_duration=60&memory_mb=40');
for (let i = 0; i < 4; i++) {
  await until(async () => (await farmd.ask('GET', '/api/servers/7')).status === 'running', 'server-7');
  await simulate(7, 'memory_mb=400&cpu_duration=0');
}
await until(async () => (await farmd.ask('GET', '/api/servers/7')).status === 'backoff', 'a server that waits');

const inTrouble = (page) => page.locator('[data-id="6"][data-kind=warn]').waitFor();
await take('dashboard', `${farmd.url}/?server=7`, async (page) => {
  await inTrouble(page);
  await page.locator('.plot canvas').nth(3).waitFor();
  await page.waitForTimeout(3000);
});
await take('dashboard-light', farmd.url, async (page) => {
  await inTrouble(page);
  await page.locator('[data-id="6"]').click();
  await page.locator('[data-id="7"]').click({ modifiers: ['Control'] });
  await page.locator('.plot canvas').nth(3).waitFor();
  await page.waitForTimeout(2000);
}, { theme: 'light' });
await take('phone', farmd.url, inTrouble, { width: 360, height: 740 });
await until(async () => (await farmd.ask('GET', '/api/load-tests')).load_tests.every((run) => run.status !== 'running'), 'the end of the load test', 40_000);
await take('load-test', `${farmd.url}/?panel=load`, async (page) => {
  await page.getByRole('button', { name: /steady/ }).click();
  await page.getByText(/answered ·/).waitFor();
  await page.waitForTimeout(500);
});
await take('past', farmd.url, async (page) => {
  await page.locator('.card').nth(49).waitFor();
  await page.getByRole('slider').press('ArrowLeft');
  await page.getByText('as it was at').waitFor();
  await page.waitForTimeout(500);
});
await take('tiles', fake.url, async (page) => {
  await page.getByLabel('colour').selectOption('cpu');
  const box = await page.locator('.tiles-area').boundingBox();
  await page.mouse.move(box.x + 300, box.y + 30);
  await page.locator('.tile-detail').waitFor();
});
await browser.close();
await farmd.close();
await fake.close();
