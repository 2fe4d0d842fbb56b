// Work: batches, the graph of their stages, one work unit, and submitting a batch.
import { html, useEffect, useState } from '../view.js';
import { Action, Card, Choose, Cli, Digest, Failure, Progress, Rows, Said, Sentence, State, Table, Waiting, When, bad, download, go, num, pages, state, text, to, useData, useQuery, when } from '../parts.js';
import { bytes, count, duration, failing, fromText, percent, small, stateOf, time } from '../format.js';
import { bytesOf, get, hexOf, may, patch, post, postLines, upload } from '../api.js';

// --- the graph of stages that a batch belongs to: each stage a box, after those that it waits for ---

const WIDE = 172, HIGH = 62, ACROSS = 46, DOWN = 16;
const needs = (s) => [...s.after, ...(s.source ? [s.source] : [])].map(String);

// Puts each stage one column after the last of those that it needs.
function layout(stages) {
  const by = new Map(stages.map((s) => [String(s.batch), s])), column = new Map(), rows = [];
  const find = (id) => {
    if (!column.has(id)) { column.set(id, 0); column.set(id, Math.max(-1, ...needs(by.get(id)).filter((n) => by.has(n)).map(find)) + 1); }
    return column.get(id);
  };
  const placed = stages.map((s) => { const c = find(String(s.batch)), r = (rows[c] = (rows[c] ?? -1) + 1); return { s, x: c * (WIDE + ACROSS) + 2, y: r * (HIGH + DOWN) + 2 }; });
  return { placed, at: new Map(placed.map((p) => [String(p.s.batch), p])), width: rows.length * (WIDE + ACROSS) - ACROSS + 4, height: (Math.max(...rows) + 1) * (HIGH + DOWN) - DOWN + 4 };
}

const short = (t, n) => (t.length > n ? `${t.slice(0, n - 1)}…` : t);

function Box({ p, here }) {
  const { s, x, y } = p, { tone, icon } = stateOf(s.failed ? 'failed' : s.state), share = (n) => (WIDE - 16) * Math.min(1, n / (s.units || 1));
  return html`<a href="/admin/batches/${s.batch}" aria-current=${here ? 'true' : undefined}><g class="stage ${here ? 'here' : ''}"><title>${s.name || s.app}: ${s.state}, ${count(s.accepted)} of ${count(s.units)} accepted, ${count(s.failed)} failed${s.why ? `. ${s.why}` : ''}</title>
    <rect x=${x} y=${y} width=${WIDE} height=${HIGH} rx="7" /><text class="name" x=${x + 8} y=${y + 18}>${short(`${s.batch} ${s.name || s.app}`, 24)}</text>
    <text class=${tone} x=${x + 8} y=${y + 36}>${icon} ${s.state}</text><text x=${x + WIDE - 8} y=${y + 36} text-anchor="end">${count(s.accepted)} / ${count(s.units)}</text>
    <rect class="rest" x=${x + 8} y=${y + 46} width=${WIDE - 16} height="8" /><rect class="good" x=${x + 8} y=${y + 46} width=${share(s.accepted)} height="8" /><rect class="bad" x=${x + 8 + share(s.accepted)} y=${y + 46} width=${share(s.failed)} height="8" /></g></a>`;
}

export function Graph({ batch }) {
  const { data } = useData(`/v1/batches/${batch}/graph`, 4000);
  if (!data || data.stages.length < 2) return null;
  const { placed, at, width, height } = layout(data.stages);
  const lines = placed.flatMap((p) => needs(p.s).map((n) => at.get(n)).filter(Boolean).map((q) => ({ key: `${q.s.batch}-${p.s.batch}`, x1: q.x + WIDE, y1: q.y + HIGH / 2, x2: p.x, y2: p.y + HIGH / 2 })));
  return html`<h2>Stages</h2><div class="scroll graph" tabindex="0" role="region" aria-label="Graph of stages"><svg width=${width} height=${height}>
    ${lines.map((l) => html`<path key=${l.key} d="M${l.x1} ${l.y1}C${l.x1 + ACROSS / 2} ${l.y1} ${l.x2 - ACROSS / 2} ${l.y2} ${l.x2} ${l.y2}" />`)}
    ${placed.map((p) => html`<${Box} key=${p.s.batch} p=${p} here=${String(p.s.batch) === batch} />`)}</svg></div>`;
}

// --- the answers of a batch as one tar file, made in the browser of what the server gives file by file ---

const utf8 = new TextEncoder(), BLOCK = 512;
export const TAR_BYTES_MAX = 512 << 20; // all of it is in memory until it is saved

function head(folder, path, size) {
  const h = new Uint8Array(BLOCK), put = (t, at, most) => h.set(utf8.encode(t).slice(0, most), at), octal = (n, digits) => `${n.toString(8).padStart(digits, '0')}\0`;
  put(path.slice(-100), 0, 100);
  put(octal(0o644, 7) + octal(0, 7) + octal(0, 7) + octal(size, 11) + octal(Math.floor(Date.now() / 1000), 11) + '        0', 100, 57);
  put('ustar\x0000', 257, 8);
  put(folder, 345, 155);
  put(`${octal(h.reduce((s, b) => s + b, 0), 6)} `, 148, 8);
  return h;
}

// results: of GET /v1/batches/B/results. Gives the parts of the file; say(share) hears how far it is.
export async function tarOf(results, folder, say) {
  const files = results.flatMap((r) => (r.outputs || []).map((o) => ({ ...o, folder: `${folder}/${r.unit}` }))), parts = [];
  for (const [i, f] of files.entries()) {
    const data = f.data === undefined ? await bytesOf(f.sha256) : Uint8Array.from(atob(f.data), (c) => c.charCodeAt(0));
    parts.push(head(f.folder, f.path, data.length), data, new Uint8Array((BLOCK - (data.length % BLOCK)) % BLOCK));
    say((i + 1) / files.length);
  }
  return [...parts, new Uint8Array(2 * BLOCK)];
}

// --- batches: the list, and one batch ---

const parts = (b) => [['good', b.accepted], ['bad', b.failed], ['warn', b.judging]];
const total = (b) => Math.max(b.units, b.units_wanted || 0);
const summary = (b) => `${count(b.accepted)} of ${count(total(b))} accepted, ${count(b.failed)} failed, ${count(b.judging)} being compared`;
const by = (b) => b.user_name || `user ${b.user}`;
const each = (list, act) => async () => { for (const x of list) await act(x); };

// What may be done depends on the state; without a batch (several are selected) all of it may.
function Actions({ ids, after, batch }) {
  if (!may('scientist')) return null;
  const what = ids.length > 1 ? `${ids.length} batches` : `batch ${ids[0]}`, ended = ['done', 'cancelled'].includes(batch?.state);
  const act = (verb) => ({ run: each(ids, (id) => post(`/v1/batches/${id}/${verb}`)), after, cli: `dugnad ${verb} ${ids.join(' ')}` });
  const warning = html`<p>This stops ${what} for good: units that are not done are given up, and hosts are told to stop theirs. Answers that are in stay.</p>`;
  return html`
    ${!ended && batch?.state !== 'paused' && html`<${Action} label="Pause" ...${act('pause')} />`}
    ${(!batch || batch.state === 'paused') && html`<${Action} label="Resume" ...${act('resume')} main=${!!batch} />`}
    ${(!batch || (batch.failed > 0 && batch.state !== 'cancelled' && !batch.purged_files)) && html`<${Action} label="Retry what failed" ...${act('retry')} main=${batch?.state === 'done'} />`}
    ${batch?.state === 'loading' && html`<${Action} label="Close" ...${act('close')} />`}
    ${!ended && html`<${Action} label="Cancel" title="Cancel ${what}" danger ...${act('cancel')} word=${ids.length > 1 ? 'cancel' : ids[0]} confirm=${warning} />`}
    ${ended && !batch.purged_files && html`<${Action} label="Purge" title="Purge ${what}" danger ...${act('purge')} word=${ids[0]} confirm=${html`<p>This removes the files of ${what} for good: answers over 4 KiB now, inputs that nothing else needs later. Numbers and histories stay.</p>`} />`}`;
}

export function Batches() {
  const [query, setQuery] = useQuery(), wanted = new URLSearchParams(['state', 'search'].filter((k) => query.get(k)).map((k) => [k, query.get(k)])).toString();
  const columns = [
    to('batches', 'batch', 'Batch'), { key: 'name', label: 'Name', wrap: true, show: (b) => (b.name ? html`<a href="/admin/batches/${b.batch}">${b.name}</a>` : '–') },
    { key: 'app', label: 'App', raw: (b) => `${b.app} ${b.version}`, show: (b) => `${b.app} ${b.version}` }, state((b) => b.state),
    { key: 'progress', label: 'Progress', raw: (b) => b.accepted / (total(b) || 1), show: (b) => html`<${Progress} parts=${parts(b)} total=${total(b)} label=${summary(b)} />` },
    { key: 'accepted', label: 'Accepted', num: true, show: (b) => `${count(b.accepted)} / ${count(total(b))}` }, bad('failed', 'Failed'), num('priority', 'Priority'), { key: 'user', label: 'By', raw: by, show: by }, when('created_ms', 'Submitted'),
  ];
  return html`<div class="row"><h1>Batches</h1>${may('scientist') && html`<a class="button" href="/admin/batches/new">Submit a batch</a>`}</div>
    <div class="row filter"><${Choose} label="State" name="state" all="every state" options=${['loading', 'running', 'paused', 'done', 'cancelled']} />
    <input type="search" aria-label="Name contains" placeholder="Name contains…" value=${query.get('search') || ''} onChange=${(e) => setQuery({ search: e.target.value, after: '' })} /></div>
    <${Table} path="/v1/batches${wanted ? `?${wanted}` : ''}" columns=${columns} name="batches" id=${(b) => b.batch} bulk=${may('scientist') && ((ids, clear) => html`<${Actions} ids=${ids} after=${clear} />`)}
      empty=${wanted ? 'No batch matches.' : html`No batch yet. A scientist submits one here, or with <code>dugnad submit APP --array 1..100 -- '{}'</code>.`} />
    <${Cli}>dugnad ls<//>`;
}

function Priority({ batch, after }) {
  const [value, setValue] = useState(null);
  if (!may('scientist')) return null;
  return html`<span class="row"><label for="priority">Priority</label><input id="priority" type="number" class="number" value=${value ?? batch.priority} onInput=${(e) => setValue(e.target.value)} />
    ${value !== null && html`<${Action} label="Set" cli="dugnad priority ${batch.batch} ${value}" run=${() => patch(`/v1/batches/${batch.batch}`, { priority: Number(value) })} after=${() => { setValue(null); after(); }} />`}</span>`;
}

// Starts those failed units again of which an attempt failed in this way.
async function retryGroup(batch, f) {
  const like = (a) => a.error === f.error && (!f.pattern || (a.pattern === f.pattern && (a.exit_code || 0) === (f.exit_code || 0) && (a.signal || 0) === (f.signal || 0)));
  for (const { unit } of await pages(`/v1/batches/${batch}/units?state=failed`))
    if ((await get(`/v1/units/${unit}`)).attempts.some(like)) await post(`/v1/units/${unit}/retry`);
}

function FailureGroups({ batch, retry, after }) {
  const { data, error } = useData(`/v1/batches/${batch}/failures`, 8000);
  if (error) return html`<${Failure} error=${error} />`;
  if (!data?.items.length) return html`<p>${data ? 'No attempt has failed.' : 'Loading…'}</p>`;
  const again = (f, i) => retry && html`<${Action} label="Retry these" cli="dugnad retry ${batch} --group ${i + 1}" run=${() => retryGroup(batch, f)} after=${after} />`;
  return data.items.map((f, i) => html`<${Said} key=${i} f=${f} act=${again(f, i)}><b>${count(f.count)} ×</b> (<a href="/admin/units/${f.unit}">${f.unit}</a>) <//>`);
}

function Units({ batch }) {
  const [query] = useQuery(), wanted = query.get('state') || '';
  const columns = [to('units', 'unit', 'Unit'), state((u) => (u.failure ? 'failed' : u.state)), num('attempts', 'Attempts'), num('leased', 'At hosts'), bad('errors', 'Errors'), { ...text('failure', 'Why it failed'), show: (u) => u.failure || '' }];
  const act = (ids, after, verb) => ({ run: each(ids, (id) => post(`/v1/units/${id}/${verb}`)), after, cli: `dugnad ${verb} ${ids.join(' ')}` });
  const bulk = (ids, clear) => html`<${Action} label="Retry" ...${act(ids, clear, 'retry')} /><${Action} label="Cancel" title="Cancel ${ids.length} units" danger word="cancel" confirm=${html`<p>These units are given up, and hosts are told to stop them.</p>`} ...${act(ids, clear, 'cancel')} />`;
  return html`<div class="row filter"><h2>Units</h2><${Choose} label="State of units" name="state" all="every state" options=${['open', 'judging', 'provisional', 'accepted', 'failed', 'delivered']} /></div>
    <${Table} path="/v1/batches/${batch}/units${wanted ? `?state=${wanted}` : ''}" columns=${columns} name="batch-${batch}-units" id=${(u) => u.unit} bulk=${may('scientist') && bulk} empty=${wanted ? 'No unit is in this state.' : 'No unit yet.'} />`;
}

const size = (r) => (r.outputs || []).reduce((s, o) => s + o.bytes, 0);

function SaveAll({ batch }) {
  const [share, setShare] = useState(null), cli = `dugnad results ${batch} --out DIR`;
  const save = async () => {
    try {
      const list = await pages(`/v1/batches/${batch}/results`), all = list.reduce((s, r) => s + size(r), 0);
      if (all > TAR_BYTES_MAX) throw new Error(`These are ${bytes(all)}, too much for a browser: ${cli}`);
      download(`batch-${batch}.tar`, 'application/x-tar', await tarOf(list, `batch-${batch}`, setShare));
    } finally { setShare(null); }
  };
  return html`<${Action} label="Download all" run=${save} cli=${cli} />${share !== null && html`<span role="status">${percent(share, 0)}</span>`}`;
}

function Answers({ batch, any }) {
  const file = (o) => html`<a key=${o.path} href="/v1/blobs/${o.sha256}" download="${batch}-${o.path.split('/').pop()}">${o.path}</a>`;
  const columns = [
    { key: 'seq', label: 'No.', num: true }, to('units', 'unit', 'Unit'), state((r) => r.state),
    { key: 'outputs', label: 'Files', wrap: true, raw: (r) => (r.outputs || []).map((o) => `${o.path}=${o.sha256}`).join(' '), show: (r) => (r.outputs ? html`<span class="row">${r.outputs.map(file)}</span>` : r.failure || '–') },
    { key: 'bytes', label: 'Size', num: true, raw: size, show: (r) => (r.outputs ? bytes(size(r)) : '') },
  ];
  return html`<div class="row"><h2>Answers, as they were delivered</h2>${any && html`<${SaveAll} batch=${batch} />`}</div><${Table} path="/v1/batches/${batch}/results" columns=${columns} name="batch-${batch}-answers" id=${(r) => r.seq} cursor="from" every=${8000} empty="None has been delivered yet." />`;
}

export function Batch({ batch }) {
  const { data: b, error, reload } = useData(`/v1/batches/${batch}`, 3000);
  const { data: why } = useData(`/v1/batches/${batch}/explain`, 8000);
  if (!b) return html`<${Waiting} title="Batch ${batch}" error=${error} />`;
  const ended = ['done', 'cancelled'].includes(b.state);
  return html`<h1>Batch ${b.batch}${b.name ? `: ${b.name}` : ''} <${State} word=${b.state} /></h1>
    <p>${b.app} ${b.version}, submitted by ${by(b)} <${When} ms=${b.created_ms} />${b.finished_ms ? html`, finished <${When} ms=${b.finished_ms} />` : ''}${!ended && b.eta_ms ? `, about ${duration(b.eta_ms)} to go` : ''}</p>
    <${Progress} parts=${parts(b)} total=${total(b)} label=${summary(b)} />
    <div class="cards">
      <${Card} label="Accepted" value=${count(b.accepted)} note="of ${count(total(b))}, ${percent(b.accepted / (total(b) || 1))}" /><${Card} label="Failed" value=${count(b.failed)} tone=${b.failed ? 'bad' : ''} />
      <${Card} label="Not done" value=${count(b.open + b.judging)} note=${[b.judging && `${count(b.judging)} being compared`, b.provisional && `${count(b.provisional)} provisional`].filter(Boolean).join(', ')} /><${Card} label="Attempts at hosts" value=${count(b.leased)} note=${b.unsent ? `${count(b.unsent)} wait for a host` : ''} />
      <${Card} label="Runs for an answer" value=${Number.isFinite(b.policy?.runs_measured) ? b.policy.runs_measured.toFixed(2) : b.accepted ? ((b.attempts - b.leased) / b.accepted).toFixed(2) : '–'} note="${count(b.errors)} errors, ${count(b.invalid)} invalid" /><${Card} label="CPU time given" value=${duration(b.cpu_ms)} /></div>
    ${why?.text && html`<div class="note"><${Sentence} text=${why.text} /></div>`}${error && html`<${Failure} error=${error} />`}
    <div class="row"><${Actions} ids=${[b.batch]} after=${reload} batch=${b} />${!ended && html`<${Priority} batch=${b} after=${reload} />`}</div>
    <${Graph} batch=${batch} />
    <h2>What failed, by reason</h2><${FailureGroups} batch=${batch} retry=${may('scientist') && b.failed > 0 && b.state !== 'cancelled'} after=${reload} />
    <${Units} batch=${batch} /><${Answers} batch=${batch} any=${b.accepted > 0} />
    <${Cli}>dugnad status ${batch}; dugnad explain ${batch}; dugnad failures ${batch}; dugnad results ${batch}; dugnad graph ${batch}<//>`;
}

// --- one work unit: its attempts, and its history as a timeline ---

const host = (id) => html`<a href="/admin/hosts/${id}">host ${id}</a>`;

// A line of rules/wu_history.h as a sentence: [event, milliseconds after base_ms, ...].
const SAYS = {
  submit: () => 'submitted', delivered: () => 'outcome delivered', cancel: () => 'cancelled', retry: () => 'started again with fresh limits',
  spare: () => 'one more attempt wanted', final: () => 'its time of probation is over', confirm: ([answers]) => `${answers} equal answers wanted from now on`, audit: ([hosts]) => `${hosts} more ${hosts === 1 ? 'host' : 'hosts'} asked to check the answer`, purge: () => 'files removed: nothing can be compared any more', tick: () => 'looked at: time had passed',
  lease: ([attempt, id]) => html`attempt ${attempt} given to ${host(id)}`,
  renew: ([attempt, id]) => html`attempt ${attempt}: ${host(id)} still works on it`,
  report: ([attempt, id, answer]) => html`attempt ${attempt}: answer from ${host(id)} <${Digest} hex=${hexOf(fromText(answer))} />`,
  error: ([attempt, id, word]) => html`attempt ${attempt}: <strong class="bad">${word}</strong> at ${host(id)}`,
  judged: ([groups]) => (Array.isArray(groups) ? `answers compared: ${groups.map((g, i) => [g, i]).filter(([g]) => g !== 0).map(([g, i]) => `attempt ${i} ${g === -1 ? 'unusable' : `in group ${g}`}`).join(', ')}` : html`<strong class="bad">the judge gave up: ${groups}</strong>`),
};

function History({ unit }) {
  const lines = unit.history || [];
  return html`<ol class="timeline">${lines.map(([word, after, ...rest], i) => html`<li key=${i} class=${word}><time title=${time(unit.base_ms + after)}>+${duration(after)}</time> ${(SAYS[word] || (() => word))(rest)}</li>`)}</ol>`;
}

const used = (a) => [a.cpu_ms !== undefined && `${duration(a.cpu_ms)} CPU`, a.memory_bytes && bytes(a.memory_bytes)].filter(Boolean).join(', ');

function Attempts({ unit }) {
  const columns = [
    { key: 'attempt', label: 'Attempt', show: (a) => html`${a.attempt}${a.attempt === unit.canonical && html` <span title="The canonical answer: the one that is kept">★</span>`}` }, state((a) => a.state),
    { key: 'host', label: 'Host', show: (a) => (a.host ? host(a.host) : '–') }, when('sent_ms', 'Sent'),
    { key: 'took', label: 'Took', raw: (a) => a.ended_ms - a.sent_ms || '', show: (a) => (a.ended_ms ? duration(a.ended_ms - a.sent_ms) : a.deadline_ms ? html`due <${When} ms=${a.deadline_ms} />` : '–') },
    { key: 'used', label: 'Used', raw: used, show: (a) => used(a) || '–' }, { key: 'answer', label: 'Answer', show: (a) => html`<${Digest} hex=${a.answer} />` },
    { key: 'error', label: 'What it said', wrap: true, raw: (a) => [a.error && failing(a), a.message, a.stderr].filter(Boolean).join(': '), show: (a) => (a.error ? html`<strong class="bad">${failing(a)}</strong>${a.message ? `: ${a.message}` : ''}${a.stderr ? html`<pre>${a.stderr.trim()}</pre>` : ''}` : '') },
  ];
  return html`<${Rows} rows=${unit.attempts} columns=${columns} name="attempts" id=${(a) => a.attempt} empty="None yet." />`;
}

function Files({ list }) {
  return html`<dl>${list.map((o) => html`<dt key="n${o.path}"><a href="/v1/blobs/${o.sha256}" download=${o.path.split('/').pop()}>${o.path}</a></dt><dd key="f${o.path}">${bytes(o.bytes)} <${Digest} hex=${o.sha256} n=${16} /></dd>`)}</dl>`;
}

export function Unit({ unit }) {
  const { data: u, error, reload } = useData(`/v1/units/${unit}`, 5000);
  const { data: why } = useData(`/v1/units/${unit}/explain`, 10000);
  if (!u) return html`<${Waiting} title="Unit ${unit}" error=${error} />`;
  const batch = unit.split('.')[0], failed = !!u.failure && u.failure !== 'none', over = failed || u.canonical !== null;
  return html`<h1>Unit ${unit} <${State} word=${failed ? 'failed' : u.state} /></h1>
    <p>Part of <a href="/admin/batches/${batch}">batch ${batch}</a>${u.rules?.escrow === 'none' ? `; wants ${u.rules.quorum} equal ${u.rules.quorum === 1 ? 'answer' : 'answers'}` : ''}${failed ? html`; failed: <strong class="bad">${u.failure}</strong>` : ''}${u.purged ? '; its files have been removed' : ''}</p>
    ${why?.text && html`<div class="note"><${Sentence} text=${why.text} /></div>`}${error && html`<${Failure} error=${error} />`}
    ${may('scientist') && html`<div class="row">${failed && html`<${Action} label="Retry" main cli="dugnad retry ${unit}" run=${() => post(`/v1/units/${unit}/retry`)} after=${reload} />`}
      ${!over && html`<${Action} label="Cancel" title="Cancel unit ${unit}" danger word=${unit} confirm=${html`<p>This unit is given up, and hosts are told to stop it.</p>`} cli="dugnad cancel ${unit}" run=${() => post(`/v1/units/${unit}/cancel`)} after=${reload} />`}</div>`}
    <h2>Attempts</h2><${Attempts} unit=${u} />
    ${u.outputs?.length > 0 && html`<h2>Canonical answer</h2><${Files} list=${u.outputs} />`}
    <h2>History</h2><p class="soft">Times after ${time(u.base_ms)}, when the batch was submitted.</p><${History} unit=${u} />
    <h2>Question</h2><pre>${JSON.stringify(u.vars, null, 1)}</pre>${u.inputs?.length > 0 && html`<h3>Inputs of its own</h3><${Files} list=${u.inputs} />`}
    <${Cli}>dugnad show ${unit}; dugnad explain ${unit}; dugnad replay ${unit}<//>`;
}

// --- a batch from the browser: files or numbers, an app, the price, submit ---

const LINES = 5000; // units in one request

// The newest version in use of each app.
function newest(items) {
  const apps = new Map();
  for (const r of items) if (!r.retired && !(apps.get(r.app)?.version >= r.version)) apps.set(r.app, r);
  return [...apps.values()].sort((a, b) => (a.app < b.app ? -1 : 1));
}

async function uploadAll(files, say) {
  const units = [];
  for (const [i, f] of files.entries()) {
    const what = `Uploading ${f.name}, ${i + 1} of ${files.length}`;
    say(what);
    const blob = await upload(f, (share) => say(`${what}: ${percent(share, 0)}`));
    units.push({ vars: { '': f.name }, inputs: [{ path: f.name, ...blob }] });
  }
  return units;
}

// A batch whose units could not all be told is taken back: nobody would close it.
async function fillBatch(batch, units) {
  try {
    for (let i = 0; i < units.length; i += LINES) await postLines(`/v1/batches/${batch}/units?first=${i}`, units.slice(i, i + LINES));
    await post(`/v1/batches/${batch}/close`);
  } catch (e) {
    await post(`/v1/batches/${batch}/cancel`).catch(() => {});
    throw e;
  }
}

async function submitBatch(order, files, say) {
  const units = await uploadAll(files, say);
  say('Submitting');
  const { batch } = await post('/v1/batches', order);
  if (files.length) await fillBatch(batch, units);
  return batch;
}

// What the server says that this would cost; asked again a moment after the form has changed.
function usePrice(order) {
  const [price, setPrice] = useState(null), [error, setError] = useState(null), text = JSON.stringify(order);
  useEffect(() => {
    if (!order) return undefined;
    let live = true;
    const timer = setTimeout(async () => {
      try { const p = await post('/v1/price', order); if (live) { setPrice(p); setError(null); } } catch (e) { if (live) setError(e); }
    }, 250);
    return () => { live = false; clearTimeout(timer); };
  }, [text]);
  return { price, error };
}

function Price({ units, order }) {
  const { price: p, error } = usePrice(order);
  if (!(units > 0)) return html`<p class="bad">There is no unit in this: the last number must not be below the first.</p>`;
  if (error) return html`<${Failure} error=${error} />`;
  if (!p) return html`<p role="status">The price…</p>`;
  const { runs_expected: runs, wrong_at_most: wrong, liars_assumed: liars } = p.policy;
  return html`<div class="note" role="status"><strong>${count(units)} ${units === 1 ? 'unit' : 'units'} × ${runs.toFixed(2)} runs = about ${count(Math.ceil(units * runs))} attempts</strong>${p.cost ? `, ${duration(units * runs * p.cost * 1000)} of one reference core` : ''}.
    Policy ${p.policy.name}: ${wrong > 0 ? `with ${percent(liars, 0)} liars at their best, at most ${small(wrong)} of what is accepted is wrong.` : 'what is accepted is as right as the app’s checker.'}</div>`;
}

const WAYS = [['', 'as the app makes possible'], ['adaptive', 'adaptive: trusted hosts alone, the others checked'], ['quorum', 'quorum: equal answers from different owners'], ['audit', 'audit: some items of each answer'], ['checker', 'checker: the app’s own check'], ['once', 'once: on the project’s own hosts']];

export function NewBatch() {
  const { data, error } = useData('/v1/apps?limit=1000');
  const [files, setFiles] = useState([]), [form, setForm] = useState({ app: '', name: '', command: '{}', first: '1', last: '10', policy: '', quorum: '2', priority: '' });
  const [busy, setBusy] = useState(''), [problem, setProblem] = useState(null), [over, setOver] = useState(false);
  if (!data) return html`<${Waiting} title="Submit a batch" error=${error} />`;
  const apps = newest(data.items), units = files.length || Number(form.last) - Number(form.first) + 1, which = form.app || (apps.length && `${apps[0].app} ${apps[0].version}`);
  if (apps.length === 0) return html`<h1>Submit a batch</h1><p>No app has been published yet: <a href="/admin/apps">Apps and releases</a> tells how.</p>`;
  const [app, version] = which.split(' '), words = form.command.trim(), rules = form.policy ? { policy: form.policy, ...(form.policy === 'quorum' && { min_quorum: Number(form.quorum) }) } : {};
  const order = { app, version: Number(version), command: words ? words.split(/\s+/) : [], rules, ...(form.name && { name: form.name }), ...(form.priority && { priority: Number(form.priority) }), ...(!files.length && { array: { first: Number(form.first), last: Number(form.last) } }) };
  const submit = async (e) => {
    e.preventDefault();
    setProblem(null);
    setBusy('Starting');
    try { go(`/admin/batches/${await submitBatch(order, files, setBusy)}`); } catch (x) { setProblem(x); setBusy(''); }
  };
  const is = (name) => ({ id: name, value: form[name], onInput: (e) => setForm({ ...form, [name]: e.target.value }) });
  const drag = (on) => (e) => { e.preventDefault(); setOver(on); };
  const drop = (e) => { e.preventDefault(); setOver(false); setFiles([...e.dataTransfer.files]); };
  const cli = `dugnad submit ${app} ${files.length ? "--each-file 'FOLDER/*'" : `--array ${form.first}..${form.last}`}${form.name ? ` --name '${form.name}'` : ''}${form.policy ? ` --policy ${form.policy}` : ''}${form.policy === 'quorum' ? ` --quorum ${form.quorum}` : ''}${form.priority ? ` --priority ${form.priority}` : ''} -- '${form.command}'`;
  return html`<h1>Submit a batch</h1>
    <form onSubmit=${submit} class="form">
      <label for="app">App</label><select ...${{ ...is('app'), value: which }}>${apps.map((a) => html`<option key=${a.app} value="${a.app} ${a.version}">${a.app} ${a.version}${a.title ? `: ${a.title}` : ''}</option>`)}</select>
      <label for="name">Name of the batch, for people (optional)</label><input ...${is('name')} maxlength="128" class="wide" />
      <div class="drop ${over ? 'over' : ''}" onDragOver=${drag(true)} onDragLeave=${drag(false)} onDrop=${drop}>
        <label for="files">Input files, one unit for each: choose them, or drop them here</label><input id="files" type="file" multiple onChange=${(e) => setFiles([...e.target.files])} />
        ${files.length > 0 ? html`<p>${count(files.length)} files, ${bytes(files.reduce((s, f) => s + f.size, 0))} <button type="button" onClick=${() => setFiles([])}>Without files</button></p>`
          : html`<p class="row"><span>or no files, but a number for each unit, from</span><input aria-label="First number" type="number" class="number" ...${is('first')} /><span>to</span><input aria-label="Last number" type="number" class="number" ...${is('last')} /></p>`}</div>
      <label for="command">Words after the program; {} stands for the file’s name or the number</label><input ...${is('command')} class="wide mono" spellcheck="false" />
      <label for="policy">How answers are made sure of</label><select ...${is('policy')}>${WAYS.map(([value, name]) => html`<option key=${value} value=${value}>${name}</option>`)}</select>
      ${form.policy === 'quorum' && html`<label for="quorum">Equal answers wanted, from different owners</label><input ...${is('quorum')} type="number" min="1" max="8" class="number" />`}
      <label for="priority">Priority (optional; higher goes first)</label><input ...${is('priority')} type="number" class="number" />
      <${Price} units=${units} order=${units > 0 ? order : null} />
      ${problem && html`<${Failure} error=${problem} />`}
      <p class="row"><button class="main" type="submit" disabled=${!!busy || !(units > 0)}>Submit</button> <span role="status">${busy}</span></p></form>
    <${Cli}>${cli}<//>`;
}
