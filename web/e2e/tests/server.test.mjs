// One server's view, with programs that say what they shouldn't.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch, openPage } from '../lib/browser.mjs';
import { endAll } from '../lib/end.mjs';
import { startFarmd } from '../lib/farmd.mjs';
import { until } from '../lib/until.mjs';

const HOSTILE = `printf '<img src=x onerror=alert(1)>\\n\\033[31mred\\033[0m text\\033]0;title\\007\\n\\377\\376 bytes\\nWARN low\\nERROR bad\\n'; head -c 1000000 /dev/zero | tr '\\0' y; echo; exec sleep 600`;
const YAML = `
groups:
  - {name: plain, count: 2}
  - {name: hostile, count: 1, command: [sh, -c, ${JSON.stringify(HOSTILE)}], labels: {note: "<img src=x onerror=alert(1)>"}}
  - {name: dying, count: 1, command: [sh, -c, "echo dying words; exit 3"]}
`;

describe('a server', () => {
  let farmd;
  let browser;
  let opened;
  const page = () => opened.page;
  const side = () => page().locator('.side');

  before(async () => {
    farmd = await startFarmd({ yaml: YAML, servers: 4 });
    browser = await launch();
    opened = await openPage(browser, `${farmd.url}/?server=1`, { allowed: /willReadFrequently/ });
  });
  after(() => endAll(opened, browser, farmd));
  const open = (id) => page().locator(`[data-id="${id}"]`).click();

  test('plots that go on', async () => {
    await until(async () => (await side().locator('.plot canvas').count()) === 4, 'four plots');
    const legend = side().locator('.plot').first().locator('.u-legend');
    const before = await legend.innerText();
    await until(async () => (await legend.innerText()) !== before, 'another second');
  });

  test('the limit and the restarts are drawn on them', async () => {
    await farmd.ask('POST', '/api/servers/2/action', { action: 'kill' });
    await open(2);
    const drawn = (token, top) => side().locator('.plot').nth(1).evaluate((plot, [name, isTop]) => {
      const canvas = plot.querySelector('canvas');
      const [red, green, blue] = getComputedStyle(document.documentElement).getPropertyValue(name).trim().match(/\w\w/g).map((hex) => parseInt(hex, 16));
      const { data } = canvas.getContext('2d', { willReadFrequently: true }).getImageData(0, 0, canvas.width, isTop ? 14 : canvas.height);
      let count = 0;
      for (let i = 0; i < data.length; i += 4) if (data[i] === red && data[i + 1] === green && data[i + 2] === blue) count++;
      return count;
    }, [token, top]);
    const { limits } = await farmd.ask('GET', '/api/servers/2');
    if (limits.memory_mb !== null) await until(async () => (await drawn('--bad', false)) > 50, 'a line at the limit of memory');
    await until(async () => (await drawn('--info', true)) > 5, 'the mark of a restart');
    await open(1);
    await until(async () => (await side().locator('.plot canvas').count()) === 4, 'four plots');
    assert.equal(await drawn('--info', true), 0, 'none where none was');
  });

  test('an hour back as well as ten minutes', async () => {
    const asked = page().waitForRequest(/servers\/1\/history\?.*resolution=10/);
    await page().getByLabel('how far back').selectOption('10');
    await asked;
    await side().getByText('Its figures come').or(side().locator('.plot canvas').nth(3)).waitFor();
    // With points ten seconds apart a young server has none yet.
    await until(async () => (await side().locator('.plot canvas').count()) === 4, 'four plots of an hour', 60_000);
    await page().getByLabel('how far back').selectOption('1');
    await until(async () => (await side().locator('.plot canvas').count()) === 4, 'four plots');
  });

  test('what can be done to it, from its own bar', async () => {
    const bar = page().getByRole('toolbar', { name: 'actions on server 1' });
    for (const action of ['restart', 'kill', 'pause', 'stop']) {
      await bar.getByRole('button', { name: `${action}…`, exact: true }).click();
      await page().getByRole('dialog', { name: `${action} server-1?` }).getByRole('button', { name: 'cancel' }).click();
    }
    await bar.getByRole('button', { name: 'copy as…' }).click();
    await page().getByRole('dialog').getByText('farmd restart 1', { exact: true }).waitFor();
    await page().keyboard.press('Escape');
    await bar.getByRole('button', { name: 'stop…', exact: true }).click();
    await page().getByRole('dialog').getByRole('button', { name: 'stop server-1' }).click();
    await side().getByText('Stopped on purpose').waitFor();
    await bar.getByRole('button', { name: 'start', exact: true }).click();
    await side().locator('.side-head').getByText('healthy').waitFor();
  });

  test('plots follow the theme of the system', async () => {
    const colour = () => side().locator('.u-series .u-marker').nth(1).evaluate((marker) => getComputedStyle(marker).borderColor);
    await page().emulateMedia({ colorScheme: 'dark' });
    await page().getByLabel('theme').selectOption('system');
    const dark = await colour();
    await page().emulateMedia({ colorScheme: 'light' });
    await until(async () => (await colour()) !== dark, 'another colour');
    await page().getByLabel('theme').selectOption('dark');
    await until(async () => (await colour()) === dark, 'the same colour as before');
  });

  test('an OOM kill is explained', async () => {
    await fetch(`http://127.0.0.1:${(await farmd.ask('GET', '/api/servers/1')).port}/simulate-load?memory_mb=400`, { method: 'POST' }).catch(() => null);
    const { enforcement } = await farmd.ask('GET', '/api/servers');
    if (enforcement === 'none') return;
    await side().getByText('Running again; before: OOMKilled').waitFor();
    await side().getByText(/was OOM-killed \(at its limit of 256 MB\)/).first().waitFor();
    await side().getByText(/CPU, \d+ s before/).waitFor();
    await side().getByText(/killed for memory once/).waitFor();
  });

  test('a server that dies says why, its last words, and when it is tried again', async () => {
    await open(4);
    await side().locator('.why-head').getByText(/^(Restarting|Given up)/).waitFor();
    await side().locator('.why').getByText('dying words').first().waitFor();
    await side().locator('.why').getByText(/exit code 3; restarted/).waitFor();
    await until(async () => /next try (in \d|now)/.test(await side().locator('.why').innerText()), 'a countdown');
    await page().locator('[data-id="4"]').getByText(/next try in|starting again/).waitFor();
  });

  test('a hostile log is shown as text, bounded', async () => {
    await open(3);
    await side().getByRole('tab', { name: 'log' }).click();
    await side().getByText('<img src=x onerror=alert(1)>').waitFor();
    await side().getByText('red text', { exact: false }).waitFor();
    await side().getByText('\ufffd\ufffd bytes').waitFor();
    await side().getByText(/more characters\)/).waitFor();
    assert.equal(await side().locator('img').count(), 0);
    assert.equal((await side().innerText()).includes('\u001b'), false);
    assert.equal((await side().innerText()).includes('title'), false);
    await side().getByRole('tab', { name: 'settings' }).click();
    await side().getByRole('row', { name: 'labels note=<img src=x onerror=alert(1)>' }).waitFor();
    assert.equal(await side().locator('img').count(), 0);
    await side().getByRole('tab', { name: 'log' }).click();
  });

  test('a log is searched, by level too, paused, and followed', async () => {
    await side().getByLabel('level').selectOption('error');
    await side().getByText('1 of ').waitFor();
    await side().getByLabel('level').selectOption('');
    await side().getByLabel('search the log').fill('red');
    await until(async () => (await side().locator('.log-line').count()) === 1, 'one line');
    await open(1);
    await side().getByRole('tab', { name: 'log' }).click();
    const lines = () => side().locator('.log-line').count();
    await until(async () => (await lines()) > 0, 'lines');
    const before = await lines();
    await side().getByRole('button', { name: 'pause', exact: true }).last().click();
    await farmd.ask('POST', '/api/servers/1/action', { action: 'restart' });
    await side().getByRole('tab', { name: 'events' }).getByText(/\d/).waitFor();
    assert.equal(await lines(), before);
    await side().getByRole('button', { name: 'follow' }).click();
    await until(async () => (await lines()) > before, 'what was kept back');
  });

  test('events and settings', async () => {
    await side().getByRole('tab', { name: /events/ }).click();
    await side().getByText(/server-1 is (back|ready)/).first().waitFor();
    await side().getByRole('tab', { name: 'settings' }).click();
    await side().getByRole('row', { name: /memory limit 256 MB/ }).waitFor();
    await side().getByRole('button', { name: 'change limits…' }).click();
    await page().getByLabel('memory', { exact: true }).fill('200M');
    await page().getByRole('button', { name: 'set for server-1' }).click();
    await side().getByRole('row', { name: /memory limit 200 MB/ }).waitFor();
  });

  test('closes, and what happened lately takes its place', async () => {
    await side().getByRole('button', { name: 'close' }).click();
    await side().getByRole('heading', { name: 'What happened' }).waitFor();
    await side().getByText(/server-4/).first().waitFor();
    await page().goBack();
    await page().getByRole('complementary', { name: 'server 1' }).waitFor();
  });
});
