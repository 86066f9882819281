// 5,000 servers from a generated stream.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch, openPage } from '../lib/browser.mjs';
import { endAll } from '../lib/end.mjs';
import { startFake } from '../lib/fake-farmd.mjs';
import { until } from '../lib/until.mjs';

describe('5,000 servers', () => {
  let fake;
  let browser;
  let opened;
  const page = () => opened.page;
  const area = () => page().locator('.tiles-area');
  const detail = () => page().locator('.tile-detail');

  before(async () => {
    fake = await startFake({ servers: 5000, tickMs: 500 });
    browser = await launch();
    opened = await openPage(browser, fake.url, { allowed: /status of 404|willReadFrequently/ });
    await area().waitFor();
  });
  after(() => endAll(opened, browser, fake));

  /** How many pixels of the canvas differ from its background. */
  const painted = () => page().locator('.tiles canvas').evaluate((canvas) => {
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let i = 0; i < data.length; i += 4) if (data[i] > 30 || data[i + 1] > 30) count++;
    return count / (data.length / 4);
  });

  test('totals of all kinds of trouble take no second line', async () => {
    const height = () => page().locator('.top').evaluate((top) => top.offsetHeight);
    const before = await height();
    await fake.tick({
      farm: {
        states: { running: 4700, starting: 30, backoff: 20, failed: 51, paused: 60, stopped: 139 }, restarting: 35,
        health: { healthy: 4500, degraded: 120, unhealthy: 80 }, cpu_used: 1312.4, memory_used_mb: 617_000, errors_per_second: 312,
      },
    });
    for (const label of ['degraded', 'unhealthy', 'starting', 'restarting', 'failed', 'paused', 'stopped', 'errors'])
      await page().locator('.kpi dt').getByText(label, { exact: true }).waitFor();
    assert.equal(await height(), before);
    await fake.tick({ farm: { states: { running: 4900, stopped: 100 }, health: { healthy: 4900 }, restarting: 0, errors_per_second: 0 } });
    await page().locator('.kpi dt').getByText('errors').waitFor({ state: 'detached' });
  });

  test('all of them are drawn', async () => {
    await until(async () => (await painted()) > 0.5, 'a canvas full of tiles');
    assert.match(await page().locator('.tools').innerText(), /5,000 of 5,000/);
  });

  test('the pointer tells what a card would', async () => {
    const box = await area().boundingBox();
    await page().mouse.move(box.x + 5, box.y + 5);
    await detail().getByText('OOMKilled').waitFor();
    await page().mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await detail().getByText(/\d+\/s · p99/).waitFor();
  });

  test('zoom by wheel and buttons, and back', async () => {
    const box = await area().boundingBox();
    const before = await painted();
    await page().mouse.move(box.x + 300, box.y + 200);
    await page().mouse.wheel(0, -2000);
    await until(async () => Math.abs((await painted()) - before) > 0.02, 'larger tiles');
    await page().getByRole('button', { name: 'all', exact: true }).click();
    await until(async () => Math.abs((await painted()) - before) < 0.02, 'all tiles');
  });

  test('keyboard and screen reader: a grid of the same', async () => {
    await page().getByLabel('sort').selectOption('id');
    await page().getByRole('button', { name: /^select/ }).focus();
    await page().keyboard.press('Tab');
    const active = () => area().evaluate((grid) => document.getElementById(grid.getAttribute('aria-activedescendant'))?.textContent ?? '');
    await until(async () => (await active()).startsWith('server-1,'), 'server-1 in focus');
    await page().keyboard.press('ArrowRight');
    await until(async () => (await active()).startsWith('server-2,'), 'server-2');
    assert.match(await active(), /server-2, healthy, CPU \d+(\.\d)?% of its limit/);
    await page().keyboard.press('End');
    await until(async () => (await active()).startsWith('server-5000,'), 'the last one');
    await page().keyboard.press('Home');
    await page().keyboard.press('Space');
    await page().getByText('server-1 selected').waitFor();
    await page().keyboard.press('Escape');
  });

  test('selects by drawing, and by filter', async () => {
    const box = await area().boundingBox();
    await page().mouse.move(box.x + 2, box.y + 2);
    await page().mouse.down();
    await page().mouse.move(box.x + 100, box.y + 60, { steps: 3 });
    await page().mouse.up();
    await page().getByText(/^\d+ servers selected/).waitFor();
    await page().getByLabel('filter').fill('state:degraded');
    await page().getByText('100 of 5,000').waitFor();
    await page().getByRole('button', { name: 'select these' }).click();
    await page().getByText('100 servers selected').waitFor();
    await page().getByLabel('filter').fill('');
    await page().getByRole('button', { name: 'clear' }).click();
  });

  test('colours by each figure, grouped', async () => {
    await page().getByLabel('group', { exact: true }).selectOption('group');
    for (const colour of ['cpu', 'memory', 'throttled', 'p99', 'restarts', 'state']) {
      await page().getByLabel('colour').selectOption(colour);
      await until(async () => (await painted()) > 0.3, `tiles by ${colour}`);
    }
  });
});
