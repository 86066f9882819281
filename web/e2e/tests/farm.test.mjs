// The farm's view: what it shows, filters, arrangements, selections.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch, openPage } from '../lib/browser.mjs';
import { endAll } from '../lib/end.mjs';
import { startFarmd } from '../lib/farmd.mjs';
import { generatedFarm } from '../lib/generated.mjs';
import { until } from '../lib/until.mjs';

const HOSTILE = '<img src=x onerror=alert(1)>';

describe('the farm of 50', () => {
  let farmd;
  let browser;
  let opened;
  const page = () => opened.page;
  const shown = () => page().locator('.card').evaluateAll((cards) => cards.map((card) => Number(card.dataset.id)));
  const selected = () => page().locator('.card[aria-selected=true]').evaluateAll((cards) => cards.map((card) => Number(card.dataset.id)).sort((a, b) => a - b));

  before(async () => {
    farmd = await startFarmd({
      yaml: 'groups:\n  - {name: web, count: 48, labels: {zone: a}}\n  - {name: other, count: 2, labels: {zone: b, note: "' + HOSTILE + '"}}\n',
      servers: 50,
    });
    browser = await launch();
    opened = await openPage(browser, farmd.url);
    await page().locator('.card').nth(49).waitFor();
  });
  after(() => endAll(opened, browser, farmd));

  test('a generated farm speaks as this one does', async () => {
    const response = await fetch(`${farmd.url}/api/stream`);
    let text = '';
    for await (const piece of response.body.pipeThrough(new TextDecoderStream())) if (/^data: .*\n/m.test(text += piece)) break;
    const told = JSON.parse(/^data: (.*)$/m.exec(text)[1]);
    const made = generatedFarm(50).snapshot(1);
    const names = (object) => Object.keys(object).sort();
    assert.deepEqual(names(made), names(told));
    assert.deepEqual(names(made.farm), names(told.farm));
    assert.deepEqual(names(made.columns), names(told.columns));
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
    const points = (of) => of.locator('[data-id="1"] .sparkline path').evaluate((path) => path.getAttribute('d').match(/[ML]/g)?.length ?? 0);
    await until(async () => (await points(page())) > 3, 'a curve');
    const before = await points(page());
    await until(async () => (await points(page())) > before, 'another point');
    // One that looks at the farm once only has no other points than those of before.
    const { page: still, close } = await openPage(browser, farmd.url, { interval: 0 });
    await still.getByText(/not renewed, \d/).waitFor();
    await until(async () => (await points(still)) > 3, 'a curve of what was before');
    await close();
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

  test('groups by label, group and state, and puts trouble first', async () => {
    const group = page().getByLabel('group', { exact: true });
    for (const [by, heading] of [['label:zone', 'zone=b · 2'], ['group', 'other · 2'], ['state', 'healthy · 50'], ['label:note', `note=${HOSTILE} · 2`]]) {
      await group.selectOption(by);
      await page().getByRole('heading', { name: heading, exact: true }).waitFor();
    }
    await group.selectOption('');
    await page().getByRole('heading', { name: /·/ }).first().waitFor({ state: 'detached' });
    await farmd.ask('POST', '/api/servers/31/action', { action: 'stop' });
    await page().mouse.move(5, 5);
    await until(async () => (await shown())[0] === 31, 'the stopped server in front');
    await page().locator('[data-id="31"]').getByText('stopped', { exact: true }).first().waitFor();
    await farmd.ask('POST', '/api/servers/31/action', { action: 'start' });
  });

  test('tells what a server uses of its limits, and what it answers', async () => {
    const { port, limits } = await farmd.ask('GET', '/api/servers/9');
    const card = page().locator('[data-id="9"]');
    const figure = (meter) => card.locator('.meter', { hasText: meter }).locator('em').innerText();
    assert.match(await figure('mem'), /^\d+(\.\d)? MB$/);
    const { id } = await farmd.ask('POST', '/api/load-tests', { target_servers: '9', rate: 40, duration: 60 });
    await until(async () => /^[1-9]\d*\/s/.test(await card.locator('.card-foot').innerText()), 'requests a second');
    await page().locator('.kpi', { hasText: 'requests' }).getByText(/[1-9]/).first().waitFor();
    await farmd.ask('DELETE', `/api/load-tests/${id}`);
    if (limits.cpu !== null) {
      await page().locator('.kpi', { hasText: 'CPU' }).getByText('of 25').waitFor();
      await page().locator('.kpi', { hasText: 'memory' }).getByText(/ of 12\.5 GB/).waitFor();
    }
    // So little that a busy machine gives it too; burning ends with the process.
    await farmd.ask('PATCH', '/api/servers', { ids: '9', cpu: 0.05 });
    fetch(`http://127.0.0.1:${port}/simulate-load?cpu_duration=600&memory_mb=120`, { method: 'POST' }).catch(() => null);
    await until(async () => parseInt(await figure('mem')) > 100, 'memory');
    if (limits.cpu !== null) {
      await until(async () => parseInt(await figure('CPU')) > 30, 'CPU');
      await page().locator('[data-id="9"][data-kind=warn]').getByText(/throttled \d+%/).first().waitFor();
      assert.ok(parseFloat(await card.locator('.meter', { hasText: 'CPU' }).locator('u').evaluate((part) => part.style.width)) > 0);
      await page().mouse.move(5, 5);
      await page().getByLabel('sort').selectOption('cpu');
      await until(async () => (await shown())[0] === 9, 'what uses most CPU in front');
      await page().getByLabel('sort').selectOption('trouble');
    }
    await farmd.ask('PATCH', '/api/servers', { ids: '9', cpu: 0.5 });
    await farmd.ask('POST', '/api/servers/9/action', { action: 'kill' });
    await card.getByTitle('1 restart').waitFor();
    await page().locator('[data-id="9"][data-kind=ok]').waitFor();
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
    const licences = await page().getByRole('link', { name: 'libraries of others' }).getAttribute('href');
    assert.match(await (await fetch(farmd.url + licences)).text(), /^react \d[^]*Permission is hereby granted/m);
    await page().keyboard.press('Escape');
    await page().getByRole('dialog').waitFor({ state: 'detached' });
    await page().keyboard.press('/');
    assert.equal(await page().evaluate(() => document.activeElement.id), 'filter');
    await page().locator('[data-id="1"]').focus();
    await page().keyboard.press('t');
    assert.equal(await page().evaluate(() => document.documentElement.dataset.theme), 'light');
    await page().keyboard.press('p');
    await page().getByText(/paused, \d/).waitFor();
    await page().keyboard.press('p');
    await page().getByText(/live, \d/).waitFor();
  });

  test('the focus is seen wherever Tab leads', async () => {
    await page().getByLabel('filter').focus();
    const seen = new Set();
    for (let i = 0; i < 25; i++) {
      const { what, width, isEnd } = await page().evaluate(() => {
        const isEnd = document.activeElement === document.body; // behind the last place
        const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
        return { what: document.activeElement.outerHTML.slice(0, 80), width: outlineStyle === 'none' ? 0 : parseFloat(outlineWidth), isEnd };
      });
      if (isEnd) break;
      assert.ok(width >= 1, `no outline around ${what}`);
      seen.add(what);
      await page().keyboard.press('Tab');
    }
    assert.ok(seen.size > 8, `Tab led to ${seen.size} places only`);
  });

  test('what has changed is said in one sentence, not more often than is bearable', async () => {
    const { page: other, close } = await openPage(browser, 'about:blank');
    await other.clock.install();
    await other.goto(farmd.url);
    const said = other.locator('.hidden[role=status]');
    await until(async () => (await other.clock.runFor(100), await said.innerText()) === '50 of 50 servers healthy', 'the first sentence');
    await farmd.ask('POST', '/api/servers/44/action', { action: 'stop' });
    await until(async () => (await other.clock.runFor(100), await other.locator('[data-id="44"][data-kind=off]').count()), 'the stopped server');
    assert.equal(await said.innerText(), '50 of 50 servers healthy');
    await other.clock.runFor(15_000);
    await other.getByText('49 of 50 servers healthy, 1 stopped').waitFor({ state: 'attached' });
    await farmd.ask('POST', '/api/servers/44/action', { action: 'start' });
    await close();
  });

  test('one group is scaled, the others are not touched', async () => {
    await page().getByRole('button', { name: 'scale…' }).click();
    await page().getByLabel('group', { exact: true }).and(page().locator('#scale-group')).selectOption('other');
    await page().locator('#scale-servers').fill('3');
    await page().getByRole('dialog').getByText("farmd scale 3 --group 'other'").waitFor();
    const asked = page().waitForRequest('**/api/scale');
    await page().getByRole('dialog').getByRole('button', { name: 'add 1 server' }).click();
    assert.deepEqual((await asked).postDataJSON(), { servers: 3, group: 'other' });
    await until(async () => (await shown()).length === 51, 'one more');
    const { servers } = await farmd.ask('GET', '/api/servers');
    assert.equal(servers.filter((server) => server.group === 'other').length, 3);
  });
});
