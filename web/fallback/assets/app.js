// The page of a farm: asks /api/servers again and again, draws a card for each server. Text only, never markup.
'use strict';

const ACTIONS = ['start', 'stop', 'restart'];
const SIGNS = { running: '●', starting: '↻', stopping: '◌', stopped: '○', backoff: '↻', paused: '‖', failed: '✕' };
const KINDS = { starting: 'info', stopping: 'info', stopped: 'off', backoff: 'info', paused: 'warn', failed: 'bad' };

const $ = (id) => document.getElementById(id);
const cards = new Map();
let refreshMs = 5000;
let lastAnswer = 0;

function element(name, text, parent) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (parent) parent.append(made);
  return made;
}

function say(text) {
  $('message').textContent = text;
  $('message').hidden = text === '';
}

async function ask(path, options = {}) {
  const token = sessionStorage.getItem('token');
  const headers = { ...(options.headers || {}), ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  const response = await fetch(path, { ...options, headers });
  const body = await response.json();
  if (response.status === 401) $('login').hidden = false;
  if (!response.ok) throw new Error(body.detail || `HTTP ${response.status}`);
  return body;
}

async function act(id, action, button) {
  button.disabled = true;
  try {
    await ask(`/api/servers/${id}/action`, {
      method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ action }),
    });
    say('');
  } catch (problem) {
    say(`server-${id}: ${action}: ${problem.message}`);
  }
  button.disabled = false;
  refresh();
}

function makeCard(server) {
  const root = element('article', undefined, $('servers'));
  const title = element('h2', undefined, root);
  const card = { root, sign: element('i', '', title), link: element('a', server.name, title),
    state: element('span', '', title), usage: element('p', '', root), detail: element('p', '', root) };
  const buttons = element('div', undefined, root);
  buttons.className = 'buttons';
  for (const action of ACTIONS) {
    const button = element('button', action, buttons);
    button.setAttribute('aria-label', `${action} ${server.name}`);
    button.addEventListener('click', () => act(server.id, action, button));
  }
  cards.set(server.id, card);
  return card;
}

function draw(server) {
  const card = cards.get(server.id) || makeCard(server);
  const live = server.status === 'running';
  const troubled = live && (server.health === 'degraded' || server.health === 'unhealthy');
  const word = troubled ? server.health : server.status;
  card.root.className = troubled ? (server.health === 'degraded' ? 'warn' : 'bad') : KINDS[server.status] || 'ok';
  card.sign.textContent = troubled ? '◐' : SIGNS[server.status] || '?';
  card.link.href = server.url;
  card.state.textContent = word;
  card.usage.textContent = live
    ? `CPU ${server.cpu_percent.toFixed(0)} % · ${server.memory_mb.toFixed(1)} MB` : server.error;
  const parts = [];
  if (live && server.requests_per_second !== null) parts.push(`${server.requests_per_second.toFixed(0)} req/s`);
  if (live && server.throttled_percent > 0) parts.push(`throttled ${server.throttled_percent.toFixed(0)} %`);
  if (server.restarts > 0) parts.push(`${server.restarts} restart${server.restarts === 1 ? '' : 's'}`);
  if (server.last_exit && !live) parts.push(server.last_exit.reason);
  card.detail.textContent = parts.join(' · ');
}

/* "1.2 of 25.0"; without a limit in force only what is used. */
function part(used, limit, decimals) {
  return used.toFixed(decimals) + (limit === null ? '' : ` of ${limit.toFixed(decimals)}`);
}

function drawTotals(farm) {
  const t = farm.totals;
  const figures = [['running', `${t.running} of ${farm.total_servers}`], ['degraded', t.degraded],
    ['unhealthy', t.unhealthy], ['not running', farm.total_servers - t.running],
    ['CPU', part(t.cpu_cores, t.cpu_limit, 1)], ['MB memory', part(t.memory_mb, t.memory_limit_mb, 0)],
    ['requests/s', t.requests_per_second.toFixed(0)]];
  $('totals').replaceChildren(...figures.map(([name, value]) => {
    const pair = element('div');
    element('dt', name, pair);
    element('dd', value, pair);
    return pair;
  }));
  $('enforcement').textContent = farm.enforcement_warning
    || `limits enforced by ${farm.enforcement.replace('cgroup', 'cgroup v')}`;
}

async function refresh() {
  try {
    const farm = await ask('/api/servers');
    refreshMs = farm.refresh_interval_ms;
    lastAnswer = Date.now();
    drawTotals(farm);
    farm.servers.forEach(draw);
    const known = new Set(farm.servers.map((server) => server.id));
    for (const [id, card] of cards) {
      if (known.has(id)) continue;
      card.root.remove();
      cards.delete(id);
    }
    $('freshness').textContent = 'live';
    $('login').hidden = true;
    $('servers').setAttribute('aria-busy', 'false');
  } catch (problem) {
    const age = lastAnswer ? `last answer ${Math.round((Date.now() - lastAnswer) / 1000)} s ago` : 'no answer yet';
    $('freshness').textContent = `${problem.message}; ${age}, trying again`;
  }
}

async function loop() {
  await refresh();
  setTimeout(loop, refreshMs);
}

$('login').addEventListener('submit', (event) => {
  event.preventDefault();
  sessionStorage.setItem('token', $('token').value);
  refresh();
});
loop();
