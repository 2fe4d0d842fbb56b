// The project as a whole: overview, wall, health, validation, apps, streams.
import { html, useEffect, useState } from '../view.js';
import { Action, Card, Choose, Cli, Digest, Failure, Plot, Progress, Rows, Said, State, Table, Waiting, When, num, state, text, to, useData, useQuery, when } from '../parts.js';
import { bytes, count, duration, percent, small } from '../format.js';
import { may, patch, post, remove } from '../api.js';

// --- are we well? Six numbers, four plots, the last failures; and the wall screen with its three states ---

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

// Each browser lets a page sound only after somebody has pressed something on it.
function beep(audio) {
  const tone = audio.createOscillator();
  tone.frequency.value = 440;
  tone.connect(audio.destination);
  tone.start();
  tone.stop(audio.currentTime + 0.8);
}

const AGAIN_MS = 60000;

/* Three unmistakable states for a screen on the wall. The sound is off until somebody turns it on, and hears it then; it comes when the
 * state becomes bad and each minute while it is. out: nobody is logged in any more. */
export function Wall({ stats, down, out }) {
  const [audio, setAudio] = useState(null), health = down || out ? 'bad' : stats?.health || 'warn', bad = health === 'bad';
  useEffect(() => {
    if (!audio || !bad) return undefined;
    beep(audio);
    const timer = setInterval(() => beep(audio), AGAIN_MS);
    return () => clearInterval(timer);
  }, [audio, bad]);
  const turn = () => {
    if (audio) { audio.close(); setAudio(null); return; }
    const made = new AudioContext();
    beep(made);
    setAudio(made);
  };
  const [tone, sign, words] = HEALTH[health];
  const text = out ? 'Nobody is logged in on this screen any more, so it does not know how things are.' : down ? 'The server does not answer.' : !stats ? 'Connecting…' : stats.reasons?.length ? stats.reasons.join('; ')
    : `${rate(stats)} validated per second, ${count(stats.hosts_active)} hosts, ${count(stats.units_open)} units waiting`;
  return html`<main id="main" class="wall ${tone}"><div role="status"><h1>${sign} ${stats || down || out ? words : 'Connecting'}</h1><p>${text}</p></div>
    <p class="foot"><button onClick=${turn} aria-pressed=${!!audio}>Sound is ${audio ? 'on' : 'off'}</button> <a href="/admin/">${stats?.project || 'Console'}</a></p></main>`;
}

// --- health and capacity: each finding with its remedy, and how near the server is to what it can do. Validation: how sure the answers are ---

const TONES = { ok: 'good', warn: 'warn', error: 'bad' };

export function Health() {
  const { data: h, error } = useData('/v1/health', 5000);
  if (!h) return html`<${Waiting} title="Health and capacity" error=${error} />`;
  const found = [state((f) => f.level), text('what', 'What'), text('remedy', 'Remedy')];
  return html`<h1>Health and capacity</h1>${error && html`<${Failure} error=${error} />`}
    <h2>Findings</h2>${h.findings.length ? html`<${Rows} rows=${h.findings} columns=${found} name="findings" />` : html`<p><${State} word="ok" text="Nothing to mend." /></p>`}<p class="soft"><code>dugnad-server doctor</code> on the server looks at more: settings, keys, clock, certificate, permissions.</p>
    <h2>Use of what it can do</h2><p>Amber from 60 %; from 90 % new batches are refused until there is room.</p>
    <div class="cards">${h.utilisation.map((u) => html`<${Card} key=${u.name} label=${u.name} value=${percent(u.share, 0)} tone=${TONES[u.level]} note=${u.note} />`)}
      <${Card} label="Memory of the server" value=${bytes(h.memory_bytes)} /><${Card} label="Database" value=${bytes(h.database_bytes)} /><${Card} label="Disk free" value=${bytes(h.disk_free_bytes)} /><${Card} label="Running for" value=${duration(h.up_ms)} note="version ${h.server}" /></div>
    <${Cli}>dugnad stats<//>`;
}

export function Validation() {
  const { data: v, error } = useData('/v1/validation', 10000);
  if (!v) return html`<${Waiting} title="Validation" error=${error} />`;
  const columns = [to('units', 'unit', 'Unit'), state((d) => d.state), num('attempts', 'Attempts'), num('invalid', 'Found wrong'), when('time_ms', 'When')];
  const waits = [{ key: 'batch', label: 'Batch', show: (b) => html`<a href="/admin/batches/${b.batch}?state=provisional">${b.batch}</a>` }, text('name', 'Name'), num('provisional', 'Provisional answers')];
  return html`<h1>Validation</h1>
    <div class="cards"><${Card} label="Attempts per accepted unit" value=${Number.isFinite(v.replication) ? v.replication.toFixed(3) : '–'} note="measured" /><${Card} label="Answers found wrong" value=${count(v.invalid)} note=${v.checked ? `in ${count(v.checked)} checks` : 'none was checked yet'} />
      <${Card} label="Attempts that may be wrong" value=${small(v.liars)} note="at most, from these checks" /><${Card} label="Accepted though wrong" value=${small(v.error_bound)} note="at most, from that and each batch’s policy" />
      <${Card} label="Provisional answers" value=${count(v.provisional)} note="not yet sure" /><${Card} label="Units being compared" value=${count(v.judging)} /></div>
    <p class="soft">“At most” holds with 97.5 % confidence, for hosts that go on as they did. Few checks give a wide bound.</p>
    <h2>Provisional answers</h2><${Rows} rows=${v.batches} columns=${waits} name="provisional" empty="None. Under the policies adaptive and audit an answer waits here until later ones of its host were found right." />
    <h2>Units with an answer that was found wrong</h2><${Table} path="/v1/validation/disputes" columns=${columns} name="disputes" id=${(d) => d.unit} empty="No answer was found wrong so far." />
    <${Cli}>dugnad stats; dugnad show UNIT<//>`;
}

// --- apps, their releases, and how far each version goes ---

const failed = (a) => (a.ended > 0 ? a.bad / a.ended : NaN);
const went = (a) => html`<span class=${failed(a) > 0.1 ? 'bad' : ''}>${count(a.bad)} (${percent(failed(a))})</span>`;

function Rollout({ a, reload }) {
  const set = (share) => ({ run: () => post(`/v1/apps/${encodeURIComponent(a.app)}/versions/${a.version}`, { share }), after: reload, cli: `dugnad app rollout ${a.app} ${a.version} ${share * 100}%` });
  return html`<span class="row">${[0.01, 0.1, 1].filter((share) => share > a.share || a.halted).map((share) => html`<${Action} key=${share} label=${percent(share, 0)} ...${set(share)} title="Let ${a.app} ${a.version} go to ${percent(share, 0)} of the hosts" confirm=${share === 1 && html`<p>Every host gets ${a.app} ${a.version}.</p>`} />`)}
    ${!a.halted && html`<${Action} label="Stop" title="Stop ${a.app} ${a.version}" danger word=${a.app} confirm=${html`<p>No host gets ${a.app} ${a.version} any more, until you let it go on.</p>`} cli="dugnad app rollout ${a.app} ${a.version} stop" run=${() => post(`/v1/apps/${encodeURIComponent(a.app)}/versions/${a.version}`, { halt: true })} after=${reload} />`}</span>`;
}

function Hosts({ list, of, title }) {
  const most = list.reduce((s, v) => s + v.hosts, 0);
  const columns = [{ key: of, label: title, show: (v) => v[of] || 'unknown' }, num('hosts', 'Hosts'), { key: 'share', label: 'Share', raw: (v) => v.hosts / most, show: (v) => html`<span class="row"><${Progress} parts=${[['busy', v.hosts]]} total=${most} label=${percent(v.hosts / most)} />${percent(v.hosts / most)}</span>` }];
  return html`<h3>${title}</h3><${Rows} rows=${list} columns=${columns} name=${of} empty="No host has called within a day." />`;
}

function Least({ v, reload }) {
  const [form, setForm] = useState(null), is = form || { client_min: v.client_min, protocol_min: v.protocol_min };
  if (!may('operator')) return html`<p>Work goes to clients from version ${v.client_min || '0 (any)'} and protocol ${v.protocol_min} on.</p>`;
  const field = (name) => ({ id: name, value: is[name], onInput: (e) => setForm({ ...is, [name]: e.target.value }) }), next = { client_min: is.client_min.trim(), protocol_min: Number(is.protocol_min) };
  return html`<div class="row inline"><span><label for="client_min">Oldest client that gets work (empty: any)</label><input ...${field('client_min')} class="number" /></span><span><label for="protocol_min">Oldest protocol, ${v.protocol_max} at most</label><input ...${field('protocol_min')} type="number" min="1" max=${v.protocol_max} class="number" /></span>
    ${form && html`<${Action} label="Set" title="Refuse older clients" danger word="refuse" confirm=${html`<p>Hosts with an older client get no work, and are told which version they need.</p>`} cli="dugnad versions --client-min '${next.client_min}' --protocol-min ${next.protocol_min}" run=${() => patch('/v1/versions', next)} after=${() => { setForm(null); reload(); }} />`}</div>`;
}

export function Apps() {
  const { data: v, reload } = useData('/v1/versions', 5000);
  const retire = (a, reload) => html`<${Action} label="Retire" title="Retire ${a.app} ${a.version}" danger word=${a.app} confirm=${html`<p>No new batch can use ${a.app} ${a.version} for ${a.platform}. Batches that run go on.</p>`} cli="dugnad app retire ${a.app} ${a.version} --platform ${a.platform}" run=${() => remove(`/v1/releases/${a.release}`)} after=${reload} />`;
  const columns = [
    { key: 'app', label: 'App', raw: (a) => `${a.app} ${a.version}`, show: (a) => html`<strong>${a.app}</strong> ${a.version}` }, { key: 'platform', label: 'Platform' },
    state((a) => (a.retired ? 'retired' : 'active'), (a) => (a.retired ? 'retired' : 'in use')), text('title', 'What it is'), { key: 'bundle_bytes', label: 'Bundle', num: true, show: (a) => bytes(a.bundle_bytes) },
    { key: 'signers', label: 'Signed by', raw: (a) => (a.signers || []).join(' '), show: (a) => (a.signers?.length ? html`<span class="row">${a.signers.map((s) => html`<${Digest} key=${s} hex=${s} n=${8} />`)}</span>` : '–') },
    { key: 'release', label: 'Release', show: (a) => html`<${Digest} hex=${a.release} n=${8} />` }, when('created_ms', 'Published'),
    ...(may('scientist') ? [{ key: 'act', label: '', show: (a, reload) => !a.retired && retire(a, reload) }] : []),
  ];
  const word = (a) => (a.halted ? 'stopped' : a.retired ? 'retired' : a.share < 1 ? 'on trial' : 'everywhere');
  const going = [
    { key: 'app', label: 'App', raw: (a) => `${a.app} ${a.version}`, show: (a) => html`<strong>${a.app}</strong> ${a.version}` },
    { key: 'state', label: 'State', wrap: true, raw: word, show: (a) => html`<${State} word=${{ stopped: 'failed', retired: 'retired', 'on trial': 'running', everywhere: 'active' }[word(a)]} text=${word(a)} />${a.halted && a.why ? html`: ${a.why}` : a.base && a.share < 1 ? html`, held against ${a.base}` : ''}` },
    { key: 'share', label: 'Hosts', num: true, show: (a) => percent(a.share, a.share < 0.01 ? 2 : 0) }, num('leased', 'Out'), num('units_open', 'Open'), num('ended', 'Ended'), { key: 'bad', label: 'Badly', num: true, show: went },
    ...(may('operator') ? [{ key: 'act', label: '', show: (a) => !a.retired && html`<${Rollout} a=${a} reload=${reload} />` }] : []),
  ];
  return html`<h1>Apps and releases</h1><${Table} path="/v1/apps" columns=${columns} name="releases" id=${(a) => a.release} empty=${html`No app yet. Scientists pack and publish one: <code>dugnad app pack</code>, <code>dugnad app sign</code> where the release keys are, <code>dugnad app publish</code>.`} />
    ${v && html`<h2>How far each version goes</h2><p>A version on trial goes to a share of the hosts, and is stopped by itself when more of its attempts end badly than of the one before.</p><${Rows} rows=${v.apps} columns=${going} name="versions" id=${(a) => `${a.app} ${a.version}`} empty="No version yet." />
    <h2>Versions of clients and protocol, within a day</h2><${Hosts} list=${v.clients} of="client" title="Client" /><${Hosts} list=${v.protocols} of="protocol" title="Protocol" /><${Least} v=${v} reload=${reload} />`}
    <${Cli}>dugnad app ls; dugnad versions<//>`;
}

// --- streams and the cursors that read them ---

const path = (s) => `/v1/streams/${encodeURIComponent(s.stream)}`;

function Rewind({ s, reload }) {
  const [after, setAfter] = useState('');
  const where = Number(after) || 0, cli = `dugnad stream rewind ${s.stream} ${s.cursor}${where ? ` --to ${where}` : ''}`;
  const what = html`<p>${s.cursor} will read ${s.stream} again${where ? ` from record ${where + 1} on` : ', from its first record'}. It stands at record ${s.acknowledged} of ${s.last}.</p>
    <label for="after">Go on after record (empty: from the first)</label><input id="after" type="number" min="0" max=${s.last} class="number" value=${after} onInput=${(e) => setAfter(e.target.value)} />`;
  return html`<${Action} label="Rewind" title="Rewind ${s.cursor}" word=${s.cursor} danger confirm=${what} cli=${cli} run=${() => post(`${path(s)}/cursors/${encodeURIComponent(s.cursor)}/rewind`, { seq: where })} after=${reload} />`;
}

function Acts({ s, reload }) {
  const verb = s.paused ? 'resume' : 'pause', gone = s.cursor ? `the cursor ${s.cursor}` : `${s.stream} with its ${s.records} records`;
  return html`<span class="row"><${Action} label=${s.paused ? 'Resume' : 'Pause'} cli="dugnad stream ${verb} ${s.stream}" run=${() => post(`${path(s)}/${verb}`)} after=${reload} />
    ${s.cursor && html`<${Rewind} s=${s} reload=${reload} />`}
    ${!s.batch && html`<${Action} label="Delete" title="Delete ${s.cursor || s.stream}" word=${s.cursor || s.stream} danger confirm=${html`<p>This deletes ${gone} for good.</p>`} cli="dugnad stream rm ${s.stream}${s.cursor ? ` ${s.cursor}` : ''}"
      run=${() => remove(s.cursor ? `${path(s)}/cursors/${encodeURIComponent(s.cursor)}` : path(s))} after=${reload} />`}</span>`;
}

export function Streams() {
  const columns = [
    { key: 'stream', label: 'Stream' }, { key: 'cursor', label: 'Cursor', show: (s) => s.cursor || '–' }, state((s) => (s.paused ? 'paused' : 'active')), num('records', 'Records'), num('depth', 'Waiting'), num('in_flight', 'In flight'), num('redelivered', 'Again'),
    { key: 'oldest_ms', label: 'Oldest', show: (s) => (s.oldest_ms ? duration(Date.now() - s.oldest_ms) : '–') }, to('batches', 'batch', 'Feeds'),
    { key: 'user', label: 'Of', show: (s) => s.user_name || `user ${s.user}` },
    ...(may('scientist') ? [{ key: 'act', label: '', show: (s, reload) => html`<${Acts} s=${s} reload=${reload} />` }] : []),
  ];
  return html`<h1>Streams and cursors</h1><${Table} path="/v1/streams?cursors=true" columns=${columns} name="streams" id=${(s) => `${s.stream}/${s.cursor || ''}`} empty="No stream yet: they come with the batches whose answers are routed to them, or with dugnad publish." /><${Cli}>dugnad streams<//>`;
}
