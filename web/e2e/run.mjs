// Runs the tests of the real page in a real browser: `npm run e2e`, or with words of files' names. The last line is
// "N passed, N failed". The page must have been built (npm run build) and farmd too (make).
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('./tests/', import.meta.url));
const wanted = process.argv.slice(2);
// Those that look at every view take longest: begun first, they keep no one waiting at the end.
const isLong = (name) => Number(name.startsWith('look-'));
const files = readdirSync(folder)
  .filter((name) => name.endsWith('.test.mjs') && (!wanted.length || wanted.some((word) => name.includes(word))))
  .sort((a, b) => isLong(b) - isLong(a))
  .map((name) => folder + name);
const JOBS_MAX = 4; // browsers and farms at once
const jobs = Number(process.env.E2E_JOBS ?? Math.max(2, Math.min(JOBS_MAX, availableParallelism())));

let passed = 0;
let failed = 0;
// Files and suites are told as tests too; those with something below them are not counted.
const isOne = (data) => data.details?.type !== 'suite' && !data.name.endsWith('.test.mjs');
const stream = run({ files, concurrency: jobs, timeout: 300_000 })
  .on('test:pass', (data) => (passed += isOne(data) ? 1 : 0))
  .on('test:fail', (data) => (failed += isOne(data) || data.details?.error?.failureType !== 'subtestsFailed' ? 1 : 0));
stream.compose(new spec()).pipe(process.stdout);
stream.on('end', () => {
  process.on('exit', () => console.log(`${passed} passed, ${failed} failed`));
  process.exitCode = failed || !passed ? 1 : 0;
});
