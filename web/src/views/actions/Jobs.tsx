// What was asked and how far it is: pending, then the truth; what failed stays until it is dismissed.
import { useEffect } from 'react';
import { describeIds } from '../../filter/selector';
import { number } from '../../format/format';
import { farm } from '../../live/farm';
import type { Kind } from '../../live/kind';
import { GLYPHS } from '../../live/kind';
import { dismissJob, useJobs, type Job } from '../../state/jobs';

const SHOWN_MS = 6000; // of what went well
const SHOWN_FAILURES = 20;

function kindOfJob(job: Job): Kind {
  if (job.tookMs === null) return 'info';
  return job.problem || job.failures.length ? 'bad' : 'ok';
}

function howFar(job: Job): string {
  const of = job.ids.length;
  const parts = [];
  if (job.tookMs === null) parts.push(of ? `${number(job.done)} of ${number(of)}` : 'under way');
  else if (!job.problem || job.done > 0) {
    const well = job.done - job.failures.length - job.skipped;
    parts.push(of > 1 ? `${number(well)} of ${number(of)} done` : job.failures.length ? 'failed' : 'done');
    parts.push(`in ${number(job.tookMs)} ms`);
  }
  if (job.failures.length && of > 1) parts.push(`· ${number(job.failures.length)} failed`);
  if (job.skipped) parts.push(`· ${number(job.skipped)} skipped`);
  return parts.join(' ');
}

function JobLine({ job }: { job: Job }) {
  const kind = kindOfJob(job);
  useEffect(() => {
    if (kind !== 'ok') return undefined;
    const timer = setTimeout(() => dismissJob(job.key), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [kind, job.key]);
  return (
    <li className="job" data-kind={kind}>
      <i className="glyph" aria-hidden="true">{GLYPHS[kind]}</i>
      <div>
        <b>
          {job.title} {job.ids.length > 0 && describeIds(farm.table(), job.ids)}
        </b>{' '}
        {howFar(job)}
        {job.problem && <p className="problem">{job.problem}</p>}
        {job.failures.length > 0 && (
          <ul className="job-failures">
            {job.failures.slice(0, SHOWN_FAILURES).map(({ id, message }) => (
              <li key={id}>
                <b>{describeIds(farm.table(), [id])}</b> {message}
              </li>
            ))}
            {job.failures.length > SHOWN_FAILURES && <li>and {number(job.failures.length - SHOWN_FAILURES)} more</li>}
          </ul>
        )}
      </div>
      {job.tookMs !== null && (
        <button type="button" data-tone="plain" className="push" aria-label={`dismiss: ${job.title}`} onClick={() => dismissJob(job.key)}>
          ✕
        </button>
      )}
    </li>
  );
}

export function Jobs() {
  const jobs = useJobs((state) => state.jobs);
  return (
    <div className="jobs" role="log" aria-label="actions">
      <ul>
        {jobs.map((job) => (
          <JobLine key={job.key} job={job} />
        ))}
      </ul>
    </div>
  );
}
