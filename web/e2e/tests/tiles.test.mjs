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

  test('is moved by dragging with Alt, and zoomed by keys', async () => {
    const box = await area().boundingBox();
    const named = async (x, y) => {
      await page().mouse.move(box.x + x + 1, box.y + y);
      await page().mouse.move(box.x + x, box.y + y);
      return detail().locator('.card-title b').innerText();
    };
    await page().getByRole('button', { name: 'zoom in' }).click();
    await page().getByRole('button', { name: 'zoom in' }).click();
    const there = await named(300, 200);
    await page().keyboard.down('Alt');
    await page().mouse.down();
    await page().mouse.move(box.x + 240, box.y + 160, { steps: 3 });
    await page().mouse.up();
    await page().keyboard.up('Alt');
    assert.equal(await named(240, 160), there, 'what was dragged goes with the pointer');
    assert.notEqual(await named(300, 200), there);
    assert.equal(await page().getByText(/selected$/).count(), 0, 'dragging with Alt selects nothing');
    await area().focus();
    const far = await named(240, 160);
    await page().keyboard.press('0');
    assert.notEqual(await named(240, 160), far);
    const whole = await painted();
    await page().keyboard.press('+');
    await until(async () => Math.abs((await painted()) - whole) > 0.01, 'larger tiles');
    await page().keyboard.press('0');
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
    await page().mouse.move(5, 5);
    await detail().getByText('server-2', { exact: true }).waitFor();
    await page().keyboard.press('End');
    await until(async () => (await active()).startsWith('server-5000,'), 'the last one');
    await page().keyboard.press('Home');
    await page().keyboard.press('Space');
    await page().getByText('server-1 selected').waitFor();
    await page().keyboard.press('Escape');
  });

  test('a tile is opened by click and by Enter, as a card is', async () => {
    const box = await area().boundingBox();
    await page().mouse.click(box.x + box.width / 2, box.y + box.height / 2);
    await page().getByText(/^server-\d+ selected$/).waitFor();
    await page().locator('.side-head').getByText('healthy').waitFor();
    await page().keyboard.press('Escape');
    await page().getByRole('complementary', { name: 'what happened' }).waitFor();
    await page().getByText(/^nothing selected/).waitFor();
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
    const canvas = () => page().locator('.tiles canvas').evaluate((element) => element.toDataURL());
    const changed = async (what, act) => {
      const before = await canvas();
      await act();
      await until(async () => (await canvas()) !== before && (await painted()) > 0.3, what);
    };
    await page().getByLabel('renew every').selectOption('0'); // only what is chosen changes the picture
    await page().getByText(/not renewed/).waitFor();
    await changed('two groups', () => page().getByLabel('group', { exact: true }).selectOption('group'));
    const pictures = new Set([await canvas()]);
    for (const colour of ['cpu', 'memory', 'throttled', 'p99', 'restarts']) {
      await changed(`tiles by ${colour}`, () => page().getByLabel('colour').selectOption(colour));
      pictures.add(await canvas());
    }
    assert.equal(pictures.size, 6, 'each figure has its own picture');
    await changed('tiles by state', () => page().getByLabel('colour').selectOption('state'));
  });

  test('groups have their names above them', async () => {
    const text = () => page().locator('.tiles canvas').evaluate((element) => {
      const { data } = element.getContext('2d').getImageData(0, 0, 120, 18);
      let count = 0;
      for (let i = 0; i < data.length; i += 4) if (data[i] > 100) count++;
      return count;
    });
    assert.ok((await text()) > 20, 'backend · 2500');
  });
});
