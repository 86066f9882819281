// Debian's Chromium, and pages that are watched: an error on the console or a request that leaves the machine fails the test.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

export const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const ARGS = [
  '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

export function hasChromium() {
  return existsSync(CHROMIUM);
}

export function launch() {
  return chromium.launch({ executablePath: CHROMIUM, args: ARGS });
}

/**
 * A page in a browser context of its own, with these preferences. `allowed`: what the console may say.
 * close() fails when the page has done what it may not.
 */
export async function openPage(browser, url, { width = 1440, height = 900, theme = 'dark', interval = 1, allowed = /^$/, more = {} } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, reducedMotion: 'reduce', permissions: ['clipboard-read', 'clipboard-write'], ...more });
  await context.addInitScript((state) => {
    if (location.protocol !== 'about:' && !localStorage.getItem('farmd')) localStorage.setItem('farmd', JSON.stringify({ state, version: 1 }));
  }, { theme, interval });
  const page = await context.newPage();
  const wrong = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()) && !allowed.test(message.text())) wrong.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => wrong.push(`error: ${error.message}`));
  context.on('request', (request) => {
    const { hostname, protocol } = new URL(request.url());
    if (!['127.0.0.1', 'localhost'].includes(hostname) && !['data:', 'blob:'].includes(protocol)) wrong.push(`left the machine: ${request.url()}`);
  });
  page.setDefaultTimeout(30_000);
  await page.goto(url);
  return {
    page,
    close: async () => {
      await context.close();
      assert.deepEqual(wrong, []);
    },
  };
}
