// A farm of any size as the stream tells it: generated from a seed, so that each run sees the same. farm.test.mjs holds its
// members to those of a real farmd.

function random(seed) {
  let state = seed;
  return () => (state = (state * 16807) % 2147483647) / 2147483647;
}

const STRINGS = ['running', 'healthy', 'degraded', 'unhealthy', 'unknown', 'backoff', 'stopped', 'failed', '', 'OOMKilled',
  'Crashed', 'web', 'backend', 'zone=a', 'zone=b,tier=1', 'Stopped'];
const at = (text) => STRINGS.indexOf(text);

const totals = (count, rate) => ({
  name: 'generated', version: '0.1.0', runtime: 'process', enforcement: 'cgroup2', enforcement_warning: null,
  started_at: '2026-11-30T08:00:00.000000+00:00', servers: count,
  states: { running: count - Math.floor(count / 50), backoff: Math.floor(count / 100), stopped: Math.floor(count / 100) },
  health: { healthy: count - Math.floor(count / 25), degraded: Math.floor(count / 50) },
  restarting: Math.floor(count / 100), cpu_used: count * 0.06, cpu_limit: count / 2, memory_used_mb: count * 24,
  memory_limit_mb: count * 256, requests_per_second: rate, errors_per_second: 0, p99_ms: 1.9, cpu_machine: 64, load_tests: 0,
});

function rowOf(id, count, next) {
  const sick = id % 50 === 7 ? 'degraded' : id % 100 === 12 ? 'backoff' : id % 100 === 19 ? 'stopped' : 'healthy';
  const runs = sick === 'healthy' || sick === 'degraded';
  return {
    id, port: 8000 + (id % 50000), ready: runs ? 1 : 0,
    status: at(runs ? 'running' : sick), health: at(runs ? sick : 'unknown'),
    reason: at(sick === 'backoff' ? 'OOMKilled' : sick === 'stopped' ? 'Stopped' : ''),
    group: at(id <= count / 2 ? 'web' : 'backend'), labels: at(id % 2 ? 'zone=a' : 'zone=b,tier=1'),
    cpu: runs ? (sick === 'degraded' ? 980 : Math.floor(next() * 300)) : null,
    throttled: runs ? (sick === 'degraded' ? 610 : 0) : null, memory: runs ? Math.floor(next() * 400) : null,
    rate: runs ? Math.floor(next() * 900) : null, errors: runs ? 0 : null,
    p50: runs ? 210 : null, p99: runs ? 900 + Math.floor(next() * 2000) : null,
    restarts: sick === 'backoff' ? 4 : 0, oom_kills: sick === 'backoff' ? 4 : 0,
    since: Math.floor(Date.now() / 1000) - 200, next_restart: sick === 'backoff' ? Date.now() + 8000 : null,
    cpu_limit: 500, memory_limit: 262144, node: at(''),
  };
}

/** snapshot(), and tick(sequence): a delta in which three columns change for every server. */
export function generatedFarm(count, seed = 7) {
  const next = random(seed);
  const rows = Array.from({ length: count }, (_, i) => rowOf(i + 1, count, next));
  const moved = (column, span) => rows.map((row) => {
    if (row[column] === null || row.throttled > 0) return row[column];
    return (row[column] = Math.max(0, Math.min(span, row[column] + Math.floor((next() - 0.5) * span * 0.2))));
  });
  return {
    snapshot: (sequence) => ({
      epoch: 'generated', sequence, last_event_id: 0, timestamp: new Date().toISOString(), farm: totals(count, count * 450), strings: STRINGS,
      columns: Object.fromEntries(Object.keys(rows[0]).map((name) => [name, rows.map((row) => row[name])])),
    }),
    tick: (sequence) => ({
      sequence, since: sequence - 1, timestamp: new Date().toISOString(), farm: { requests_per_second: count * (440 + Math.floor(next() * 20)) },
      columns: { cpu: moved('cpu', 1000), memory: moved('memory', 1000), rate: moved('rate', 900) },
    }),
  };
}
