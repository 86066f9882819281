// How it looks on a very large screen and with very large text; and the documentation of the API.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch, openPage } from '../lib/browser.mjs';
import { endAll } from '../lib/end.mjs';
import { lookAt, startTroubled } from '../lib/views.mjs';

describe('large', () => {
  let farmd;
  let browser;
  before(async () => {
    [farmd, browser] = await Promise.all([startTroubled(), launch()]);
  });
  after(() => endAll(browser, farmd));

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
    assert.equal(await page.evaluate(() => parseFloat(getComputedStyle(document.documentElement).fontSize)), 32);
    await lookAt(page, 'farm-200-percent');
    await page.goto(`${farmd.url}/?server=7`);
    await page.locator('.plot canvas').first().waitFor();
    await lookAt(page, 'server-200-percent');
    await close();
  });

  // The theme decides on contrast, the width on what fits: one of each is enough.
  for (const options of [{ theme: 'dark', width: 1440 }, { theme: 'light', width: 360 }]) {
    const name = `docs-${options.theme}-${options.width}`;
    test(`/docs, ${options.theme}: the API can be tried out, under the same policy`, async () => {
      const { page, close } = await openPage(browser, `${farmd.url}/docs`, options);
      await page.getByText('/api/servers/{id}/action').waitFor();
      await lookAt(page, name);

      await page.getByRole('button', { name: 'Authorize' }).click();
      await page.getByRole('dialog').waitFor();
      await lookAt(page, `${name}-authorize`);
      await page.getByRole('dialog').getByRole('button', { name: 'close' }).first().click();

      const open = (operation) => page.locator(`[id$="-${operation}"] .opblock-summary-control`).press('Enter');
      for (const operation of ['listHistory', 'createLoadTest', 'listServers']) await open(operation); // a choice, a body, neither
      const servers = page.locator('#operations-servers-listServers');
      await servers.getByRole('button', { name: 'Execute' }).press('Enter');
      await page.waitForURL(/#\/servers\/listServers$/);
      await servers.getByText('"total_servers": 12').first().waitFor();
      await lookAt(page, `${name}-tried`);
      await close();
    });
  }
});
