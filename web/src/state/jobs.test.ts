import { beforeEach, expect, it } from 'vitest';
import { answerJob, beginJob, dismissJob, endJob, useJobs } from './jobs';

const jobs = () => useJobs.getState().jobs;
const pending = () => [...useJobs.getState().pending.keys()];

beforeEach(() => useJobs.setState({ jobs: [], pending: new Map() }));

it('tells for each server how far it is', () => {
  const key = beginJob('stop', [1, 2, 3]);
  answerJob(key, 1, 'success');
  answerJob(key, 2, 'error', 'no');
  expect(jobs()).toMatchObject([{ title: 'stop', done: 2, failures: [{ id: 2, message: 'no' }], skipped: 0, tookMs: null }]);
  expect(pending()).toEqual([3]);
  answerJob(key, 3, 'skipped');
  endJob(key);
  expect(jobs()[0]).toMatchObject({ done: 3, skipped: 1, problem: '' });
  expect(jobs()[0].tookMs).not.toBeNull();
});

it('waits for none any more when it has ended', () => {
  const key = beginJob('restart', [1, 2]);
  endJob(key, 'farmd stops');
  expect(jobs()[0].problem).toBe('farmd stops');
  expect(pending()).toEqual([]);
  dismissJob(key);
  expect(jobs()).toEqual([]);
});

it('keeps the last five', () => {
  for (let i = 0; i < 7; i++) endJob(beginJob(`job ${i}`, []));
  expect(jobs().map((job) => job.title)).toEqual(['job 2', 'job 3', 'job 4', 'job 5', 'job 6']);
});
