// Batches: the list, one batch, and a new one from the browser.
import { html, useState } from '../vendor/preact-htm.js';
import { get, patch, post, upload } from '../api.js';
import { Action, Card, Cli, Failure, Progress, State, Table, When, go, useData, useQuery } from '../parts.js';
import { bytes, count, duration, percent } from '../format.js';

const parts = (b) => [['good', b.accepted], ['bad', b.failed], ['warn', b.judging], ['busy', b.leased]];
const summary = (b) => `${count(b.accepted)} of ${count(b.units)} accepted, ${count(b.failed)} failed`;
const act = (ids, verb) => async () => { for (const id of ids) await post(`/v1/batches/${id}/${verb}`); };

function Actions({ ids, after, batch }) {
  const n = ids.length > 1 ? `${ids.length} batches` : `batch ${ids[0]}`;
  return html`
    <${Action} label="Pause" run=${act(ids, 'pause')} after=${after} />
    <${Action} label="Resume" run=${act(ids, 'resume')} after=${after} />
    <${Action} label="Retry what failed" run=${act(ids, 'retry')} after=${after} main=${batch?.failed > 0} />
    <${Action} label="Cancel" danger run=${act(ids, 'cancel')} after=${after} word=${ids.length > 1 ? 'cancel' : ids[0]} confirm=${html`<p>This stops ${n} for good: units that are not done are given up, and hosts are told to stop theirs. Answers that are in stay.</p>`} />`;
}

export function Batches() {
  const [query, setQuery] = useQuery();
  const state = query.get('state') || '', search = query.get('search') || '';
  const filter = new URLSearchParams({ ...(state && { state }), ...(search && { search }) }).toString();
  const columns = [
    { key: 'batch', label: 'Batch', show: (b) => html`<a href="/admin/batches/${b.batch}">${b.batch}</a>` },
    { key: 'name', label: 'Name', wrap: true, show: (b) => b.name || '–' },
    { key: 'app', label: 'App', show: (b) => `${b.app} ${b.version}` },
    { key: 'state', label: 'State', show: (b) => html`<${State} word=${b.state} />` },
    { key: 'units', label: 'Progress', raw: (b) => b.accepted / b.units, show: (b) => html`<${Progress} parts=${parts(b)} total=${b.units} label=${summary(b)} />` },
    { key: 'accepted', label: 'Accepted', num: true, show: (b) => `${count(b.accepted)} / ${count(b.units)}` },
    { key: 'failed', label: 'Failed', num: true, show: (b) => (b.failed ? html`<span class="bad">${count(b.failed)}</span>` : '0') },
    { key: 'created_ms', label: 'Submitted', show: (b) => html`<${When} ms=${b.created_ms} />` },
  ];
  return html`<div class="row"><h1>Batches</h1><a href="/admin/batches/new">Submit a batch</a></div>
    <div class="row" style=${{ marginBottom: '.7rem' }}><select aria-label="State" value=${state} onChange=${(e) => setQuery({ state: e.target.value, after: '' })}><option value="">every state</option>${['loading', 'running', 'paused', 'done', 'cancelled'].map((s) => html`<option value=${s}>${s}</option>`)}</select>
    <input type="search" aria-label="Name contains" placeholder="Name contains…" value=${search} onChange=${(e) => setQuery({ search: e.target.value, after: '' })} /></div>
    <${Table} path=${`/v1/batches${filter ? `?${filter}` : ''}`} columns=${columns} name="batches" id=${(b) => b.batch} bulk=${(ids, clear) => html`<${Actions} ids=${ids} after=${clear} />`}
      empty=${html`No batch matches. A scientist submits one with <code>dugnad submit --app NAME --array 1-100 -- '{}'</code>.`} />
    <${Cli}>dugnad list${state ? ` --state ${state}` : ''}<//>`;
}

function Failures({ batch, reload }) {
  const { data, error } = useData(`/v1/batches/${batch}/failures`, 10000);
  if (error) return html`<${Failure} error=${error} />`;
  if (!data || data.items.length === 0) return html`<p>${data ? 'No attempt has failed.' : 'Loading…'}</p>`;
  return data.items.map((f) => html`<article class="card" style=${{ marginBottom: '.6rem' }}><strong class="bad">${f.error}${f.exit_code !== undefined && f.exit_code !== null ? ` (status ${f.exit_code})` : ''}</strong>: ${count(f.count)} attempts, for example <a href="/admin/units/${f.unit}">${f.unit}</a> ${f.message || ''}${f.stderr ? html`<pre>${f.stderr}</pre>` : ''}</article>`);
}

export function Batch({ batch, path }) {
  const { data: b, error, reload } = useData(`/v1/batches/${batch}`, 3000);
  const { data: why } = useData(`/v1/batches/${batch}/explain`, 10000);
  const [query, setQuery] = useQuery();
  const state = query.get('state') || '';
  if (error) return html`<h1>Batch ${batch}</h1><${Failure} error=${error} />`;
  if (!b) return html`<p role="status">Loading…</p>`;
  const columns = [
    { key: 'unit', label: 'Unit', show: (u) => html`<a href="/admin/units/${u.unit}">${u.unit}</a>` },
    { key: 'state', label: 'State', show: (u) => html`<${State} word=${u.state} />` },
    { key: 'attempts', label: 'Attempts', num: true },
    { key: 'failure', label: 'Why', wrap: true, show: (u) => u.failure || '' },
  ];
  return html`<h1>Batch ${b.batch}${b.name ? `: ${b.name}` : ''} <${State} word=${b.state} /></h1>
    <p>${b.app} ${b.version}, submitted <${When} ms=${b.created_ms} />${b.finished_ms ? html`, finished <${When} ms=${b.finished_ms} />` : ''}${b.eta_ms ? `, about ${duration(b.eta_ms)} to go` : ''}</p>
    <${Progress} parts=${parts(b)} total=${b.units} label=${summary(b)} />
    <div class="cards" style=${{ marginTop: '.8rem' }}>
      <${Card} label="Accepted" value=${`${count(b.accepted)} / ${count(b.units)}`} note=${percent(b.accepted / b.units)} /><${Card} label="Waiting" value=${count(b.open)} /><${Card} label="Out at hosts" value=${count(b.leased)} />
      <${Card} label="Failed" value=${count(b.failed)} tone=${b.failed ? 'bad' : ''} /><${Card} label="Attempts per unit" value=${b.accepted ? (b.attempts / b.accepted).toFixed(2) : '–'} /></div>
    ${why?.text && html`<div class="note">${why.text}</div>`}
    <div class="row"><${Actions} ids=${[b.batch]} after=${reload} batch=${b} />
      <${Priority} batch=${b} after=${reload} /></div>
    <h2>What failed, by reason</h2><${Failures} batch=${batch} />
    <h2>Units</h2><div class="row" style=${{ marginBottom: '.6rem' }}><select aria-label="State" value=${state} onChange=${(e) => setQuery({ state: e.target.value, after: '' })}><option value="">every state</option>${['open', 'judging', 'accepted', 'failed', 'delivered'].map((s) => html`<option value=${s}>${s}</option>`)}</select></div>
    <${Table} path=${`/v1/batches/${batch}/units${state ? `?state=${state}` : ''}`} columns=${columns} name=${`batch-${batch}-units`} id=${(u) => u.unit} empty="No unit is in this state." />
    <${Cli}>dugnad status ${batch}; dugnad retry ${batch} --failed; dugnad results ${batch} -o DIR<//>`;
}

function Priority({ batch, after }) {
  const [value, setValue] = useState(batch.priority ?? 0);
  return html`<span class="row"><label for="priority" style=${{ margin: 0 }}>Priority</label><input id="priority" type="number" style=${{ width: '6rem' }} value=${value} onInput=${(e) => setValue(e.target.value)} />
    <${Action} label="Set" run=${() => patch(`/v1/batches/${batch.batch}`, { priority: Number(value) })} after=${after} /></span>`;
}

// Drop files, choose an app, submit: one unit per file.
export function NewBatch() {
  const { data: apps, error } = useData('/v1/apps');
  const [files, setFiles] = useState([]), [busy, setBusy] = useState(''), [problem, setProblem] = useState(null);
  if (error) return html`<${Failure} error=${error} />`;
  const submit = async (e) => {
    e.preventDefault();
    const form = new FormData(e.target), app = String(form.get('app'));
    setProblem(null);
    try {
      const units = [];
      for (const [i, f] of files.entries()) {
        setBusy(`Uploading ${f.name} (${i + 1} of ${files.length})`);
        const blob = await upload(f, (p) => setBusy(`Uploading ${f.name} (${i + 1} of ${files.length}): ${percent(p, 0)}`));
        units.push({ vars: { '': f.name }, inputs: [{ path: f.name, ...blob }] });
      }
      setBusy('Submitting');
      const command = String(form.get('command')).trim();
      const body = { app, name: String(form.get('name')) || undefined, command: command ? command.split(/\s+/) : [], rules: { min_quorum: Number(form.get('quorum')), target_attempts: Number(form.get('quorum')) } };
      const [first, last] = [Number(form.get('first')), Number(form.get('last'))];
      if (files.length === 0) body.array = { first, last };
      const b = await post('/v1/batches', body);
      if (units.length) {
        const reply = await fetch(`/v1/batches/${b.batch}/units?first=0`, { method: 'POST', headers: { 'Content-Type': 'application/x-ndjson', 'X-CSRF-Token': (await get('/v1/session')).csrf }, body: units.map((u) => JSON.stringify(u)).join('\n') + '\n' });
        if (!reply.ok) throw new Error((await reply.json()).error.message);
        await post(`/v1/batches/${b.batch}/close`);
      }
      go(`/admin/batches/${b.batch}`);
    } catch (x) { setProblem(x); setBusy(''); }
  };
  return html`<h1>Submit a batch</h1>${problem && html`<${Failure} error=${problem} />`}
    <form onSubmit=${submit} onDragOver=${(e) => e.preventDefault()} onDrop=${(e) => { e.preventDefault(); setFiles([...e.dataTransfer.files]); }}>
      <label for="app">App</label><select id="app" name="app" required>${(apps?.items || []).map((a) => html`<option value=${a.app}>${a.app} ${a.version}</option>`)}</select>
      <label for="bname">Name of the batch (optional)</label><input id="bname" name="name" />
      <label for="files">Files, one unit for each (or drop them on this page)</label><input id="files" type="file" multiple onChange=${(e) => setFiles([...e.target.files])} />
      ${files.length ? html`<p>${files.length} files, ${bytes(files.reduce((s, f) => s + f.size, 0))}</p>` : html`<div class="row"><span>or numbers from</span><input aria-label="First number" name="first" type="number" value="1" style=${{ width: '7rem' }} /><span>to</span><input aria-label="Last number" name="last" type="number" value="10" style=${{ width: '7rem' }} /></div>`}
      <label for="command">Words after the program; {} stands for the file's name or the number</label><input id="command" name="command" value="{}" style=${{ width: '100%', maxWidth: '30rem' }} />
      <label for="quorum">Equal answers wanted from different owners</label><input id="quorum" name="quorum" type="number" min="1" max="8" value="2" style=${{ width: '6rem' }} />
      <p><button class="main" type="submit" disabled=${!!busy}>Submit</button> <span role="status">${busy}</span></p></form>
    <${Cli}>dugnad submit --app NAME --glob 'in/*' -- '{}'<//>`;
}
