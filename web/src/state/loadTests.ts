// The load tests that run and have ended, newest first: for the panel and for the timeline.
import { create } from 'zustand';
import { api, ask, type Schemas } from '../api/client';

interface LoadTests {
  runs: readonly Schemas['LoadTestSummary'][];
  problem: string;
}

export const useLoadTests = create<LoadTests>(() => ({ runs: [], problem: '' }));

export async function refreshLoadTests(): Promise<void> {
  try {
    useLoadTests.setState({ runs: (await ask(api.GET('/api/load-tests'))).load_tests, problem: '' });
  } catch (failure) {
    useLoadTests.setState({ problem: (failure as Error).message });
  }
}
