// Health and capacity: each finding with its remedy, and how near the server is to what it can do.
import { html } from '../vendor/preact-htm.js';
import { Card, Cli, Failure, State, useData } from '../parts.js';
import { bytes, count, percent } from '../format.js';

const tone = (share) => (share >= 0.9 ? 'bad' : share >= 0.6 ? 'warn' : 'good');

export function Health() {
  const { data: h, error } = useData('/v1/health', 5000);
  if (error) return html`<h1>Health and capacity</h1><${Failure} error=${error} />`;
  if (!h) return html`<p role="status">Loading…</p>`;
  return html`<h1>Health and capacity</h1>
    <div class="cards">${(h.utilisation || []).map((u) => html`<${Card} label=${u.name} value=${percent(u.share, 0)} tone=${tone(u.share)} note=${u.note} />`)}
      <${Card} label="Memory of the server" value=${bytes(h.memory_bytes)} /><${Card} label="Database" value=${bytes(h.database_bytes)} /><${Card} label="Disk free" value=${bytes(h.disk_free_bytes)} /></div>
    <p>Amber from 60 %; from 90 % new batches are refused until there is room.</p>
    <h2>Findings</h2>${(h.findings || []).length === 0 ? html`<p>Nothing to mend.</p>` : html`<div class="scroll" tabindex="0" role="region" aria-label="Findings"><table><thead><tr><th scope="col">State</th><th scope="col">What</th><th scope="col">Remedy</th></tr></thead><tbody>${h.findings.map((f) => html`<tr><td><${State} word=${f.level} /></td><td class="wrap">${f.what}</td><td class="wrap">${f.remedy || ''}</td></tr>`)}</tbody></table></div>`}
    <h2>Versions of clients</h2>${(h.versions || []).length === 0 ? html`<p>No host has reported yet.</p>` : html`<dl>${h.versions.map((v) => html`<dt>${v.client}</dt><dd>${count(v.hosts)} hosts</dd>`)}</dl>`}
    <${Cli}>dugnad-server doctor DATA_FOLDER<//>`;
}
