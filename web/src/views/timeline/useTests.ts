// The load tests, asked for when the number of those that run has changed, and now and then: one may have begun and ended
// between two ticks.
import { useEffect } from 'react';
import { useFarm } from '../../live/farm';
import { refreshLoadTests, useLoadTests } from '../../state/loadTests';
import type { Summary } from '../load/api';

const NOW_AND_THEN_MS = 30_000;

export function useTests(): readonly Summary[] {
  const running = useFarm((table) => table.farm.load_tests);
  useEffect(() => {
    if (running === null) return undefined;
    void refreshLoadTests();
    const timer = setInterval(() => void refreshLoadTests(), NOW_AND_THEN_MS);
    return () => clearInterval(timer);
  }, [running]);
  return useLoadTests((tests) => tests.runs);
}
