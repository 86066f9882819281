// The farm's view: what it shows, filters, arrangements, selections.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch, openPage } from '../lib/browser.mjs';
import { startFarmd } from '../lib/farmd.mjs';
import { until } from '../lib/until.mjs';

describe('the farm of 50', () => {
  let farmd;
  let browser;
  let opened;
  const page = () => opened.page;
  const shown = () => page().locator('.card').evaluateAll((cards) => cards.map((card) => Number(card.dataset.id)));
  const selected = () => page().locator('.card[aria-selected=true]').evaluateAll((cards) => cards.map((card) => Number(card.dataset.id)).sort((a, b) => a - b));

  before(async () => {
    farmd = await startFarmd({
      yaml: 'groups:\n  - {name: web, count: 48, labels: {zone: a}}\n  - {name: other, count: 2, labels: {zone: b}}\n',
      servers: 50,
    });
    browser = await launch();
    opened = await openPage(browser, farmd.url);
    await page().locator('.card').nth(49).waitFor();
  });
  after(async () => {
    await opened?.close();
    await browser?.close();
    await farmd?.stop();
  });

  test('fits 1440 × 900 without scrolling', async () => {
    const farm = await page().locator('.farm').evaluate((element) => [element.scrollHeight, element.clientHeight]);
    assert.ok(farm[0] <= farm[1], `${farm[0]} px of cards in ${farm[1]}`);
    const body = await page().evaluate(() => [document.documentElement.scrollHeight, innerHeight, document.documentElement.scrollWidth, innerWidth]);
    assert.ok(body[0] <= body[1] && body[2] <= body[3], `the page is larger than the window: ${body}`);
  });

  test('says what it is and that it is live', async () => {
    await page().getByText(/^.?live, \d/).waitFor();
    await page().locator('.kpi', { hasText: 'healthy' }).getByText('50').waitFor();
    assert.match(await page().locator('.tools').innerText(), /limits (by cgroup|not enforced)/);
  });

  test('curves go on, and begin before the page was opened', async () => {
    const points = () => page().locator('[data-id="1"] .sparkline path').evaluate((path) => path.getAttribute('d').match(/[ML]/g)?.length ?? 0);
    await until(async () => (await points()) > 3, 'a curve');
    const before = await points();
    await until(async () => (await points()) > before, 'another point');
  });

  test('filters by the selectors of the command line, and keeps the filter in the URL', async () => {
    await page().getByLabel('filter').fill('1-10,zone=a');
    await until(async () => (await shown()).length === 10, 'ten cards');
    assert.equal(new URL(page().url()).searchParams.get('filter'), '1-10,zone=a');
    await page().reload();
    await until(async () => (await shown()).length === 10, 'ten cards after a reload');
    await page().getByLabel('filter').fill('group:other');
    await until(async () => (await shown()).join() === '49,50', 'the other group');
  });

  test('says what is wrong with a filter', async () => {
    await page().getByLabel('filter').fill('state:unhelthy');
    await page().getByText('did you mean state:unhealthy?').waitFor();
    await page().getByLabel('filter').fill('cpu>1000');
    await page().getByText('No server is like that').waitFor();
    await page().getByRole('button', { name: 'show all' }).click();
    await until(async () => (await shown()).length === 50, 'all of them');
  });

  test('selects by click, Ctrl, Shift, drawing and keyboard', async () => {
    await page().locator('[data-id="3"]').click();
    assert.deepEqual(await selected(), [3]);
    await page().getByRole('complementary', { name: 'server 3' }).waitFor();
    await page().locator('[data-id="5"]').click({ modifiers: ['Control'] });
    assert.deepEqual(await selected(), [3, 5]);
    await page().locator('[data-id="8"]').click({ modifiers: ['Shift'] });
    assert.deepEqual(await selected(), [5, 6, 7, 8]);
    await page().keyboard.press('Escape');
    assert.deepEqual(await selected(), []);
    const from = await page().locator('[data-id="1"]').boundingBox();
    const to = await page().locator('[data-id="2"]').boundingBox();
    await page().mouse.move(from.x + 2, from.y + 2);
    await page().mouse.down();
    await page().mouse.move(to.x + 20, to.y + 20, { steps: 4 });
    await page().mouse.up();
    assert.deepEqual(await selected(), [1, 2]);
    await page().locator('[data-id="1"]').focus();
    await page().keyboard.press('ArrowRight');
    await page().keyboard.press('ArrowRight');
    await page().keyboard.press('Space');
    assert.deepEqual(await selected(), [1, 2, 3]);
    await page().keyboard.press('Control+a');
    assert.equal((await selected()).length, 50);
    await page().keyboard.press('Escape');
  });

  test('selects what a filter shows', async () => {
    await page().getByLabel('filter').fill('zone=b');
    await page().getByRole('button', { name: 'select these' }).click();
    await page().getByText('2 servers selected').waitFor();
    await page().getByRole('button', { name: 'clear' }).click();
    await page().getByLabel('filter').fill('');
  });

  test('groups by label and group, and puts trouble first', async () => {
    await page().getByLabel('group', { exact: true }).selectOption('label:zone');
    await page().getByRole('heading', { name: 'zone=b · 2' }).waitFor();
    await page().getByLabel('group', { exact: true }).selectOption('');
    await farmd.ask('POST', '/api/servers/31/action', { action: 'stop' });
    await page().mouse.move(5, 5);
    await until(async () => (await shown())[0] === 31, 'the stopped server in front');
    await page().locator('[data-id="31"]').getByText('stopped', { exact: true }).first().waitFor();
    await farmd.ask('POST', '/api/servers/31/action', { action: 'start' });
  });

  test('does not move a card under the pointer', async () => {
    await until(async () => (await shown())[0] === 1, 'the usual order');
    const box = await page().locator('[data-id="20"]').boundingBox();
    await page().mouse.move(box.x + 10, box.y + 10);
    await page().mouse.move(box.x + 12, box.y + 12);
    await farmd.ask('POST', '/api/servers/20/action', { action: 'stop' });
    await page().locator('[data-id="20"][data-kind=off]').waitFor();
    const now = await page().locator('[data-id="20"]').boundingBox();
    assert.deepEqual([now.x, now.y], [box.x, box.y]);
    await page().mouse.move(5, 5);
    await until(async () => (await shown())[0] === 20, 'it in front once the pointer has left');
    await farmd.ask('POST', '/api/servers/20/action', { action: 'start' });
  });

  test('the ? sheet and the keys', async () => {
    await page().locator('[data-id="1"]').focus();
    await page().keyboard.press('?');
    await page().getByRole('dialog', { name: 'Keys, filters and signs' }).waitFor();
    await page().keyboard.press('Escape');
    await page().getByRole('dialog').waitFor({ state: 'detached' });
    await page().keyboard.press('/');
    assert.equal(await page().evaluate(() => document.activeElement.id), 'filter');
    await page().locator('[data-id="1"]').focus();
    await page().keyboard.press('t');
    assert.equal(await page().evaluate(() => document.documentElement.dataset.theme), 'light');
  });
});
