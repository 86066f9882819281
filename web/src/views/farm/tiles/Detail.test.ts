import { expect, it } from 'vitest';
import { farmOf } from '../../../live/fixture';
import { sentenceOf } from './Detail';

it('tells the node of a server where there are nodes', () => {
  const table = farmOf([{ id: 1, node: 'farm-b' }, { id: 2 }]);
  expect(sentenceOf(table, 0)).toMatch(/, on node farm-b$/);
  expect(sentenceOf(table, 1)).not.toContain('node');
});
