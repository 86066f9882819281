// farmd killed and back, pauses, intervals, several tabs, a token, a farmd without a stream.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch, openPage } from '../lib/browser.mjs';
import { endAll } from '../lib/end.mjs';
import { startFake } from '../lib/fake-farmd.mjs';
import { startFarmd } from '../lib/farmd.mjs';
import { until } from '../lib/until.mjs';

const LOST = /ERR_(CONNECTION_REFUSED|INCOMPLETE_CHUNKED_ENCODING|CONNECTION_RESET|EMPTY_RESPONSE)/;

describe('the connection', () => {
  let farmd;
  let browser;
  before(async () => {
    farmd = await startFarmd({ servers: 3 });
    browser = await launch();
  });
  after(() => endAll(browser, farmd));

  test('farmd is killed and comes back: the page says so, and recovers by itself', async () => {
    const { page, close } = await openPage(browser, farmd.url, { allowed: LOST });
    await page.getByText(/live, \d/).waitFor();
    await farmd.kill();
    await page.getByRole('alert').getByText(/farmd (does not answer|closed the stream)/).waitFor();
    await page.getByText(/lost, \d/).waitFor();
    assert.equal(await page.locator('.card').count(), 3, 'what was known stays');
    assert.ok(Number(await page.locator('.cards').evaluate((cards) => getComputedStyle(cards).opacity)) < 1);
    await farmd.start();
    await page.getByText(/live, \d/).waitFor();
    assert.equal(await page.getByRole('alert').count(), 0);
    await close();
  });

  test('one connection for all tabs', async () => {
    const counting = await startFake({ api: farmd.url });
    try {
      const { page, close } = await openPage(browser, counting.url);
      await page.getByText(/live, \d/).waitFor();
      const other = await page.context().newPage();
      await other.goto(counting.url);
      await other.locator('.card').nth(2).waitFor();
      await other.getByText(/live, \d/).waitFor();
      assert.equal(counting.streams(), 1);
      await page.close();
      await farmd.ask('POST', '/api/servers/2/action', { action: 'stop' });
      await other.locator('[data-id="2"][data-kind=off]').waitFor();
      await farmd.ask('POST', '/api/servers/2/action', { action: 'start' });
      await close();
    } finally {
      await counting.close();
    }
  });

  test('a shared worker that cannot be loaded is done without', async () => {
    const lacking = await startFake({ api: farmd.url, missing: /worker/ });
    try {
      const { page, close } = await openPage(browser, lacking.url, { allowed: /status of 404/ });
      await page.getByText(/live, \d/).waitFor();
      await page.locator('.card').nth(2).waitFor();
      await close();
    } finally {
      await lacking.close();
    }
  });

  test('a pause holds what is shown, and off renews nothing', async () => {
    const { page, close } = await openPage(browser, farmd.url);
    await page.getByText(/live, \d/).waitFor();
    await page.getByRole('button', { name: 'pause' }).click();
    await page.getByText(/paused, \d/).waitFor();
    await farmd.ask('POST', '/api/servers/1/action', { action: 'stop' });
    const age = async () => Number((await page.locator('.live-age').innerText()).match(/paused, ([\d.]+) s/)?.[1]);
    await until(async () => (await age()) >= 2, 'an age that grows');
    assert.equal(await page.locator('[data-id="1"]').getAttribute('data-kind'), 'ok');
    await page.getByRole('button', { name: 'resume' }).click();
    await page.locator('[data-id="1"][data-kind=off]').waitFor();
    await page.getByLabel('renew every').selectOption('0');
    await page.getByText(/not renewed, \d/).waitFor();
    await farmd.ask('POST', '/api/servers/1/action', { action: 'start' });
    const kind = () => page.locator('[data-id="1"]').getAttribute('data-kind');
    assert.equal(await kind(), 'off');
    // The stream tells the farm as it was at its last tick.
    await until(async () => {
      await page.getByRole('button', { name: 'refresh' }).click();
      return (await kind()) === 'ok';
    }, 'the server that runs again');
    await page.reload();
    await page.locator('[data-id="1"]').waitFor();
    await page.getByText(/not renewed, \d/).waitFor();
    await close();
  });

  test('renews as often as the farm is set up to, until one chooses', async () => {
    const slow = await startFarmd({ servers: 2, env: { AUTO_REFRESH_INTERVAL: '3000' } });
    try {
      const { page, close } = await openPage(browser, slow.url, { interval: null });
      const every = page.getByLabel('renew every');
      await until(async () => (await every.inputValue()) === '3', 'the interval of the farm');
      await every.selectOption('1');
      await page.reload();
      await page.locator('.card').first().waitFor();
      assert.equal(await every.inputValue(), '1');
      await close();
    } finally {
      await slow.close();
    }
  });

  test('without a stream it asks for the list', async () => {
    const { page, close } = await openPage(browser, 'about:blank', { allowed: /status of 404/ });
    await page.context().route('**/api/stream*', (route) => route.fulfill({ status: 404, contentType: 'application/json', body: '{"detail":"No such path"}' }));
    await page.addInitScript(() => delete globalThis.SharedWorker);
    await page.goto(farmd.url);
    await page.getByText(/polled, \d/).waitFor();
    await farmd.ask('POST', '/api/servers/3/action', { action: 'stop' });
    await page.locator('[data-id="3"][data-kind=off]').waitFor();
    await page.getByText(/server-3 stopped/).waitFor();
    await farmd.ask('POST', '/api/servers/3/action', { action: 'start' });
    await close();
  });

  test('a farm with a token asks for it once, until one signs out', async () => {
    const guarded = await startFarmd({ servers: 2, args: ['--token', 'correct-horse-battery'] });
    try {
      const { page, close } = await openPage(browser, guarded.url, { allowed: /status of 40[13]/ });
      await page.getByRole('alert').getByText('asks for its token').waitFor();
      await page.getByLabel('token').fill('wrong-wrong-wrong');
      await page.getByRole('button', { name: 'sign in' }).click();
      await page.getByText('That is not the token.').waitFor();
      await page.getByLabel('token').fill('correct-horse-battery');
      await page.getByRole('button', { name: 'sign in' }).click();
      await page.locator('.card').nth(1).waitFor();
      assert.equal(await page.evaluate(() => document.cookie), '', 'no script reads the cookie');
      await page.reload();
      await page.locator('.card').nth(1).waitFor();
      const other = await page.context().newPage();
      await other.goto(guarded.url);
      await other.locator('.card').nth(1).waitFor();
      await page.getByRole('button', { name: 'sign out' }).click();
      for (const tab of [page, other]) await tab.getByRole('alert').getByText('asks for its token').waitFor();
      assert.equal(await page.locator('.card').count(), 0, 'nothing is shown to who has signed out');
      assert.equal(await page.evaluate(async () => (await fetch('/api/servers')).status), 401);
      await close();
    } finally {
      await guarded.close();
    }
  });
});
