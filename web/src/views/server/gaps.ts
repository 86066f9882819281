// Where nothing was measured a curve is interrupted, not drawn across. Pure.

/** Missing for longer than this many steps: a server that did not run, not a point that came late. */
const LATE_STEPS = 2;

type Values = readonly (number | null)[];

/** The same points, with an empty one in each gap. `step`: seconds from one to the next. */
export function withGaps(at: readonly number[], values: readonly Values[], step: number): { at: number[]; values: (number | null)[][] } {
  const times: number[] = [];
  const columns: (number | null)[][] = values.map(() => []);
  at.forEach((time, i) => {
    if (i > 0 && time - at[i - 1] > LATE_STEPS * step) {
      times.push(at[i - 1] + step);
      columns.forEach((column) => column.push(null));
    }
    times.push(time);
    columns.forEach((column, c) => column.push(values[c][i]));
  });
  return { at: times, values: columns };
}
