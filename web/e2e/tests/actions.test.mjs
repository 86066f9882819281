// Everything that can be done to servers, and what is said when it can't.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch, openPage } from '../lib/browser.mjs';
import { endAll } from '../lib/end.mjs';
import { startFarmd } from '../lib/farmd.mjs';
import { until } from '../lib/until.mjs';

describe('actions', () => {
  let farmd;
  let browser;
  let opened;
  const page = () => opened.page;
  const pidOf = async (id) => (await farmd.ask('GET', `/api/servers/${id}`)).pid;
  const statusOf = async (id) => (await farmd.ask('GET', `/api/servers/${id}`)).status;
  const bar = (name) => page().getByRole('toolbar', { name: 'actions on the selection' }).getByRole('button', { name, exact: true });

  async function choose(filter) {
    await page().getByLabel('filter').fill(filter);
    await page().getByRole('button', { name: /^select/ }).click();
  }

  /** Presses the button of the bar and, where it asks, that of the dialog. */
  async function act(name, confirmed) {
    await bar(name).click();
    if (confirmed) await page().getByRole('dialog').getByRole('button', { name: confirmed }).click();
  }

  before(async () => {
    farmd = await startFarmd({ servers: 8 });
    browser = await launch();
    opened = await openPage(browser, farmd.url, { allowed: /status of (400|409|422|503)/ });
    await page().locator('.card').nth(7).waitFor();
  });
  after(() => endAll(opened, browser, farmd));

  test('stop asks with the number, start does not', async () => {
    await choose('1-3');
    await bar('stop…').click();
    const dialog = page().getByRole('dialog', { name: 'stop 3 servers?' });
    await dialog.getByText('1-3', { exact: true }).waitFor();
    await dialog.getByRole('button', { name: 'cancel' }).click();
    assert.equal(await statusOf(1), 'running');
    await act('stop…', 'stop 3 servers');
    await page().getByText(/3 of 3 done in \d+ ms/).waitFor();
    assert.deepEqual(await Promise.all([1, 2, 3].map(statusOf)), ['stopped', 'stopped', 'stopped']);
    await act('start');
    await until(async () => (await statusOf(2)) === 'running');
  });

  test('restart, kill, pause and resume', async () => {
    await choose('4');
    const before = await pidOf(4);
    await act('restart…', 'restart server-4');
    await until(async () => ![before, null].includes(await pidOf(4)), 'another process');
    await until(async () => (await statusOf(4)) === 'running');
    await act('kill…', 'kill server-4');
    await until(async () => (await farmd.ask('GET', '/api/servers/4')).last_exit.reason === 'Killed', 'an end by the signal');
    await until(async () => (await statusOf(4)) === 'running');
    await act('pause…', 'pause server-4');
    await until(async () => (await statusOf(4)) === 'paused');
    await page().locator('[data-id="4"][data-kind=paused]').waitFor();
    await act('resume');
    await until(async () => (await statusOf(4)) === 'running');
  });

  test('a rolling restart, with how many may be away', async () => {
    const before = await Promise.all([5, 6, 7, 8].map(pidOf));
    await choose('5-8');
    await bar('rolling restart…').click();
    await page().getByLabel('at a time').fill('2');
    await page().getByText('--max-unavailable 2').waitFor();
    const asked = page().waitForRequest('**/api/rolling-restart*');
    await page().getByRole('dialog').getByRole('button', { name: 'restart 4 servers' }).click();
    assert.deepEqual((await asked).postDataJSON(), { ids: '5-8', max_unavailable: 2 });
    await page().getByText(/rolling restart 4 servers 4 of 4 done/).waitFor();
    const after = await Promise.all([5, 6, 7, 8].map(pidOf));
    assert.ok(after.every((pid, i) => pid && pid !== before[i]), `${before} became ${after}`);
  });

  test('how far it is, on each server that has not answered yet', async () => {
    let answer;
    const held = new Promise((done) => (answer = done));
    await page().route('**/api/servers/action*', (route) => held.then(() => route.continue()), { times: 1 });
    await choose('1-3');
    await act('restart…', 'restart 3 servers');
    const line = page().locator('.job', { hasText: 'restart 3 servers' });
    await line.getByText('0 of 3').waitFor();
    for (const id of [1, 2, 3]) await page().locator(`[data-id="${id}"] .card-title`).getByText('restart…').waitFor();
    assert.equal(await page().locator('.card-title').getByText('restart…').count(), 3);
    answer();
    await line.getByText(/3 of 3 done/).waitFor();
    await page().locator('.card-title').getByText('restart…').first().waitFor({ state: 'detached' });
  });

  test('scale up and down', async () => {
    await page().getByLabel('filter').fill('');
    await page().keyboard.press('Tab');
    if (await page().getByRole('button', { name: 'clear' }).isVisible()) await page().getByRole('button', { name: 'clear' }).click();
    for (const [servers, button] of [[10, 'add 2 servers'], [8, 'remove 2 servers']]) {
      await page().getByRole('button', { name: 'scale…' }).click();
      await page().locator('#scale-servers').fill(String(servers));
      await page().getByRole('dialog').getByRole('button', { name: button }).click();
      await until(async () => (await page().locator('.card').count()) === servers, `${servers} cards`);
    }
  });

  test('limits, changed live', async () => {
    const before = await pidOf(7);
    await choose('6,7');
    await bar('limits…').click();
    await page().getByRole('spinbutton', { name: 'CPU' }).fill('0.25');
    await page().getByLabel('memory', { exact: true }).fill('128M');
    await page().getByText("farmd set 6-7 --cpu 0.25 --memory '128M'").waitFor();
    await page().getByRole('button', { name: 'set for 2 servers' }).click();
    const limitsOf = async (id) => (await farmd.ask('GET', `/api/servers/${id}`)).limits_configured;
    await until(async () => (await limitsOf(7)).memory_mb === 128, 'the limit');
    assert.equal((await limitsOf(6)).cpu, 0.25);
    assert.equal(await pidOf(7), before, 'nothing restarts');
  });

  test("what is refused is said in the API's own words", async () => {
    await choose('6');
    await bar('limits…').click();
    await page().getByLabel('memory', { exact: true }).fill('1K');
    await page().getByRole('button', { name: 'set for server-6' }).click();
    const { results } = await farmd.ask('PATCH', '/api/servers', { ids: '6', memory: '1K' });
    await page().getByRole('log', { name: 'actions' }).getByText(results[0].message).waitFor();
    await page().getByRole('button', { name: 'dismiss: set limits of' }).last().click();
    // A server that is gone while the page doesn't look.
    await choose('8');
    await page().locator('.live').getByRole('button', { name: 'pause', exact: true }).click();
    await farmd.ask('POST', '/api/scale', { servers: 7 });
    await act('start');
    const { detail } = await farmd.ask('POST', '/api/servers/action', { ids: '8', action: 'start' });
    assert.match(detail, /no such server: 8/);
    await page().getByRole('log', { name: 'actions' }).getByText(detail).waitFor();
    await farmd.ask('POST', '/api/scale', { servers: 8 });
    await page().getByRole('button', { name: 'dismiss: start' }).click();
    await page().locator('.live').getByRole('button', { name: 'resume', exact: true }).click();
  });

  test('a partial failure says which and why', async () => {
    await farmd.ask('POST', '/api/servers/2/action', { action: 'stop' });
    await choose('1-3');
    await act('pause…', 'pause 3 servers');
    const line = page().locator('.job', { hasText: 'pause 3 servers' });
    await line.getByText('2 of 3 done').waitFor();
    assert.match(await line.innerText(), /server-2 .*\w/);
    await act('resume');
    await farmd.ask('POST', '/api/servers/2/action', { action: 'start' });
  });

  test('any action is copied as a command', async () => {
    await choose('1-3');
    await bar('copy as…').click();
    await page().getByLabel('action', { exact: true }).selectOption('kill');
    await page().getByRole('button', { name: 'copy as farmd' }).click();
    assert.equal(await page().evaluate(() => navigator.clipboard.readText()), 'farmd kill 1-3');
    await page().getByRole('button', { name: 'copy as curl' }).click();
    const curl = await page().evaluate(() => navigator.clipboard.readText());
    assert.ok(curl.startsWith(`curl -X POST '${farmd.url}/api/servers/action'`) && curl.includes('"action":"kill"'), curl);
    await page().getByRole('button', { name: 'close', exact: true }).click();
  });

  test('keys act on the selection, and a card on its server', async () => {
    await choose('8');
    await page().locator('[data-id="8"]').focus();
    await page().keyboard.press('r');
    await page().getByRole('dialog', { name: 'restart server-8?' }).waitFor();
    await page().keyboard.press('Escape');
    await page().getByRole('dialog').waitFor({ state: 'detached' });
    await page().keyboard.press('s');
    await page().getByRole('dialog', { name: 'stop server-8?' }).waitFor();
    await page().keyboard.press('Enter');
    await until(async () => (await statusOf(8)) === 'stopped');
    await page().locator('[data-id="8"][data-kind=off]').hover();
    await page().getByRole('button', { name: 'start server-8' }).click();
    await until(async () => (await statusOf(8)) === 'running');
  });
});
