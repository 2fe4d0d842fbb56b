// Are we well? Six numbers, four plots, the last failures; and the wall screen with its three states.
import { html, useState, useEffect, useRef } from '../view.js';
import { Card, Choose, Cli, Failure, Said, When, useData, useQuery } from '../parts.js';
import { Plot } from '../plot.js';
import { bytes, count, duration, percent } from '../format.js';

const HEALTH = { ok: ['good', '✓', 'All is well'], warn: ['warn', '!', 'Look when there is time'], bad: ['bad', '✕', 'Act now'] };
const rate = (s) => (s.validated_per_s ?? 0).toFixed(s.validated_per_s < 10 ? 2 : 0);
const worse = (v, warn, bad) => (v >= bad ? 'bad' : v >= warn ? 'warn' : '');

function Verdict({ stats, down }) {
  if (down) return html`<div class="note bad" role="status"><strong class="bad">✕ The server does not answer</strong><p>What stands here is from <${When} ms=${stats.time_ms} />.</p></div>`;
  const [tone, sign, words] = HEALTH[stats.health] || HEALTH.warn;
  return html`<div class="note ${tone}" role="status"><strong class=${tone}>${sign} ${words}</strong>${stats.reasons?.length > 0 && html`<ul>${stats.reasons.map((r) => html`<li key=${r}>${r}</li>`)}</ul>`}</div>`;
}

function Numbers({ s }) {
  return html`<div class="cards">
    <${Card} label="Validated per second" value=${s ? rate(s) : '…'} />
    <${Card} label="Units waiting" value=${s ? count(s.units_open) : '…'} note=${s?.eta_ms ? `about ${duration(s.eta_ms)} of work` : ''} />
    <${Card} label="Attempts at hosts" value=${s ? count(s.leased) : '…'} note=${s?.unsent ? `${count(s.unsent)} wait for a host` : ''} />
    <${Card} label="Hosts active" value=${s ? count(s.hosts_active) : '…'} note=${s ? `of ${count(s.hosts)}, within an hour` : ''} />
    <${Card} label="Attempts that failed" value=${s ? percent(s.error_share) : '…'} tone=${worse(s?.error_share, 0.05, 0.2)} note="within an hour" />
    <${Card} label="Disk free" value=${s ? percent(s.disk_free_share, 0) : '…'} tone=${worse(1 - s?.disk_free_share, 0.75, 0.9)} note=${s ? bytes(s.disk_free_bytes) : ''} /></div>`;
}

function Plots() {
  const [query] = useQuery();
  const hours = { '6 hours': 6, '7 days': 168, '30 days': 720 }[query.get('span')] || 24;
  const { data, error } = useData(`/v1/stats/history?hours=${hours}`, 60000);
  const times = data?.items.map((i) => i.time_ms), of = (key) => data?.items.map((i) => i[key] ?? null);
  return html`<div class="row"><h2>The last</h2><${Choose} label="Time shown" name="span" all="24 hours" options=${['6 hours', '7 days', '30 days']} /></div>
    ${error && html`<${Failure} error=${error} />`}
    ${(data || !error) && html`<div class="plots">
      <${Plot} title="Validated per minute" times=${times} values=${of('validated')} tone="good" />
      <${Plot} title="Units waiting" times=${times} values=${of('units_open')} tone="busy" />
      <${Plot} title="Active hosts" times=${times} values=${of('hosts_active')} tone="calm" />
      <${Plot} title="Failed attempts per minute" times=${times} values=${of('errors')} tone="bad" /></div>`}`;
}

export function LastFailures({ path }) {
  const { data, error } = useData(path, 10000);
  if (error) return html`<${Failure} error=${error} />`;
  if (!data) return html`<p role="status">Loading…</p>`;
  if (data.items.length === 0) return html`<p>None. Failed attempts appear here, with what the program said.</p>`;
  return data.items.map((f) => html`<${Said} key="${f.unit}.${f.attempt}" f=${f}><a href="/admin/units/${f.unit}">${f.unit}</a> on <a href="/admin/hosts/${f.host}">host ${f.host}</a>, <${When} ms=${f.time_ms} />: <//>`);
}

function FirstSteps({ s }) {
  if (s.hosts > 0 && s.batches > 0) return null;
  return html`<h2>First steps</h2><ul>
    ${s.hosts === 0 && html`<li>No PC takes part yet: a link to join with is made in <a href="/admin/settings">Settings</a>.</li>`}
    ${s.batches === 0 && html`<li>No batch yet: <code>dugnad app pack PROGRAM</code> makes an app of a program, then <a href="/admin/batches/new">submit a batch</a>.</li>`}</ul>`;
}

export function Overview({ stats, down }) {
  return html`<h1>Overview</h1>${stats && html`<${Verdict} stats=${stats} down=${down} /><${FirstSteps} s=${stats} />`}
    <${Numbers} s=${stats} /><${Plots} />
    <h2>Last failures</h2><${LastFailures} path="/v1/failures?limit=5" />
    <${Cli}>dugnad stats<//>`;
}

function beep() {
  const audio = new AudioContext(), tone = audio.createOscillator();
  tone.frequency.value = 440;
  tone.connect(audio.destination);
  tone.start();
  tone.stop(audio.currentTime + 0.8);
}

// Three unmistakable states for a screen on the wall; the sound is off until somebody turns it on.
export function Wall({ stats, down }) {
  const [sound, setSound] = useState(false), was = useRef('ok');
  const health = down ? 'bad' : stats?.health || 'warn';
  useEffect(() => {
    if (sound && health === 'bad' && was.current !== 'bad') beep();
    was.current = health;
  }, [health, sound]);
  const [tone, sign, words] = HEALTH[health];
  const text = down ? 'The server does not answer.' : !stats ? 'Connecting…' : stats.reasons?.length ? stats.reasons.join('; ')
    : `${rate(stats)} validated per second, ${count(stats.hosts_active)} hosts, ${count(stats.units_open)} units waiting`;
  return html`<main id="main" class="wall ${tone}"><div role="status"><h1>${sign} ${stats || down ? words : 'Connecting'}</h1><p>${text}</p></div>
    <p class="foot"><button onClick=${() => setSound(!sound)} aria-pressed=${sound}>Sound is ${sound ? 'on' : 'off'}</button> <a href="/admin/">${stats?.project || 'Console'}</a></p></main>`;
}
