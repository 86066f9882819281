// Every view of the page, and how each is looked at: nothing wider than the window, nothing that axe finds. The pictures are
// in build/web/.
import AxeBuilder from '@axe-core/playwright';
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { launch, openPage } from './browser.mjs';
import { endAll } from './end.mjs';
import { startFake } from './fake-farmd.mjs';
import { startFarmd } from './farmd.mjs';
import { until } from './until.mjs';

const PICTURES = fileURLToPath(new URL('../../../build/web/', import.meta.url));
const SIZES = { phone: { width: 360, height: 740 }, desk: { width: 1440, height: 900 } };

/** All 12 of them. */
const allCards = (page) => page.locator('.card').nth(11).waitFor();
const dialog = (page) => page.getByRole('dialog');

/** A question about all that are shown, from the bar. */
const asked = (button) => async (page) => {
  await page.getByRole('button', { name: /^select/ }).click();
  await page.getByRole('toolbar').getByRole('button', { name: button, exact: true }).click();
  await dialog(page).waitFor();
};
const tab = (name) => (page) => page.getByRole('tab', { name }).click();

/** Each view: where it is, and what to do there before it is looked at. */
const VIEWS = {
  farm: { path: '/', ready: allCards },
  selection: {
    path: '/',
    ready: async (page) => {
      await allCards(page);
      await page.getByRole('button', { name: 'select all' }).click();
    },
  },
  confirm: { path: '/', ready: asked('restart…') },
  rolling: { path: '/', ready: asked('rolling restart…') },
  limits: {
    path: '/',
    ready: async (page) => {
      await asked('limits…')(page);
      await page.locator('#limit-memory').fill('200M');
      await dialog(page).getByText(/^farmd set 1-12/).waitFor();
    },
  },
  commands: { path: '/', ready: asked('copy as…') },
  scale: {
    path: '/',
    ready: async (page) => {
      await allCards(page);
      await page.getByRole('button', { name: 'scale…' }).click();
      await dialog(page).waitFor();
    },
  },
  failure: {
    path: '/?filter=5-6',
    ready: async (page) => {
      await asked('pause…')(page);
      await dialog(page).getByRole('button', { name: 'pause 2 servers' }).click();
      await page.locator('.job-failures').waitFor();
    },
  },
  'bad-filter': { path: '/?filter=state:unhelthy', ready: (page) => page.getByText('did you mean').waitFor() },
  nothing: { path: '/?filter=cpu>1000', ready: (page) => page.getByText('No server is like that').waitFor() },
  server: { path: '/?server=7', ready: (page) => page.locator('.plot canvas').nth(3).waitFor() },
  log: {
    path: '/?server=7',
    ready: async (page) => {
      await tab('log')(page);
      await page.locator('.log-line').first().waitFor();
    },
  },
  events: {
    path: '/?server=7',
    ready: async (page) => {
      await tab(/^events/)(page);
      await page.getByRole('tabpanel').getByText(/server-7/).first().waitFor();
    },
  },
  settings: {
    path: '/?server=7',
    ready: async (page) => {
      await tab('settings')(page);
      await page.getByRole('row', { name: /memory limit/ }).waitFor();
    },
  },
  load: { path: '/?panel=load', ready: (page) => page.getByRole('button', { name: /^load all/ }).waitFor() },
  'load-test': {
    path: '/?panel=load',
    ready: async (page) => {
      await page.locator('#load-requests').fill('300');
      await page.locator('#load-thresholds').fill('p99<1us');
      await page.getByRole('button', { name: /^load all/ }).click();
      await page.getByText('✕ fails').waitFor();
    },
  },
  comparison: {
    path: '/?panel=load',
    ready: async (page) => {
      for (const i of [0, 1]) await page.getByRole('checkbox').nth(i).check();
      await page.getByRole('button', { name: 'compare two' }).click();
      await page.getByRole('region', { name: 'comparison' }).waitFor();
    },
  },
  simulate: {
    path: '/?panel=load',
    ready: async (page) => {
      await tab('simulate load')(page);
      await page.getByLabel('burn CPU for').fill('0');
      await page.getByLabel('and hold').fill('1');
      await page.getByRole('button', { name: /^burn/ }).click();
      await page.getByText(/of 12 did/).waitFor();
    },
  },
  broadcast: {
    path: '/?panel=load',
    ready: async (page) => {
      await tab('broadcast')(page);
      await page.getByRole('button', { name: /^send/ }).click();
      await page.getByText(/^\d+ answered, \d+ failed$/).waitFor();
    },
  },
  'health-check': {
    path: '/?panel=load',
    ready: async (page) => {
      await tab('health check')(page);
      await page.getByRole('button', { name: /^probe/ }).click();
      await page.getByText(/\d+ healthy, \d+ degraded, \d+ not/).waitFor();
    },
  },
  past: {
    path: '/',
    ready: async (page) => {
      await allCards(page);
      await page.getByRole('slider').press('PageUp');
      await page.getByText('as it was at').waitFor();
    },
  },
  help: { path: '/?panel=help', ready: (page) => dialog(page).waitFor() },
};

/** What farmd's stream answers, and what the page then says; the page's own requests are seen without a shared worker only. */
const TROUBLES = {
  lost: { route: (route) => route.abort(), says: /farmd does not answer/ },
  'sign-in': { route: (route) => route.fulfill({ status: 401, contentType: 'application/json', body: '{"detail":"no"}' }), says: 'asks for its token' },
};

/** Takes the picture; fails when the page is wider than its window. */
async function takePicture(page, name) {
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: `${PICTURES}${name}.png` });
  const wide = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(wide[0] <= wide[1], `the page is ${wide[0]} px wide in a window of ${wide[1]}`);
}

export async function lookAt(page, name) {
  await takePicture(page, name);
  // The page has no frames and no rule in force looks at style sheets or films: without all that it takes a quarter of the time.
  const { violations } = await new AxeBuilder({ page }).setLegacyMode().options({ resultTypes: ['violations'], preload: false }).analyze();
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 120)).join(' | ')}`), []);
}

/** 12 servers, of which some are in trouble. */
export async function startTroubled() {
  const farmd = await startFarmd({ servers: 12 });
  await until(async () => (await farmd.ask('GET', '/api/servers')).totals.running === 12, 'twelve that run');
  await farmd.ask('POST', '/api/servers/5/action', { action: 'stop' });
  await farmd.ask('POST', '/api/servers/6/action', { action: 'pause' });
  await farmd.ask('POST', '/api/servers/7/action', { action: 'kill' });
  for (const name of ['before', 'after']) await farmd.ask('POST', '/api/load-tests', { requests: 10, target_servers: '1-3', name });
  return farmd;
}

/** The tests that look at every view in one size and theme. */
export function lookAtAll(size, theme) {
  describe(`how it looks on a ${size}, ${theme}`, () => {
    const options = { ...SIZES[size], theme };
    let farmd;
    let fake;
    let browser;
    let opened;
    before(async () => {
      [farmd, fake, browser] = await Promise.all([startTroubled(), startFake({ servers: 500 }), launch()]);
      opened = await openPage(browser, farmd.url, options);
    });
    after(() => endAll(opened, browser, farmd, fake));

    for (const [view, { path, ready }] of Object.entries(VIEWS)) {
      test(view, async () => {
        await opened.page.goto(farmd.url + path);
        await ready(opened.page);
        await lookAt(opened.page, `${view}-${size}-${theme}`);
      });
    }

    test('tiles', async () => {
      const { page, close } = await openPage(browser, fake.url, options);
      await page.locator('.tiles-area').waitFor();
      await lookAt(page, `tiles-${size}-${theme}`);
      await page.getByLabel('colour').selectOption('cpu');
      await page.locator('.tiles-area').press('ArrowRight');
      await page.locator('.tile-detail').waitFor();
      await lookAt(page, `tiles-by-cpu-${size}-${theme}`);
      await close();
    });

    for (const [trouble, { route, says }] of Object.entries(TROUBLES)) {
      test(trouble, async () => {
        const { page, close } = await openPage(browser, 'about:blank', { ...options, allowed: /ERR_FAILED|status of 401/ });
        await page.context().route('**/api/stream*', route);
        await page.addInitScript(() => delete globalThis.SharedWorker);
        await page.goto(farmd.url);
        await page.getByRole('alert').getByText(says).waitFor();
        await lookAt(page, `${trouble}-${size}-${theme}`);
        await close();
      });
    }
  });
}
