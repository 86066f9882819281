// How every view looks: nothing wider than the window, nothing that axe finds, in both themes, on a phone and a desk.
// The pictures are in build/web/.
import AxeBuilder from '@axe-core/playwright';
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { launch, openPage } from '../lib/browser.mjs';
import { startFake } from '../lib/fake-farmd.mjs';
import { startFarmd } from '../lib/farmd.mjs';

const PICTURES = fileURLToPath(new URL('../../../build/web/', import.meta.url));
const LOOKS = [['desk', 'dark'], ['desk', 'light'], ['phone', 'dark']];
const SIZES = { phone: { width: 360, height: 740 }, desk: { width: 1440, height: 900 } };

/** Each view: where it is, and what to do there before it is looked at. */
const VIEWS = {
  farm: { path: '/', ready: (page) => page.locator('.card').nth(11).waitFor() },
  selection: {
    path: '/',
    ready: async (page) => {
      await page.locator('.card').nth(11).waitFor();
      await page.getByRole('button', { name: 'select all' }).click();
    },
  },
  confirm: {
    path: '/',
    ready: async (page) => {
      await page.getByRole('button', { name: 'select all' }).click();
      await page.getByRole('toolbar').getByRole('button', { name: 'restart…', exact: true }).click();
      await page.getByRole('dialog').waitFor();
    },
  },
  'bad-filter': { path: '/?filter=state:unhelthy', ready: (page) => page.getByText('did you mean').waitFor() },
  nothing: { path: '/?filter=cpu>1000', ready: (page) => page.getByText('No server is like that').waitFor() },
  server: { path: '/?server=7', ready: (page) => page.locator('.plot canvas').nth(3).waitFor() },
  log: {
    path: '/?server=7',
    ready: async (page) => {
      await page.getByRole('tab', { name: 'log' }).click();
      await page.locator('.log-line').first().waitFor();
    },
  },
  settings: {
    path: '/?server=7',
    ready: async (page) => {
      await page.getByRole('tab', { name: 'settings' }).click();
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
  'health-check': {
    path: '/?panel=load',
    ready: async (page) => {
      await page.getByRole('tab', { name: 'health check' }).click();
      await page.getByRole('button', { name: /^probe/ }).click();
      await page.getByText(/\d+ healthy, \d+ degraded, \d+ not/).waitFor();
    },
  },
  past: {
    path: '/',
    ready: async (page) => {
      await page.locator('.card').nth(11).waitFor();
      await page.getByRole('slider').press('PageUp');
      await page.getByText('as it was at').waitFor();
    },
  },
  help: { path: '/?panel=help', ready: (page) => page.getByRole('dialog').waitFor() },
};

async function lookAt(page, name) {
  await page.screenshot({ path: `${PICTURES}${name}.png` });
  const wide = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(wide[0] <= wide[1], `the page is ${wide[0]} px wide in a window of ${wide[1]}`);
  const { violations } = await new AxeBuilder({ page }).analyze();
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 120)).join(' | ')}`), []);
}

describe('how it looks', () => {
  let farmd;
  let fake;
  let browser;
  before(async () => {
    mkdirSync(PICTURES, { recursive: true });
    [farmd, fake, browser] = await Promise.all([startFarmd({ servers: 12 }), startFake({ servers: 500 }), launch()]);
    await farmd.ask('POST', '/api/servers/5/action', { action: 'stop' });
    await farmd.ask('POST', '/api/servers/6/action', { action: 'pause' });
    await farmd.ask('POST', '/api/servers/7/action', { action: 'kill' });
  });
  after(async () => {
    await browser?.close();
    await farmd?.close();
    await fake?.close();
  });

  for (const [size, theme] of LOOKS) {
    describe(`${size}, ${theme}`, () => {
      let opened;
      before(async () => {
        opened = await openPage(browser, farmd.url, { ...SIZES[size], theme });
      });
      after(() => opened?.close());
      for (const [view, { path, ready }] of Object.entries(VIEWS)) {
        test(view, async () => {
          await opened.page.goto(farmd.url + path);
          await ready(opened.page);
          await lookAt(opened.page, `${view}-${size}-${theme}`);
        });
      }
      test('tiles', async () => {
        const { page, close } = await openPage(browser, fake.url, { ...SIZES[size], theme });
        await page.locator('.tiles-area').waitFor();
        await lookAt(page, `tiles-${size}-${theme}`);
        await close();
      });
    });
  }

  test('4K', async () => {
    const { page, close } = await openPage(browser, farmd.url, { width: 3840, height: 2160 });
    await page.locator('.card').nth(11).waitFor();
    await lookAt(page, 'farm-4k-dark');
    await close();
  });

  test('text at 200 %', async () => {
    const { page, close } = await openPage(browser, 'about:blank');
    // As a reader sets it in the browser; the page's rem and its media queries follow.
    await (await page.context().newCDPSession(page)).send('Page.setFontSizes', { fontSizes: { standard: 32, fixed: 26 } });
    await page.goto(farmd.url);
    await page.locator('.card').nth(11).waitFor();
    await lookAt(page, 'farm-200-percent');
    await page.goto(`${farmd.url}/?server=7`);
    await page.locator('.plot canvas').first().waitFor();
    await lookAt(page, 'server-200-percent');
    await close();
  });

  test('/docs: the API can be tried out, under the same policy', async () => {
    const { page, close } = await openPage(browser, `${farmd.url}/docs`);
    await page.getByText('/api/servers/{id}/action').waitFor();
    await page.locator('#operations-servers-listServers').getByRole('button').first().click();
    await page.getByRole('button', { name: 'Execute' }).click();
    await page.getByText('"total_servers": 12').first().waitFor();
    await page.screenshot({ path: `${PICTURES}docs.png` });
    await close();
  });
});
