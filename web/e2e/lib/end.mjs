/** Closes all of these, also when one of them fails, so that no farm outlives its test; fails then as the first that did. */
export async function endAll(...things) {
  const failures = [];
  for (const thing of things) await thing?.close().catch((failure) => failures.push(failure));
  if (failures.length) throw failures[0];
}
