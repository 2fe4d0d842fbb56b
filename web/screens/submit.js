// A batch from the browser: files or numbers, an app, the price, submit.
import { html, useState } from '../view.js';
import { post, postLines, upload } from '../api.js';
import { Cli, Failure, go, useData } from '../parts.js';
import { bytes, count, percent } from '../format.js';

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

async function submitBatch(form, files, say) {
  const [app, version] = form.app.value.split(' '), quorum = Number(form.quorum.value), command = form.command.value.trim();
  const units = await uploadAll(files, say);
  say('Submitting');
  const body = { app, version: Number(version), command: command ? command.split(/\s+/) : [], rules: { min_quorum: quorum, target_attempts: quorum } };
  if (form.bname.value) body.name = form.bname.value;
  if (files.length === 0) body.array = { first: Number(form.first.value), last: Number(form.last.value) };
  const { batch } = await post('/v1/batches', body);
  if (files.length) await fillBatch(batch, units);
  return batch;
}

function Price({ units, quorum }) {
  if (!(units > 0)) return html`<p class="bad">There is no unit in this: the last number must not be below the first.</p>`;
  return html`<p>${count(units)} ${units === 1 ? 'unit' : 'units'}, each computed by ${count(quorum)} ${quorum === 1 ? 'host' : 'hosts of different owners'}: <strong>${count(units * quorum)} attempts</strong>, more where answers differ or fail.</p>`;
}

export function NewBatch() {
  const { data, error } = useData('/v1/apps?limit=1000');
  const [files, setFiles] = useState([]), [first, setFirst] = useState('1'), [last, setLast] = useState('10'), [quorum, setQuorum] = useState('2');
  const [busy, setBusy] = useState(''), [problem, setProblem] = useState(null), [over, setOver] = useState(false);
  if (error) return html`<h1>Submit a batch</h1><${Failure} error=${error} />`;
  if (!data) return html`<h1>Submit a batch</h1><p role="status">Loading…</p>`;
  const apps = newest(data.items), units = files.length || Number(last) - Number(first) + 1;
  if (apps.length === 0) return html`<h1>Submit a batch</h1><p>No app has been published yet: <a href="/admin/apps">Apps and releases</a> tells how.</p>`;
  const submit = async (e) => {
    e.preventDefault();
    setProblem(null);
    setBusy('Starting');
    try { go(`/admin/batches/${await submitBatch(e.target.elements, files, setBusy)}`); } catch (x) { setProblem(x); setBusy(''); }
  };
  const drag = (on) => (e) => { e.preventDefault(); setOver(on); };
  const drop = (e) => { e.preventDefault(); setOver(false); setFiles([...e.dataTransfer.files]); };
  return html`<h1>Submit a batch</h1>
    <form onSubmit=${submit} class="form">
      <label for="which">App</label><select id="which" name="app">${apps.map((a) => html`<option key=${a.app} value="${a.app} ${a.version}">${a.app} ${a.version}${a.title ? `: ${a.title}` : ''}</option>`)}</select>
      <label for="bname">Name of the batch, for people (optional)</label><input id="bname" name="bname" maxlength="128" class="wide" />
      <div class="drop ${over ? 'over' : ''}" onDragOver=${drag(true)} onDragLeave=${drag(false)} onDrop=${drop}>
        <label for="files">Input files, one unit for each: choose them, or drop them here</label><input id="files" type="file" multiple onChange=${(e) => setFiles([...e.target.files])} />
        ${files.length > 0 ? html`<p>${count(files.length)} files, ${bytes(files.reduce((s, f) => s + f.size, 0))} <button type="button" onClick=${() => setFiles([])}>Without files</button></p>`
          : html`<p class="row"><span>or no files, but a number for each unit, from</span><input aria-label="First number" name="first" type="number" class="number" value=${first} onInput=${(e) => setFirst(e.target.value)} /><span>to</span><input aria-label="Last number" name="last" type="number" class="number" value=${last} onInput=${(e) => setLast(e.target.value)} /></p>`}</div>
      <label for="command">Words after the program; {} stands for the file’s name or the number</label><input id="command" name="command" value="{}" class="wide mono" spellcheck="false" />
      <label for="quorum">Equal answers wanted, from different owners</label><input id="quorum" name="quorum" type="number" min="1" max="8" class="number" value=${quorum} onInput=${(e) => setQuorum(e.target.value)} />
      <${Price} units=${units} quorum=${Number(quorum)} />
      ${problem && html`<${Failure} error=${problem} />`}
      <p class="row"><button class="main" type="submit" disabled=${!!busy || !(units > 0)}>Submit</button> <span role="status">${busy}</span></p></form>
    <${Cli}>${files.length ? "dugnad submit APP --glob 'in/*' -- '{}'" : `dugnad submit APP --array ${first}..${last} -- '{}'`}<//>`;
}
