const DEADLINE_MS = 30_000;

/** Asks again until the answer is truthy, and returns it; fails when that takes too long. */
export async function until(ask, what = 'it', deadlineMs = DEADLINE_MS) {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`${what} did not come within ${deadlineMs / 1000} s`);
    await new Promise((done) => setTimeout(done, 50));
  }
}
