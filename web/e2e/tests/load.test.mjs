// Load tests and what else is asked of all servers; the last hour.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch, openPage } from '../lib/browser.mjs';
import { endAll } from '../lib/end.mjs';
import { startFarmd } from '../lib/farmd.mjs';
import { until } from '../lib/until.mjs';

const OTHER = `
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200 if self.path == "/" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
`;
/** The last one is another program, which knows no /health. */
const YAML = `
groups:
  - {name: web, count: 3}
  - {name: other, count: 1, command: [/usr/bin/python3, -c, ${JSON.stringify(OTHER)}]}
`;

describe('load and time', () => {
  let farmd;
  let browser;
  let opened;
  const page = () => opened.page;
  const dialog = () => page().getByRole('dialog', { name: 'Load and test' });
  const begin = () => dialog().getByRole('button', { name: /^load (all )?\d+ servers|^load server/ }).click();

  before(async () => {
    farmd = await startFarmd({ servers: 4, yaml: YAML });
    browser = await launch();
    opened = await openPage(browser, farmd.url, { allowed: /status of (400|409|422)/ });
    await page().locator('.card').nth(3).waitFor();
  });
  after(() => endAll(opened, browser, farmd));


  test('a load test of the selection: begun, shown whole, kept', async () => {
    await page().getByLabel('filter').fill('1-2');
    await page().getByRole('button', { name: 'select these' }).click();
    await page().getByRole('button', { name: 'load…' }).click();
    await dialog().locator('#load-requests').fill('200');
    await dialog().locator('#load-name').fill('first <b>');
    await dialog().getByText('farmd load 1-2 -n 200 -c 10').waitFor();
    await dialog().getByRole('button', { name: 'load 2 servers' }).click();
    await dialog().getByText('400 answered').waitFor();
    await dialog().getByRole('heading', { name: 'first <b>' }).waitFor();
    await until(async () => (await dialog().getByRole('row', { name: /server-[12]/ }).count()) === 2, 'two rows');
    await dialog().getByRole('columnheader', { name: 'p99.9' }).waitFor();
    await dialog().getByRole('button', { name: 'back' }).click();
    await dialog().getByRole('button', { name: /first <b>/ }).click();
    await dialog().getByText('400 answered').waitFor();
    await dialog().getByRole('button', { name: 'back' }).click();
  });

  test('at a rate, watched live and cancelled', async () => {
    await dialog().getByLabel('model').selectOption('constant');
    await dialog().locator('#load-rate').fill('200');
    await dialog().locator('#load-duration').fill('60');
    await dialog().locator('#load-name').fill('second');
    const asked = page().waitForRequest('**/api/load-tests');
    await begin();
    assert.deepEqual((await asked).postDataJSON(), {
      target_servers: '1-2', name: 'second', model: 'constant', rate: 200, duration: 60, connections: 10,
    });
    await dialog().getByText(/\d+\/s/).first().waitFor();
    await dialog().getByText(/p99 \d/).first().waitFor();
    await dialog().getByRole('button', { name: 'cancel' }).click();
    await dialog().getByText(/cancelled · constant/).waitFor();
    await dialog().getByRole('button', { name: 'back' }).click();
  });

  test('a threshold that fails is said', async () => {
    await dialog().getByLabel('model').selectOption('closed');
    await dialog().locator('#load-requests').fill('100');
    await dialog().locator('#load-thresholds').fill('p99<1us');
    await begin();
    await dialog().getByText('✕ fails').waitFor();
    await dialog().getByRole('button', { name: 'back' }).click();
  });

  test("a plan that is refused is answered in the API's words", async () => {
    await dialog().locator('#load-thresholds').fill('nonsense');
    await begin();
    const { detail } = await farmd.ask('POST', '/api/load-tests', { target_servers: '1-2', thresholds: ['nonsense'] });
    await dialog().getByText(detail).waitFor();
  });

  test('two are compared', async () => {
    const boxes = dialog().getByRole('checkbox');
    await until(async () => (await boxes.count()) === 3, 'three tests');
    await boxes.nth(1).check();
    await boxes.nth(2).check();
    await dialog().getByRole('button', { name: 'compare two' }).click();
    const comparison = dialog().getByRole('region', { name: 'comparison' });
    await comparison.getByText(/^second against first <b>: \w+/).waitFor();
    await comparison.getByRole('row', { name: /p99/ }).first().waitFor();
  });

  test('in stages, at an endpoint that one server does not have: errors by kind, and who stands out', async () => {
    await page().keyboard.press('Escape');
    await page().getByLabel('filter').fill('');
    await page().getByRole('button', { name: 'clear' }).click();
    await page().getByRole('button', { name: 'load and test…' }).click();
    await dialog().getByLabel('model').selectOption('stages');
    await dialog().locator('#load-stages').fill('1s@100,1s@200');
    await dialog().locator('#load-connections').fill('3');
    await dialog().locator('#load-path').fill('/health');
    await dialog().getByText("farmd load all -c 3 --stages 1s@100,1s@200 --path /health").waitFor();
    await dialog().getByRole('button', { name: 'load all 4 servers' }).click();
    await dialog().getByText(/completed · constant · 4 servers/).waitFor();
    await dialog().getByText(/^HTTP 404 \d+$/).waitFor();
    const rows = dialog().getByRole('table', { name: 'servers of the test' }).getByRole('row');
    assert.match(await rows.nth(1).innerText(), /server-4[^]*◐ \d+\.\d % of its requests failed/, 'the outlier stands first');
    await dialog().getByRole('button', { name: 'back' }).click();
    await page().keyboard.press('Escape');
    await page().getByLabel('filter').fill('1-2');
    await page().getByRole('button', { name: 'select these' }).click();
    await page().getByRole('button', { name: 'load…' }).click();
  });

  test('at random instants', async () => {
    await dialog().getByLabel('model').selectOption('poisson');
    await dialog().locator('#load-rate').fill('50');
    await dialog().locator('#load-duration').fill('1');
    await begin();
    await dialog().getByText(/completed · poisson/).waitFor();
    await dialog().getByRole('button', { name: 'back' }).click();
  });

  test('simulate load, broadcast and a health check, with a result for each', async () => {
    await dialog().getByRole('tab', { name: 'simulate load' }).click();
    await dialog().getByLabel('burn CPU for').fill('0.1');
    await dialog().getByLabel('and hold').fill('4');
    const asked = page().waitForRequest('**/api/simulate-load');
    await dialog().getByRole('button', { name: 'burn on 2 servers' }).click();
    assert.deepEqual((await asked).postDataJSON(), { server_ids: '1-2', cpu_duration: 0.1, memory_mb: 4 });
    await dialog().getByText('2 of 2 did').waitFor();
    await dialog().getByRole('tab', { name: 'broadcast' }).click();
    await dialog().getByLabel('endpoint').fill('/error/503');
    await dialog().getByRole('button', { name: 'send to 2 servers' }).click();
    await dialog().getByText('0 answered, 2 failed').waitFor();
    await dialog().getByText('HTTP 503').first().waitFor();
    await farmd.ask('POST', '/api/servers/2/action', { action: 'stop' });
    await dialog().getByRole('tab', { name: 'health check' }).click();
    await dialog().getByRole('button', { name: 'probe 2 servers now' }).click();
    await dialog().getByText('1 healthy, 0 degraded, 1 not').waitFor();
    await page().keyboard.press('Escape');
    await dialog().waitFor({ state: 'detached' });
  });

  test('the timeline has them, and shows the farm as it was', async () => {
    await page().getByLabel('filter').fill('');
    await page().locator('[data-id="2"][data-kind=off]').waitFor();
    const line = page().getByRole('slider');
    await until(async () => (await line.locator('.test').count()) >= 3, 'load tests on the line');
    await line.locator('.mark').first().waitFor({ state: 'attached' });
    const box = await line.boundingBox();
    await page().mouse.move(box.x + box.width - 60, box.y + 40);
    await page().mouse.down();
    await page().mouse.move(box.x + box.width / 2, box.y + 40, { steps: 4 });
    await page().mouse.up();
    await page().getByText(/as it was at \d\d:\d\d:\d\d/).waitFor();
    // Half an hour ago none of them ran.
    await until(async () => (await page().locator('.card[data-kind=off]').count()) === 4, 'four that did not run');
    await page().locator('.kpi', { hasText: 'running' }).getByText(/^0/).waitFor();
    await page().getByRole('button', { name: 'back to now' }).click();
    await page().locator('[data-id="1"][data-kind=ok]').waitFor();
    await line.focus();
    await page().keyboard.press('ArrowLeft');
    await page().getByText(/as it was at/).waitFor();
    await page().keyboard.press('Escape');
    await page().getByText(/as it was at/).waitFor({ state: 'detached' });
    assert.equal(await line.getAttribute('aria-valuetext'), 'now');
  });
});
