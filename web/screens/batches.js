// Batches: the list, and one batch.
import { html, useState } from '../view.js';
import { may, patch, post } from '../api.js';
import { Action, Card, Choose, Cli, Failure, Progress, Said, State, Table, When, useData, useQuery } from '../parts.js';
import { bytes, count, duration, percent } from '../format.js';

/* A share that may be as small as a millionth. */
const share = (x) => (x >= 0.001 || x === 0 ? percent(x, 1) : x.toExponential(1));
const parts = (b) => [['good', b.accepted], ['bad', b.failed], ['warn', b.judging + (b.provisional || 0)]];
const total = (b) => Math.max(b.units, b.units_wanted || 0);
const summary = (b) => `${count(b.accepted)} of ${count(total(b))} accepted, ${count(b.failed)} failed${b.provisional ? `, ${count(b.provisional)} provisional` : ''}, ${count(b.judging)} being compared`;
const act = (ids, verb) => async () => { for (const id of ids) await post(`/v1/batches/${id}/${verb}`); };

// What may be done depends on the state; without a batch (several are selected) all of it may.
function Actions({ ids, after, batch }) {
  if (!may('scientist')) return null;
  const what = ids.length > 1 ? `${ids.length} batches` : `batch ${ids[0]}`, ended = ['done', 'cancelled'].includes(batch?.state);
  const warning = html`<p>This stops ${what} for good: units that are not done are given up, and hosts are told to stop theirs. Answers that are in stay.</p>`;
  return html`
    ${!ended && batch?.state !== 'paused' && html`<${Action} label="Pause" run=${act(ids, 'pause')} after=${after} />`}
    ${(!batch || batch.state === 'paused') && html`<${Action} label="Resume" run=${act(ids, 'resume')} after=${after} main=${!!batch} />`}
    ${(!batch || (batch.failed > 0 && batch.state !== 'cancelled')) && html`<${Action} label="Retry what failed" run=${act(ids, 'retry')} after=${after} main=${batch?.state === 'done'} />`}
    ${!ended && html`<${Action} label="Cancel" title="Cancel ${what}" danger run=${act(ids, 'cancel')} after=${after} word=${ids.length > 1 ? 'cancel' : ids[0]} confirm=${warning} />`}`;
}

export function Batches() {
  const [query, setQuery] = useQuery();
  const wanted = new URLSearchParams(['state', 'search'].filter((k) => query.get(k)).map((k) => [k, query.get(k)])).toString();
  const columns = [
    { key: 'batch', label: 'Batch', show: (b) => html`<a href="/admin/batches/${b.batch}">${b.batch}</a>` },
    { key: 'name', label: 'Name', wrap: true, show: (b) => (b.name ? html`<a href="/admin/batches/${b.batch}">${b.name}</a>` : '–') },
    { key: 'app', label: 'App', raw: (b) => `${b.app} ${b.version}`, show: (b) => `${b.app} ${b.version}` },
    { key: 'state', label: 'State', show: (b) => html`<${State} word=${b.state} />` },
    { key: 'progress', label: 'Progress', raw: (b) => b.accepted / (total(b) || 1), show: (b) => html`<${Progress} parts=${parts(b)} total=${total(b)} label=${summary(b)} />` },
    { key: 'accepted', label: 'Accepted', num: true, show: (b) => `${count(b.accepted)} / ${count(total(b))}` },
    { key: 'failed', label: 'Failed', num: true, show: (b) => (b.failed ? html`<span class="bad">${count(b.failed)}</span>` : '0') },
    { key: 'user', label: 'By', show: (b) => b.user_name || `user ${b.user}` },
    { key: 'created_ms', label: 'Submitted', show: (b) => html`<${When} ms=${b.created_ms} />` },
  ];
  return html`<div class="row"><h1>Batches</h1>${may('scientist') && html`<a class="button" href="/admin/batches/new">Submit a batch</a>`}</div>
    <div class="row filter"><${Choose} label="State" name="state" all="every state" options=${['loading', 'running', 'paused', 'done', 'cancelled']} />
    <input type="search" aria-label="Name contains" placeholder="Name contains…" value=${query.get('search') || ''} onChange=${(e) => setQuery({ search: e.target.value, after: '' })} /></div>
    <${Table} path="/v1/batches${wanted ? `?${wanted}` : ''}" columns=${columns} name="batches" id=${(b) => b.batch} bulk=${may('scientist') && ((ids, clear) => html`<${Actions} ids=${ids} after=${clear} />`)}
      empty=${wanted ? 'No batch matches.' : html`No batch yet. A scientist submits one here, or with <code>dugnad submit APP --array 1..100 -- '{}'</code>.`} />
    <${Cli}>dugnad status<//>`;
}

function Priority({ batch, after }) {
  const [value, setValue] = useState(null);
  if (!may('scientist')) return null;
  return html`<span class="row"><label for="priority">Priority</label><input id="priority" type="number" class="number" value=${value ?? batch.priority} onInput=${(e) => setValue(e.target.value)} />
    ${value !== null && html`<${Action} label="Set" run=${() => patch(`/v1/batches/${batch.batch}`, { priority: Number(value) })} after=${() => { setValue(null); after(); }} />`}</span>`;
}

function FailureGroups({ batch }) {
  const { data, error } = useData(`/v1/batches/${batch}/failures`, 10000);
  if (error) return html`<${Failure} error=${error} />`;
  if (!data?.items.length) return html`<p>${data ? 'No attempt has failed.' : 'Loading…'}</p>`;
  return data.items.map((f, i) => html`<${Said} key=${i} f=${f}><b>${count(f.count)} ×</b> (<a href="/admin/units/${f.unit}">${f.unit}</a>) <//>`);
}

function Units({ batch }) {
  const [query] = useQuery(), state = query.get('state') || '';
  const columns = [
    { key: 'unit', label: 'Unit', show: (u) => html`<a href="/admin/units/${u.unit}">${u.unit}</a>` },
    { key: 'state', label: 'State', show: (u) => html`<${State} word=${u.failure ? 'failed' : u.state} />` },
    { key: 'attempts', label: 'Attempts', num: true }, { key: 'leased', label: 'At hosts', num: true }, { key: 'errors', label: 'Errors', num: true },
    { key: 'failure', label: 'Why it failed', wrap: true, show: (u) => u.failure || '' },
  ];
  return html`<div class="row filter"><h2>Units</h2><${Choose} label="State of units" name="state" all="every state" options=${['open', 'judging', 'provisional', 'accepted', 'failed', 'delivered']} /></div>
    <${Table} path="/v1/batches/${batch}/units${state ? `?state=${state}` : ''}" columns=${columns} name="batch-${batch}-units" id=${(u) => u.unit} empty=${state ? 'No unit is in this state.' : 'No unit yet.'} />`;
}

function Answers({ batch }) {
  const file = (o) => html`<a key=${o.path} href="/v1/blobs/${o.sha256}" download="${batch}-${o.path.split('/').pop()}">${o.path}</a>`;
  const columns = [
    { key: 'seq', label: 'No.', num: true }, { key: 'unit', label: 'Unit', show: (r) => html`<a href="/admin/units/${r.unit}">${r.unit}</a>` },
    { key: 'state', label: 'Outcome', show: (r) => html`<${State} word=${r.state} />` },
    { key: 'outputs', label: 'Files', wrap: true, raw: (r) => (r.outputs || []).map((o) => `${o.path}=${o.sha256}`).join(' '), show: (r) => (r.outputs ? html`<span class="row">${r.outputs.map(file)}</span>` : r.failure || '–') },
    { key: 'bytes', label: 'Size', num: true, raw: (r) => (r.outputs || []).reduce((s, o) => s + o.bytes, 0), show: (r) => (r.outputs ? bytes(r.outputs.reduce((s, o) => s + o.bytes, 0)) : '') },
  ];
  return html`<h2>Answers, as they were delivered</h2><${Table} path="/v1/batches/${batch}/results" columns=${columns} name="batch-${batch}-answers" id=${(r) => r.seq} cursor="from" every=${10000} empty="None has been delivered yet." />`;
}

export function Batch({ batch }) {
  const { data: b, error, reload } = useData(`/v1/batches/${batch}`, 3000);
  const { data: why } = useData(`/v1/batches/${batch}/explain`, 10000);
  if (!b) return html`<h1>Batch ${batch}</h1>${error ? html`<${Failure} error=${error} />` : html`<p role="status">Loading…</p>`}`;
  const ended = ['done', 'cancelled'].includes(b.state);
  return html`<h1>Batch ${b.batch}${b.name ? `: ${b.name}` : ''} <${State} word=${b.state} /></h1>
    <p>${b.app} ${b.version}, submitted by ${b.user_name || `user ${b.user}`} <${When} ms=${b.created_ms} />${b.finished_ms ? html`, finished <${When} ms=${b.finished_ms} />` : ''}${!ended && b.eta_ms ? `, about ${duration(b.eta_ms)} to go` : ''}</p>
    <${Progress} parts=${parts(b)} total=${total(b)} label=${summary(b)} />
    <div class="cards">
      <${Card} label="Accepted" value=${count(b.accepted)} note="of ${count(total(b))}, ${percent(b.accepted / (total(b) || 1))}" /><${Card} label="Failed" value=${count(b.failed)} tone=${b.failed ? 'bad' : ''} />
      <${Card} label="Not done" value=${count(b.open + b.judging)} note=${[b.provisional && `${count(b.provisional)} have an answer that is provisional`, b.judging && `${count(b.judging)} being compared`].filter(Boolean).join(', ')} /><${Card} label="Attempts at hosts" value=${count(b.leased)} note=${b.unsent ? `${count(b.unsent)} wait for a host` : ''} />
      <${Card} label="Runs for an answer" value=${Number.isFinite(b.policy?.runs_measured) ? b.policy.runs_measured.toFixed(2) : '–'} note=${`${b.policy ? `${b.policy.name}, ${b.policy.runs_expected.toFixed(2)} expected; ` : ''}${count(b.errors)} errors, ${count(b.invalid)} invalid`} /><${Card} label="Wrong, at most" value=${b.policy ? share(b.policy.wrong_measured ?? b.policy.wrong_at_most) : '–'} note=${b.policy ? (Number.isFinite(b.policy.liars_measured) ? `with as many liars as were found, ${share(b.policy.liars_measured)} at most; ${share(b.policy.wrong_at_most)} with ${share(b.policy.liars_assumed)}` : `of what is accepted, with ${share(b.policy.liars_assumed)} liars`) : ''} /><${Card} label="CPU time given" value=${duration(b.cpu_ms)} /></div>
    ${why?.text && html`<div class="note">${why.text}</div>`}${error && html`<${Failure} error=${error} />`}
    <div class="row"><${Actions} ids=${[b.batch]} after=${reload} batch=${b} />${!ended && html`<${Priority} batch=${b} after=${reload} />`}</div>
    <h2>What failed, by reason</h2><${FailureGroups} batch=${batch} />
    <${Units} batch=${batch} /><${Answers} batch=${batch} />
    <${Cli}>dugnad status ${batch}; dugnad explain ${batch}; dugnad failures ${batch}; dugnad results ${batch}<//>`;
}
