// What was asked of farmd and how far it is: one entry for each action, until it is dismissed.
import { create } from 'zustand';

export interface Job {
  key: number;
  /** "restart", as a person reads it. */
  title: string;
  ids: readonly number[];
  /** Servers that have answered, well or not. */
  done: number;
  failures: readonly { id: number; message: string }[];
  skipped: number;
  startedAt: number;
  /** ms from the start to the end; null: it goes on. */
  tookMs: number | null;
  /** Why all of it failed, in the API's words; "" when it didn't. */
  problem: string;
}

interface Jobs {
  jobs: readonly Job[];
  /** Servers that have not answered yet, and what is asked of them. */
  pending: ReadonlyMap<number, string>;
}

export const useJobs = create<Jobs>(() => ({ jobs: [], pending: new Map() }));

const KEPT = 5; // jobs shown at once
let lastKey = 0;

function change(key: number, by: (job: Job) => Partial<Job>): void {
  useJobs.setState(({ jobs }) => ({ jobs: jobs.map((job) => (job.key === key ? { ...job, ...by(job) } : job)) }));
}

export function beginJob(title: string, ids: readonly number[]): number {
  const job: Job = {
    key: ++lastKey, title, ids, done: 0, failures: [], skipped: 0, startedAt: performance.now(), tookMs: null, problem: '',
  };
  useJobs.setState(({ jobs, pending }) => ({
    jobs: [...jobs, job].slice(-KEPT),
    pending: new Map([...pending, ...ids.map((id) => [id, title] as const)]),
  }));
  return job.key;
}

export function answerJob(key: number, id: number, status: 'success' | 'error' | 'skipped', message = ''): void {
  change(key, (job) => ({
    done: job.done + 1,
    skipped: job.skipped + (status === 'skipped' ? 1 : 0),
    failures: status === 'error' ? [...job.failures, { id, message }] : job.failures,
  }));
  settle([id]);
}

export function endJob(key: number, problem = ''): void {
  const job = useJobs.getState().jobs.find((other) => other.key === key);
  change(key, ({ startedAt }) => ({ tookMs: performance.now() - startedAt, problem }));
  if (job) settle(job.ids);
}

export function dismissJob(key: number): void {
  useJobs.setState(({ jobs }) => ({ jobs: jobs.filter((job) => job.key !== key) }));
}

function settle(ids: readonly number[]): void {
  useJobs.setState(({ pending }) => {
    const left = new Map(pending);
    ids.forEach((id) => left.delete(id));
    return { pending: left };
  });
}
