// One work unit: its attempts, and its history as a timeline.
import { html } from '../vendor/preact-htm.js';
import { Cli, Failure, State, When, useData } from '../parts.js';
import { bytes, duration } from '../format.js';

function Attempt({ a }) {
  return html`<tr><td>${a.attempt}</td><td><${State} word=${a.state} />${a.error && a.error !== 'none' ? html` <span class="bad">${a.error}</span>` : ''}</td>
    <td>${a.host ? html`<a href="/admin/hosts/${a.host}">${a.host}</a>` : '–'}</td><td>${a.sent_ms ? html`<${When} ms=${a.sent_ms} />` : '–'}</td>
    <td>${a.ended_ms ? duration(a.ended_ms - a.sent_ms) : a.deadline_ms ? html`due <${When} ms=${a.deadline_ms} />` : '–'}</td><td class="mono">${a.answer ? a.answer.slice(0, 12) : '–'}</td></tr>`;
}

function Event({ e }) {
  const rest = Object.entries(e).filter(([k]) => !['event', 'time_ms', 'stderr', 'message'].includes(k)).map(([k, v]) => `${k} ${typeof v === 'string' && v.length > 20 ? v.slice(0, 12) : typeof v === 'object' ? JSON.stringify(v) : v}`);
  return html`<li><strong>${e.event}</strong> <${When} ms=${e.time_ms} /> <span class="mono">${rest.join(', ')}</span>${e.message ? html`<div>${e.message}</div>` : ''}${e.stderr ? html`<pre>${e.stderr}</pre>` : ''}</li>`;
}

export function Unit({ unit }) {
  const { data: u, error } = useData(`/v1/units/${unit}`, 5000);
  const { data: why } = useData(`/v1/units/${unit}/explain`, 10000);
  if (error) return html`<h1>Unit ${unit}</h1><${Failure} error=${error} />`;
  if (!u) return html`<p role="status">Loading…</p>`;
  const batch = unit.split('.')[0];
  return html`<h1>Unit ${unit} <${State} word=${u.state} /></h1><p>Part of <a href="/admin/batches/${batch}">batch ${batch}</a>${u.failure && u.failure !== 'none' ? html`; <span class="bad">${u.failure}</span>` : ''}</p>
    ${why?.text && html`<div class="note">${why.text}</div>`}
    <h2>Attempts</h2><div class="scroll" tabindex="0" role="region" aria-label="Attempts"><table><thead><tr>${['Attempt', 'State', 'Host', 'Sent', 'Took', 'Answer'].map((h) => html`<th scope="col">${h}</th>`)}</tr></thead><tbody>${u.attempts.map((a) => html`<${Attempt} a=${a} />`)}</tbody></table></div>
    ${u.outputs && html`<h2>Canonical answer</h2><dl>${u.outputs.map((o) => html`<dt>${o.path}</dt><dd><a href="/v1/blobs/${o.sha256}" download=${o.path.split('/').pop()}>${bytes(o.bytes)}</a> <span class="mono">${o.sha256.slice(0, 16)}</span></dd>`)}</dl>`}
    <h2>History</h2><ol class="timeline">${(u.history || []).map((e) => html`<${Event} e=${e} />`)}</ol>
    <h2>Question</h2><pre>${typeof u.spec === 'string' ? u.spec : JSON.stringify(u.spec, null, 2)}</pre>
    <${Cli}>dugnad show ${unit}; dugnad explain ${unit}; dugnad replay ${unit}<//>`;
}
