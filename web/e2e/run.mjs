// Runs the tests of the real page in a real browser: `npm run e2e`, or with words of files' names. The last line is
// "N passed, N failed". The page must have been built (npm run build) and farmd too (make).
import { readdirSync } from 'node:fs';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('./tests/', import.meta.url));
const wanted = process.argv.slice(2);
const files = readdirSync(folder)
  .filter((name) => name.endsWith('.test.mjs') && (!wanted.length || wanted.some((word) => name.includes(word))))
  .map((name) => folder + name);

let passed = 0;
let failed = 0;
// Files and suites are told as tests too; those with something below them are not counted.
const isOne = (data) => data.details?.type !== 'suite' && !data.name.endsWith('.test.mjs');
const stream = run({ files, concurrency: Number(process.env.E2E_JOBS ?? 2), timeout: 300_000 })
  .on('test:pass', (data) => (passed += isOne(data) ? 1 : 0))
  .on('test:fail', (data) => (failed += isOne(data) || data.details?.error?.failureType !== 'subtestsFailed' ? 1 : 0));
stream.compose(new spec()).pipe(process.stdout);
stream.on('end', () => {
  process.on('exit', () => console.log(`${passed} passed, ${failed} failed`));
  process.exitCode = failed || !passed ? 1 : 0;
});
