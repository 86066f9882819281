// The last minute of ticks, for the small curves: CPU of each server, and the farm's totals. Bounded: a ring of TICKS.
import type { Table } from './table';

export const TICKS = 60;

export class Trail {
  /** Ticks seen, at most TICKS of them kept. */
  ticks = 0;
  private ids: Float64Array = new Float64Array(0);
  private cpu = new Float32Array(0); // TICKS values for each server, one after another
  private readonly farm = { cpu: new Float32Array(TICKS), memory: new Float32Array(TICKS), rate: new Float32Array(TICKS) };

  push(table: Table): void {
    if (table.columns.id !== this.ids) this.follow(table.columns.id);
    const slot = this.ticks % TICKS;
    const cpu = table.columns.cpu;
    for (let row = 0; row < table.count; row++) this.cpu[row * TICKS + slot] = cpu[row];
    this.farm.cpu[slot] = table.farm.cpu_used;
    this.farm.memory[slot] = table.farm.memory_used_mb;
    this.farm.rate[slot] = table.farm.requests_per_second;
    this.ticks++;
  }

  /** What was before the first tick: for each id the CPU in per mille, oldest first, a value a second. */
  prepend(ids: Float64Array, before: ReadonlyMap<number, readonly number[]>): void {
    const earlier = new Trail();
    const length = Math.min(TICKS, Math.max(0, ...[...before.values()].map((values) => values.length)));
    earlier.follow(ids);
    ids.forEach((id, row) => {
      const values = before.get(id)?.slice(-length) ?? [];
      values.forEach((value, i) => (earlier.cpu[row * TICKS + length - values.length + i] = value));
    });
    for (const ring of Object.values(earlier.farm)) ring.fill(NaN);
    earlier.ticks = length;
    // The ticks of this trail come behind them.
    for (let i = Math.max(0, this.ticks - TICKS); i < this.ticks; i++) {
      const from = i % TICKS;
      const to = earlier.ticks % TICKS;
      this.ids.forEach((id, row) => {
        const other = ids.indexOf(id);
        if (other >= 0) earlier.cpu[other * TICKS + to] = this.cpu[row * TICKS + from];
      });
      for (const name of ['cpu', 'memory', 'rate'] as const) earlier.farm[name][to] = this.farm[name][from];
      earlier.ticks++;
    }
    this.ids = earlier.ids;
    this.cpu = earlier.cpu;
    Object.assign(this.farm, earlier.farm);
    this.ticks = earlier.ticks;
  }

  /** CPU of a row in per mille of its limit, oldest first; NaN where it didn't run. */
  cpuOf(row: number): number[] {
    return this.read(this.cpu, row * TICKS);
  }

  totals(of: 'cpu' | 'memory' | 'rate'): number[] {
    return this.read(this.farm[of], 0);
  }

  private read(ring: Float32Array, base: number): number[] {
    const kept = Math.min(this.ticks, TICKS);
    const values = new Array<number>(kept);
    for (let i = 0; i < kept; i++) values[i] = ring[base + ((this.ticks - kept + i) % TICKS)];
    return values;
  }

  /** Other servers than before: those that stay keep their curve. */
  private follow(ids: Float64Array): void {
    const before = new Map<number, number>();
    this.ids.forEach((id, row) => before.set(id, row));
    const cpu = new Float32Array(ids.length * TICKS).fill(NaN);
    ids.forEach((id, row) => {
      const old = before.get(id);
      if (old !== undefined) cpu.set(this.cpu.subarray(old * TICKS, (old + 1) * TICKS), row * TICKS);
    });
    this.ids = ids;
    this.cpu = cpu;
  }
}
