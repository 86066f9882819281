import { describe, expect, it } from 'vitest';
import { TOTALS } from './fixture';
import type { Snapshot } from './protocol';
import { applyPatch, decodeDelta, fromSnapshot } from './reduce';
import { nameOf, rowOf, textOf } from './table';

const snapshot: Snapshot = {
  epoch: 'k3', sequence: 812, timestamp: 't0', farm: { ...TOTALS, servers: 4 }, strings: ['running', 'healthy'],
  columns: { id: [1, 2, 5, 9], status: [0, 0, 0, 0], health: [1, 1, 1, 1], cpu: [10, null, 30, 40], rate: [1, 2, 3, 4] },
};

describe('fromSnapshot', () => {
  it('makes columns, with NaN for null and for what is not sent', () => {
    const table = fromSnapshot(snapshot);
    expect(table.count).toBe(4);
    expect([...table.columns.cpu]).toEqual([10, NaN, 30, 40]);
    expect(table.columns.p99[0]).toBeNaN();
    expect(textOf(table, 'status', 2)).toBe('running');
    expect(nameOf(table, 2)).toBe('server-5');
    expect([1, 5, 9, 3, 10].map((id) => rowOf(table, id))).toEqual([0, 2, 3, -1, -1]);
  });

  it('takes nodes, which are null on one machine', () => {
    const { columns, strings } = snapshot;
    const table = fromSnapshot({ ...snapshot, strings: [...strings, 'farm-b'], columns: { ...columns, node: [null, 2, 2, null] } });
    expect([0, 1].map((row) => textOf(table, 'node', row))).toEqual(['', 'farm-b']);
  });

  it('refuses columns of another length', () => {
    expect(() => fromSnapshot({ ...snapshot, columns: { id: [1, 2], cpu: [1] } })).toThrow('"cpu" has 1 rows');
  });
});

describe('applyPatch', () => {
  const before = fromSnapshot(snapshot);

  it('changes the rows of a sparse column, by differences', () => {
    const after = applyPatch(before, decodeDelta({ sequence: 813, since: 812, timestamp: 't1', columns: { cpu: { i: [1, 2], v: [5, null] } } }));
    expect([...after.columns.cpu]).toEqual([10, 5, 30, NaN]);
    expect([...after.changed]).toEqual([812, 813, 812, 813]);
    expect(after.columns.rate).toBe(before.columns.rate);
  });

  it('leaves the table before as it was', () => {
    applyPatch(before, decodeDelta({ sequence: 813, since: 812, timestamp: '', columns: { cpu: [1, 1, 1, 1] } }));
    expect([...before.columns.cpu]).toEqual([10, NaN, 30, 40]);
    expect([...before.changed]).toEqual([812, 812, 812, 812]);
  });

  it('takes a dense column, and marks only the rows that differ', () => {
    const after = applyPatch(before, decodeDelta({ sequence: 814, since: 812, timestamp: '', columns: { cpu: [10, null, 31, 40] } }));
    expect([...after.changed]).toEqual([812, 812, 814, 812]);
  });

  it('adds differences, null before counting as 0', () => {
    const after = applyPatch(before, decodeDelta({ sequence: 814, since: 812, timestamp: '', columns: { cpu: { d: [0, 7, null, -5] } } }));
    expect([...after.columns.cpu]).toEqual([10, 7, NaN, 35]);
    expect([...after.changed]).toEqual([812, 814, 814, 814]);
  });

  it('refuses a delta that leads from another tick', () => {
    expect(() => applyPatch(before, decodeDelta({ sequence: 815, since: 814, timestamp: '' }))).toThrow(RangeError);
  });

  it('appends to the dictionary and changes members of the farm', () => {
    const after = applyPatch(before, decodeDelta({
      sequence: 815, since: 812, timestamp: '', farm: { servers: 5 }, strings: ['failed'], columns: { status: { i: [3], v: [2] } },
    }));
    expect(textOf(after, 'status', 3)).toBe('failed');
    expect(textOf(after, 'status', 0)).toBe('running');
    expect(after.farm).toEqual({ ...TOTALS, servers: 5 });
    expect(before.strings).toHaveLength(2);
  });

  it('refuses a delta of another table', () => {
    expect(() => applyPatch(before, decodeDelta({ sequence: 813, since: 812, timestamp: '', columns: { cpu: { i: [4], v: [1] } } }))).toThrow(/fit/);
    expect(() => applyPatch(before, decodeDelta({ sequence: 813, since: 812, timestamp: '', columns: { cpu: [1] } }))).toThrow(/fit/);
  });
});
