// One work unit: its attempts, and its history as a timeline.
import { html } from '../view.js';
import { may, post } from '../api.js';
import { Action, Cli, Digest, Failure, State, When, useData } from '../parts.js';
import { bytes, duration, failing, time } from '../format.js';

const host = (id) => html`<a href="/admin/hosts/${id}">host ${id}</a>`;

// A line of rules/wu_history.h as a sentence: [event, milliseconds after base_ms, ...].
const SAYS = {
  submit: () => 'submitted', delivered: () => 'outcome delivered', cancel: () => 'cancelled', retry: () => 'started again with fresh limits',
  spare: () => 'one more attempt wanted', purge: () => 'files removed: nothing can be compared any more', tick: () => 'looked at: time had passed',
  lease: ([attempt, id]) => html`attempt ${attempt} given to ${host(id)}`,
  renew: ([attempt, id]) => html`attempt ${attempt}: ${host(id)} still works on it`,
  report: ([attempt, id, answer]) => html`attempt ${attempt}: answer from ${host(id)} <span class="mono" title=${answer}>${answer.slice(0, 10)}</span>`,
  error: ([attempt, id, word]) => html`attempt ${attempt}: <strong class="bad">${word}</strong> at ${host(id)}`,
  judged: ([groups]) => (Array.isArray(groups) ? `answers compared: ${groups.map((g, i) => [g, i]).filter(([g]) => g !== 0).map(([g, i]) => `attempt ${i} ${g === -1 ? 'unusable' : `in group ${g}`}`).join(', ')}` : html`<strong class="bad">the judge gave up: ${groups}</strong>`),
};

function History({ unit }) {
  const lines = unit.history || [];
  return html`<ol class="timeline">${lines.map(([word, after, ...rest], i) => html`<li key=${i} class=${word}><time title=${time(unit.base_ms + after)}>+${duration(after)}</time> ${(SAYS[word] || (() => word))(rest)}</li>`)}</ol>`;
}

function Attempt({ a, canonical }) {
  const use = [a.cpu_ms !== undefined && `${duration(a.cpu_ms)} CPU`, a.memory_bytes && bytes(a.memory_bytes)].filter(Boolean).join(', ');
  return html`<tr><td>${a.attempt}${canonical && html` <span title="The canonical answer: the one that is kept">★</span>`}</td><td><${State} word=${a.state} /></td>
    <td>${a.host ? html`<a href="/admin/hosts/${a.host}">${a.host}</a>` : '–'}</td><td>${a.sent_ms ? html`<${When} ms=${a.sent_ms} />` : '–'}</td>
    <td>${a.ended_ms ? duration(a.ended_ms - a.sent_ms) : a.deadline_ms ? html`due <${When} ms=${a.deadline_ms} />` : '–'}</td><td>${use || '–'}</td><td><${Digest} hex=${a.answer} /></td></tr>
    ${a.error && html`<tr><td /><td class="below" colspan="6"><strong class="bad">${failing(a)}</strong>${a.message ? `: ${a.message}` : ''}${a.stderr ? html`<pre>${a.stderr.trim()}</pre>` : ''}</td></tr>`}`;
}

function Attempts({ unit }) {
  if (!unit.attempts.length) return html`<p>None yet.</p>`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Attempts"><table><thead><tr>${['Attempt', 'State', 'Host', 'Sent', 'Took', 'Used', 'Answer'].map((h) => html`<th key=${h} scope="col">${h}</th>`)}</tr></thead>
    <tbody>${unit.attempts.map((a) => html`<${Attempt} key=${a.attempt} a=${a} canonical=${a.attempt === unit.canonical} />`)}</tbody></table></div>`;
}

function Files({ list }) {
  return html`<dl>${list.map((o) => html`<dt key="n${o.path}"><a href="/v1/blobs/${o.sha256}" download=${o.path.split('/').pop()}>${o.path}</a></dt><dd key="f${o.path}">${bytes(o.bytes)} <${Digest} hex=${o.sha256} n=${16} /></dd>`)}</dl>`;
}

export function Unit({ unit }) {
  const { data: u, error, reload } = useData(`/v1/units/${unit}`, 5000);
  const { data: why } = useData(`/v1/units/${unit}/explain`, 10000);
  if (!u) return html`<h1>Unit ${unit}</h1>${error ? html`<${Failure} error=${error} />` : html`<p role="status">Loading…</p>`}`;
  const batch = unit.split('.')[0], failed = !!u.failure && u.failure !== 'none', over = failed || u.canonical !== null;
  return html`<h1>Unit ${unit} <${State} word=${failed ? 'failed' : u.state} /></h1>
    <p>Part of <a href="/admin/batches/${batch}">batch ${batch}</a>; wants ${u.rules?.quorum} equal ${u.rules?.quorum === 1 ? 'answer' : 'answers'}${failed ? html`; failed: <strong class="bad">${u.failure}</strong>` : ''}${u.purged ? '; its files have been removed' : ''}</p>
    ${why?.text && html`<div class="note">${why.text}</div>`}${error && html`<${Failure} error=${error} />`}
    ${may('scientist') && html`<div class="row">${failed && html`<${Action} label="Retry" main run=${() => post(`/v1/units/${unit}/retry`)} after=${reload} />`}
      ${!over && html`<${Action} label="Cancel" title="Cancel unit ${unit}" danger word=${unit} confirm=${html`<p>This unit is given up, and hosts are told to stop it.</p>`} run=${() => post(`/v1/units/${unit}/cancel`)} after=${reload} />`}</div>`}
    <h2>Attempts</h2><${Attempts} unit=${u} />
    ${u.outputs?.length > 0 && html`<h2>Canonical answer</h2><${Files} list=${u.outputs} />`}
    <h2>History</h2><p class="soft">Times after ${time(u.base_ms)}, when the batch was submitted.</p><${History} unit=${u} />
    <h2>Question</h2><pre>${JSON.stringify(u.vars, null, 1)}</pre>${u.inputs?.length > 0 && html`<h3>Inputs of its own</h3><${Files} list=${u.inputs} />`}
    <${Cli}>dugnad show ${unit}; dugnad explain ${unit}; dugnad replay ${unit}<//>`;
}
