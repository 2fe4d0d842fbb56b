// Are we well? Six numbers, four plots, the last failures; and the wall screen with its three states.
import { html, useState, useEffect, useRef } from '../vendor/preact-htm.js';
import { Card, Cli, Failure, Plot, When, useData } from '../parts.js';
import { count, duration, percent } from '../format.js';

const column = (items, key) => items.map((i) => i[key] ?? null);

export function Overview({ stats }) {
  const { data: past } = useData('/v1/stats/history?hours=24', 60000);
  const { data: failures, error } = useData('/v1/failures?limit=5', 10000);
  const s = stats;
  const times = past ? past.items.map((i) => i.time_ms / 1000) : null;
  const tone = { ok: 'good', warn: 'warn', bad: 'bad' }[s?.health] || '';
  const words = { ok: 'All is well', warn: 'Look when there is time', bad: 'Act now' };
  return html`<h1>Overview</h1>
    ${s && html`<div class="note ${tone}" role="status"><strong class=${tone}>${words[s.health]}</strong>${s.reasons?.length ? html`: ${s.reasons.join('; ')}` : ''}</div>`}
    <div class="cards">
      <${Card} label="Validated per second" value=${s ? (s.validated_per_s ?? 0).toFixed(1) : '…'} />
      <${Card} label="Units waiting" value=${s ? count(s.units_open) : '…'} note=${s?.eta_ms ? `about ${duration(s.eta_ms)} of work` : ''} />
      <${Card} label="Out at hosts" value=${s ? count(s.leased) : '…'} />
      <${Card} label="Hosts seen in the last hour" value=${s ? count(s.hosts_active) : '…'} />
      <${Card} label="Attempts that failed (1 h)" value=${s ? percent(s.error_share) : '…'} tone=${s?.error_share > 0.2 ? 'bad' : s?.error_share > 0.05 ? 'warn' : ''} />
      <${Card} label="Disk left" value=${s ? percent(s.disk_free_share, 0) : '…'} tone=${s?.disk_free_share < 0.1 ? 'bad' : s?.disk_free_share < 0.25 ? 'warn' : ''} />
    </div>
    <div class="plots">
      <${Plot} title="Validated units per minute" times=${times} series=${past ? [{ label: 'validated', values: column(past.items, 'validated'), stroke: '--good' }] : []} />
      <${Plot} title="Units waiting" times=${times} series=${past ? [{ label: 'waiting', values: column(past.items, 'units_open'), stroke: '--busy' }] : []} />
      <${Plot} title="Active hosts" times=${times} series=${past ? [{ label: 'hosts', values: column(past.items, 'hosts_active'), stroke: '--accent' }] : []} />
      <${Plot} title="Attempts that failed per minute" times=${times} series=${past ? [{ label: 'failed', values: column(past.items, 'errors'), stroke: '--bad' }] : []} />
    </div>
    <h2>Last failures</h2>
    ${error ? html`<${Failure} error=${error} />` : !failures ? html`<p role="status">Loading…</p>` : failures.items.length === 0 ? html`<p>None. Failed attempts appear here with what the program said.</p>`
      : failures.items.map((f) => html`<article class="card" style=${{ marginBottom: '.6rem' }}><strong><a href="/admin/units/${f.unit}">${f.unit}</a></strong> on host <a href="/admin/hosts/${f.host}">${f.host}</a>, <${When} ms=${f.time_ms} />: <span class="bad">${f.error}</span> ${f.message || ''}${f.stderr ? html`<pre>${f.stderr}</pre>` : ''}</article>`)}
    <${Cli}>dugnad status<//>`;
}

// Three unmistakable states for a screen on the wall; the sound is off until somebody turns it on.
export function Wall({ stats, down }) {
  const [sound, setSound] = useState(false);
  const was = useRef('ok');
  const health = down || !stats ? (down ? 'bad' : 'warn') : stats.health;
  useEffect(() => {
    if (sound && health === 'bad' && was.current !== 'bad') {
      const audio = new AudioContext(), tone = audio.createOscillator();
      tone.frequency.value = 440;
      tone.connect(audio.destination);
      tone.start();
      tone.stop(audio.currentTime + 0.8);
    }
    was.current = health;
  }, [health, sound]);
  const say = { ok: ['good', '✓ All is well'], warn: ['warn', '! Look at it'], bad: ['bad', '✕ Act now'] }[health];
  return html`<main id="main" class="wall ${say[0]}"><div role="status"><b>${say[1]}</b>
    <p>${down ? 'The server does not answer.' : stats?.reasons?.length ? stats.reasons.join('; ') : stats ? `${(stats.validated_per_s ?? 0).toFixed(1)} validated per second, ${count(stats.hosts_active)} hosts` : 'Connecting…'}</p></div>
    <p style=${{ fontSize: '1rem' }}><button onClick=${() => setSound(!sound)} aria-pressed=${sound}>Sound ${sound ? 'on' : 'off'}</button> <a href="/admin/" style=${{ color: '#fff' }}>Console</a></p></main>`;
}
