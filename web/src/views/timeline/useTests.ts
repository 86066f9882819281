// The load tests of the last hour: asked for when their number or that of those that run has changed.
import { useEffect, useState } from 'react';
import { useFarm } from '../../live/farm';
import { list, type Summary } from '../load/api';

export function useTests(): readonly Summary[] {
  const running = useFarm((table) => table.farm.load_tests);
  const [tests, setTests] = useState<readonly Summary[]>([]);
  useEffect(() => {
    if (running === null) return;
    // A farmd without load tests has none to show.
    list().then(setTests, () => undefined);
  }, [running]);
  return tests;
}
