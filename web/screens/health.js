// Health and capacity: each finding with its remedy, and how near the server is to what it can do.
import { html } from '../view.js';
import { Card, Cli, Failure, Progress, State, useData } from '../parts.js';
import { bytes, count, duration, percent } from '../format.js';

const tone = (share) => (share >= 0.9 ? 'bad' : share >= 0.6 ? 'warn' : 'good');

function Findings({ list }) {
  if (list.length === 0) return html`<p><${State} word="ok" text="Nothing to mend." /></p>`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Findings"><table><thead><tr><th scope="col">State</th><th scope="col">What</th><th scope="col">Remedy</th></tr></thead>
    <tbody>${list.map((f, i) => html`<tr key=${i}><td><${State} word=${f.level} /></td><td class="wrap">${f.what}</td><td class="wrap">${f.remedy || ''}</td></tr>`)}</tbody></table></div>`;
}

function Versions({ list }) {
  const most = list.reduce((s, v) => s + v.hosts, 0);
  if (list.length === 0) return html`<p>No host has called within a day.</p>`;
  return html`<dl class="bars">${list.map((v) => html`<dt key="v${v.client}">${v.client || 'unknown'}</dt><dd key="n${v.client}"><${Progress} parts=${[['busy', v.hosts]]} total=${most} label="${count(v.hosts)} hosts" /><span>${count(v.hosts)}</span></dd>`)}</dl>`;
}

export function Health() {
  const { data: h, error } = useData('/v1/health', 5000);
  if (!h) return html`<h1>Health and capacity</h1>${error ? html`<${Failure} error=${error} />` : html`<p role="status">Loading…</p>`}`;
  return html`<h1>Health and capacity</h1>${error && html`<${Failure} error=${error} />`}
    <h2>Findings</h2><${Findings} list=${h.findings || []} />
    <h2>Use of what it can do</h2><p>Amber from 60 %; from 90 % new batches are refused until there is room.</p>
    <div class="cards">${(h.utilisation || []).map((u) => html`<${Card} key=${u.name} label=${u.name} value=${percent(u.share, 0)} tone=${tone(u.share)} note=${u.note} />`)}
      <${Card} label="Memory of the server" value=${bytes(h.memory_bytes)} /><${Card} label="Database" value=${bytes(h.database_bytes)} /><${Card} label="Disk free" value=${bytes(h.disk_free_bytes)} /><${Card} label="Running for" value=${duration(h.up_ms)} note="version ${h.server}" /></div>
    <h2>Versions of clients</h2><${Versions} list=${h.versions || []} />
    <${Cli}>dugnad stats<//>`;
}
