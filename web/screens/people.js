// Who computes and who may what: hosts, volunteers, users, tokens, invitations, the audit log; and finding anything by its name.
import { html, useEffect, useRef, useState } from '../view.js';
import { login, may, onReauth, patch, post, remove } from '../api.js';
import { Action, Card, Choose, Cli, Digest, Failure, Rows, State, Table, Waiting, When, bad, go, num, state, text, to, useData, useQuery, when } from '../parts.js';
import { LastFailures } from './project.js';
import { bytes, count, fromText, percent } from '../format.js';

// --- hosts: who computes, how well, and what to do about those that do not ---

const stateOf = (h) => (h.banned ? 'banned' : h.left ? 'left' : Date.now() - h.seen_ms < 3600e3 ? 'active' : 'gone');

export function Hosts() {
  const [query] = useQuery(), wanted = new URLSearchParams(['state', 'volunteer'].filter((k) => query.get(k)).map((k) => [k, query.get(k)])).toString();
  const columns = [
    to('hosts', 'host', 'Host'), text('nickname', 'Name'), state(stateOf), when('seen_ms', 'Seen'), num('leased', 'Out'), num('valid', 'Valid'), bad('invalid', 'Invalid'), num('errors', 'Errors'), num('expired', 'Late'),
    { key: 'volunteer', label: 'Owner', show: (h) => html`<a href="/admin/hosts?volunteer=${h.volunteer}">${h.volunteer}</a>` }, { key: 'platform', label: 'Platform' }, num('cores', 'Cores'), { key: 'client', label: 'Client' },
  ];
  const bulk = (ids, clear) => html`<${Action} label="Ban" title=${ids.length === 1 ? `Ban host ${ids[0]}` : `Ban ${ids.length} hosts`} danger word="ban" confirm=${html`${ids.length > 10 ? html`<p>${ids.length} hosts get no more work. What they have out goes to others, what is not final is computed again; answers that are final stay.</p>` : ids.map((h) => html`<h3 key="n${h}">Host ${h}</h3><${Voids} key="v${h}" host=${h} />`)}`}
    cli="dugnad host ban ${ids.join(' ')}" run=${async () => { for (const id of ids) await post(`/v1/hosts/${id}/ban`, { reason: 'banned from the console' }); }} after=${clear} />`;
  return html`<h1>Hosts${query.get('volunteer') ? ` of volunteer ${query.get('volunteer')}` : ''}</h1><div class="row filter"><${Choose} label="Which hosts" name="state" all="all" options=${['active', 'gone', 'banned', 'left']} />${query.get('volunteer') && html`<a href="/admin/hosts">of everybody</a>`}</div>
    <${Table} path="/v1/hosts${wanted ? `?${wanted}` : ''}" columns=${columns} name="hosts" id=${(h) => h.host} sorts=${['seen_ms', 'leased', 'valid', 'invalid', 'errors', 'expired', 'cores']} bulk=${may('operator') && bulk}
      empty=${wanted ? 'No host matches.' : html`No host has joined yet. Volunteers need a join link: ${may('operator') ? html`make one under <a href="/admin/settings">Settings</a>` : 'an operator makes one'}, or with <code>dugnad invitation new</code>.`} />
    <${Cli}>dugnad host ls<//>`;
}

// What the server would take back, as it says before it does.
function Voids({ host }) {
  const [v, setVoids] = useState(null), [error, setError] = useState(null);
  useEffect(() => { post(`/v1/hosts/${host}/ban`, { dry_run: true }).then((r) => setVoids(r.voids), setError); }, [host]);
  const units = (list) => list.length > 0 && html` (${list.slice(0, 10).join(', ')}${list.length > 10 ? ', …' : ''})`;
  if (error) return html`<${Failure} error=${error} />`;
  if (!v) return html`<p role="status">What it would take back…</p>`;
  return html`<p>It gets no more work. It would take back:</p><ul><li>${count(v.leases)} ${v.leases === 1 ? 'attempt that is' : 'attempts that are'} out, to go to other hosts${units(v.units)}</li>
    <li>${count(v.provisional)} ${v.provisional === 1 ? 'answer that is' : 'answers that are'} not final, to be computed again${units(v.provisional_units)}</li></ul><p>Answers that are final stay.</p>`;
}

function Ban({ h, after }) {
  const [reason, setReason] = useState('');
  if (!may('operator')) return null;
  if (h.banned) return html`<p class="row"><${Action} label="Lift the ban" main cli="dugnad host unban ${h.host}" run=${() => post(`/v1/hosts/${h.host}/unban`)} after=${after} />${h.ban_reason && html`<span>Banned: ${h.ban_reason}</span>`}</p>`;
  const preview = html`<${Voids} host=${h.host} /><label for="reason">Why (kept with the host and in the audit log)</label><input id="reason" class="wide" maxlength="200" value=${reason} onInput=${(e) => setReason(e.target.value)} />`;
  return html`<p class="row"><${Action} label="Ban" title="Ban host ${h.host}" danger word=${h.host} confirm=${preview} cli="dugnad host ban ${h.host}${reason && ` --reason '${reason}'`}" run=${() => post(`/v1/hosts/${h.host}/ban`, { reason: reason || 'banned from the console' })} after=${after} /></p>`;
}

export function Host({ host }) {
  const { data: h, error, reload } = useData(`/v1/hosts/${host}`, 5000);
  if (!h) return html`<${Waiting} title="Host ${host}" error=${error} />`;
  const done = h.valid + h.invalid;
  return html`<h1>Host ${host}${h.nickname ? `: ${h.nickname}` : ''} <${State} word=${stateOf(h)} /></h1>${error && html`<${Failure} error=${error} />`}
    <div class="cards"><${Card} label="Valid answers" value=${count(h.valid)} /><${Card} label="Invalid" value=${count(h.invalid)} tone=${h.invalid ? 'bad' : ''} note=${done ? percent(h.invalid / done) : ''} /><${Card} label="Errors" value=${count(h.errors)} /><${Card} label="Past the deadline" value=${count(h.expired)} />
      <${Card} label="Attempts out" value=${count(h.leased)} note="at most ${count(h.allowed)}" /><${Card} label="Credit" value=${count(Math.round(h.credit || 0))} /></div>
    <dl><dt>Owner</dt><dd><a href="/admin/hosts?volunteer=${h.volunteer}">volunteer ${h.volunteer}</a></dd><dt>Machine</dt><dd>${[h.platform, h.os, h.cpu].filter(Boolean).join(', ')}</dd>
      <dt>It gives</dt><dd>${count(h.cores)} cores, ${bytes(h.memory_bytes)} memory, ${bytes(h.disk_bytes)} disk; ${h.speed?.toFixed(2)} × the reference machine</dd><dt>Features</dt><dd>${h.features || '–'}</dd><dt>Client</dt><dd>${h.client}</dd>
      <dt>Joined</dt><dd><${When} ms=${h.created_ms} /></dd><dt>Last seen</dt><dd><${When} ms=${h.seen_ms} /></dd></dl>
    <h2>Trust by app</h2><${Rows} rows=${h.trust} columns=${[{ key: 'app', label: 'App', raw: (t) => `${t.app} ${t.version}`, show: (t) => `${t.app} ${t.version}` }, state((t) => t.state), num('answers', 'Confirmed since it began'), { key: 'passed', label: 'Checks passed', num: true, show: (t) => t.passed.toFixed(1) }, { key: 'faults', label: 'Found wrong', num: true, show: (t) => t.faults.toFixed(1) }]} name="trust" empty="Nothing yet: it has given no answer that could be trusted, or only under policies without trust." /><p class="soft">Checks and faults count for less as they get older.</p>
    <${Ban} h=${h} after=${reload} />
    <h2>Last failures</h2><${LastFailures} path="/v1/failures?host=${host}&limit=10" />
    <${Cli}>dugnad host show ${host}<//>`;
}

// --- volunteers, what was done by whom, and finding anything by its name ---

export function Volunteers() {
  const columns = [
    { key: 'volunteer', label: 'Volunteer', show: (v) => html`<a href="/admin/hosts?volunteer=${v.volunteer}">${v.volunteer}</a>` }, text('name', 'Name'), text('team', 'Team'), num('hosts', 'Hosts'), num('valid', 'Valid answers'), bad('invalid', 'Invalid'),
    { key: 'credit', label: 'Credit', num: true, show: (v) => count(Math.round(v.credit || 0)) }, when('created_ms', 'Joined'),
  ];
  return html`<h1>Volunteers</h1><${Table} path="/v1/volunteers" columns=${columns} name="volunteers" id=${(v) => v.volunteer} sorts=${['hosts', 'valid', 'invalid', 'credit']} empty="Nobody has joined yet." every=${15000} /><${Cli}>dugnad host ls<//>`;
}

const who = (a) => a.user_name || (a.user ? `user ${a.user}` : 'the server');
const detail = (a) => (a.detail === undefined || a.detail === null ? '' : typeof a.detail === 'string' ? a.detail : JSON.stringify(a.detail)).replace(/^{}$/, '');

export function Audit() {
  const columns = [
    { key: 'seq', label: 'No.', num: true }, when('time_ms', 'When'), { key: 'who', label: 'Who', raw: who, show: who }, { key: 'action', label: 'What' }, text('subject', 'To what'),
    { key: 'detail', label: 'Detail', wrap: true, raw: detail, show: (a) => html`<span class="mono">${detail(a)}</span>` }, { key: 'hash', label: 'Chain', show: (a) => html`<${Digest} hex=${a.hash} />` },
  ];
  return html`<h1>Audit log</h1><p>Each line’s hash covers the one before it: a changed or missing line breaks the chain. <code>dugnad-server audit</code> checks it offline.</p><${Table} path="/v1/audit" columns=${columns} name="audit" id=${(a) => a.seq} empty="Nothing has been done yet." every=${10000} /><${Cli}>dugnad audit<//>`;
}

// --- finding ---

const PLACES = { batch: 'batches/', host: 'hosts/', volunteer: 'hosts?volunteer=', app: 'apps', stream: 'streams', user: 'settings' };
const address = (f) => `/admin/${PLACES[f.kind]}${PLACES[f.kind].match(/[/=]$/) ? encodeURIComponent(f.id) : ''}`;

// What was typed into the search box; the only thing that has this name is shown at once.
export function Find() {
  const [query] = useQuery(), wanted = query.get('text') || '', { data, error } = useData(`/v1/find?text=${encodeURIComponent(wanted)}`);
  // An owner is called like the first host, which is what was meant.
  const items = data?.items.filter((f) => f.kind !== 'volunteer' || !data.items.some((h) => h.kind === 'host' && h.name === f.name));
  useEffect(() => { if (items?.length === 1) go(address(items[0]), true); }, [data]);
  if (!data) return html`<${Waiting} title="Find" error=${error} />`;
  const columns = [{ key: 'kind', label: 'What' }, { key: 'id', label: 'Number', show: (f) => html`<a href=${address(f)}>${f.id}</a>` }, { key: 'name', label: 'Name', wrap: true, show: (f) => html`<a href=${address(f)}>${f.name}</a>` }];
  return html`<h1>Find “${wanted}”</h1>${data.partial && html`<p class="warn">There is more than was looked through: the newest come first.</p>`}<${Rows} rows=${items} columns=${columns} name="found" empty="Nothing has this in its name: no batch, host, volunteer, app, stream or user." /><${Cli}>dugnad ls --search ${wanted}<//>`;
}

// --- users, tokens, invitations ---

const ends = (x) => (x.expires_ms ? html`<${When} ms=${x.expires_ms} />` : 'never');
const ended = (x) => x.revoked || (x.expires_ms && x.expires_ms < Date.now());

function Secret({ text }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => { await navigator.clipboard.writeText(text); setCopied(true); };
  return html`<div class="note warn"><strong>Shown this once, copy it now:</strong><pre>${text}</pre><button onClick=${copy}>${copied ? 'Copied' : 'Copy'}</button></div>`;
}

// fields: {name, label, type, options, required, value}; send(body) does it, shown(reply) is the secret that it gave.
function Form({ id, title, fields, send, shown, after }) {
  const [secret, setSecret] = useState(''), [error, setError] = useState(null);
  const submit = async (e) => {
    e.preventDefault();
    const form = e.target, body = Object.fromEntries([...new FormData(form)].filter(([, v]) => v !== ''));
    setError(null);
    try {
      setSecret(shown(await send(body)) || '');
      form.reset();
      after();
    } catch (x) { setError(x); }
  };
  const field = (f) => html`<span key=${f.name}><label for="${id}-${f.name}">${f.label}</label>${f.options ? html`<select id="${id}-${f.name}" name=${f.name}>${f.options.map((o) => html`<option key=${o}>${o}</option>`)}</select>`
    : html`<input id="${id}-${f.name}" name=${f.name} type=${f.type || 'text'} min=${f.type === 'number' ? 0 : null} required=${f.required} autocomplete="off" />`}</span>`;
  return html`<form class="row inline" onSubmit=${submit}>${fields.map(field)}<button type="submit">${title}</button></form>${error && html`<${Failure} error=${error} />`}${secret && html`<${Secret} text=${secret} />`}`;
}

// A table with a form under it that makes one more of it.
function Kind({ title, path, columns, id, form, empty, cursor }) {
  const [turn, setTurn] = useState(0);
  return html`<h2>${title}</h2><${Table} key=${turn} path=${path} columns=${columns} name=${title.toLowerCase()} id=${id} every=${15000} empty=${empty} cursor=${cursor} /><${Form} id=${title} ...${form} after=${() => setTurn(turn + 1)} />`;
}

function Users() {
  const toggle = (u, reload) => html`<${Action} label=${u.disabled ? 'Enable' : 'Disable'} title="Disable ${u.name}" danger=${!u.disabled} word=${u.name} confirm=${!u.disabled && html`<p>${u.name} is locked out at once, with all tokens. What was submitted stays.</p>`} cli="dugnad user set ${u.id} ${u.disabled ? '--disabled no' : '--disabled yes'}" run=${() => patch(`/v1/users/${u.id}`, { disabled: !u.disabled })} after=${reload} />`;
  const columns = [{ key: 'id', label: 'User' }, text('name', 'Name'), { key: 'role', label: 'Role' }, text('mail', 'Mail'), { key: 'blob_bytes', label: 'Stored', num: true, show: (u) => bytes(u.blob_bytes) }, when('created_ms', 'Since'), state((u) => (u.disabled ? 'disabled' : 'active')), { key: 'act', label: '', show: toggle }];
  const fields = [{ name: 'name', label: 'Name', required: true }, { name: 'role', label: 'Role', options: ['scientist', 'viewer', 'operator'] }, { name: 'mail', label: 'Mail (optional)', type: 'email' }];
  return html`<${Kind} title="Users" path="/v1/users" columns=${columns} id=${(u) => u.id} cursor="users" form=${{ title: 'Add user', fields, send: (b) => post('/v1/users', b), shown: (r) => r.token }} />`;
}

function Tokens() {
  const revoke = (t, reload) => !ended(t) && html`<${Action} label="Revoke" title="Revoke token ${t.id}" danger word=${t.id} confirm=${html`<p>Whoever uses this token is locked out at once.</p>`} cli="dugnad token revoke ${t.id}" run=${() => remove(`/v1/tokens/${t.id}`)} after=${reload} />`;
  const columns = [{ key: 'id', label: 'Token' }, { key: 'owner', label: 'Of', show: (t) => t.owner_name || `user ${t.owner}` }, { key: 'role', label: 'Role' }, text('name', 'For'), { key: 'scope', label: 'May', wrap: true, show: (t) => t.scope || 'all of the role' },
    { key: 'used_ms', label: 'Used', show: (t) => (t.used_ms === undefined ? '–' : html`<${When} ms=${t.used_ms} />`) }, { key: 'expires_ms', label: 'Ends', show: ends }, state((t) => (t.revoked ? 'revoked' : ended(t) ? 'expired' : 'active')), { key: 'act', label: '', show: revoke }];
  const fields = [{ name: 'name', label: 'What for', required: true }, { name: 'scope', label: 'May', options: ['all of the role', 'read', 'read submit', 'release', 'admin'] }, { name: 'days', label: 'Days (empty: no end)', type: 'number' }];
  const send = ({ name, scope, days }) => post('/v1/tokens', { name, ...(scope.startsWith('all') ? {} : { scope }), ...(days ? { expires_ms: Date.now() + days * 86400e3 } : {}) });
  return html`<${Kind} title="Tokens" path="/v1/tokens" columns=${columns} id=${(t) => t.id} cursor="tokens" form=${{ title: 'New token', fields, send, shown: (r) => r.token }} />`;
}

function Invitations() {
  const now = (i) => (i.revoked ? 'revoked' : ended(i) ? 'expired' : i.uses_max && i.uses >= i.uses_max ? 'done' : 'active');
  const withdraw = (i, reload) => now(i) === 'active' && html`<${Action} label="Withdraw" title="Withdraw invitation ${i.invitation}" confirm=${html`<p>The link lets nobody join any more. Who joined with it stays.</p>`} cli="dugnad invitation rm ${i.invitation}" run=${() => remove(`/v1/invitations/${i.invitation}`)} after=${reload} />`;
  const columns = [{ key: 'invitation', label: 'Invitation' }, text('name', 'For'), num('uses', 'Used'), { key: 'uses_max', label: 'At most', num: true, show: (i) => i.uses_max || 'no limit' }, { key: 'expires_ms', label: 'Ends', show: ends },
    state(now, (i) => (now(i) === 'done' ? 'used up' : now(i))), { key: 'act', label: '', show: withdraw }];
  const fields = [{ name: 'name', label: 'For whom (optional)' }, { name: 'uses_max', label: 'Uses (0: no limit, empty: 1)', type: 'number' }, { name: 'days', label: 'Days (empty: no end)', type: 'number' }];
  const send = ({ name, uses_max, days }) => post('/v1/invitations', { uses_max: Number(uses_max ?? 1), ...(name ? { name } : {}), ...(days ? { expires_ms: Date.now() + days * 86400e3 } : {}) });
  return html`<${Kind} title="Invitations" path="/v1/invitations" columns=${columns} id=${(i) => i.invitation} cursor="invitations" form=${{ title: 'New join link', fields, send, shown: (r) => r.link }} empty="None yet. An invitation is a join link for volunteers." />`;
}

// --- logging in: with a password, a passkey, a recovery code, a token or a one-time link; and again, before what must not be done by a screen left alone ---

const toText = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '');
const hasPasskeys = () => !!window.PublicKeyCredential;

async function askPasskey() {
  const c = await post('/v1/session/challenge');
  const key = await navigator.credentials.get({ publicKey: { challenge: fromText(c.challenge), rpId: c.rp_id, timeout: c.timeout_ms, userVerification: 'required' } });
  const r = key.response;
  return { passkey: { id: toText(key.rawId), client_data: toText(r.clientDataJSON), authenticator_data: toText(r.authenticatorData), signature: toText(r.signature) } };
}

async function addPasskey(name) {
  const c = await post('/v1/credentials/challenge');
  const key = await navigator.credentials.create({ publicKey: {
    challenge: fromText(c.challenge), rp: { id: c.rp_id, name: c.rp_name }, user: { id: fromText(c.user_handle), name: c.user_name, displayName: c.user_name }, timeout: c.timeout_ms,
    pubKeyCredParams: [-8, -7].map((alg) => ({ type: 'public-key', alg })), excludeCredentials: c.exclude.map((id) => ({ type: 'public-key', id: fromText(id) })),
    authenticatorSelection: { residentKey: 'required', userVerification: 'required' }, attestation: 'none' } });
  return post('/v1/credentials', { kind: 'passkey', ...(name && { name }), client_data: toText(key.response.clientDataJSON), attestation: toText(key.response.attestationObject) });
}

function useLogin(onDone) {
  const [error, setError] = useState(null), [busy, setBusy] = useState(false);
  const enter = async (way) => {
    setBusy(true);
    setError(null);
    try { onDone(await login(await way())); } catch (e) { setError(e.name === 'NotAllowedError' ? new Error('no passkey was given') : e); setBusy(false); }
  };
  return { error, busy, enter };
}

function Ways({ name, onDone }) {
  const { error, busy, enter } = useLogin(onDone);
  const value = (e, field) => String(new FormData(e.target).get(field)).trim();
  const form = (way) => (e) => { e.preventDefault(); enter(async () => way(e)); };
  const who = (id) => html`<label for=${id}>Name</label><input id=${id} name="name" autocomplete="username" required class="wide" value=${name || ''} />`;
  return html`${error && html`<${Failure} error=${error} />`}
    ${hasPasskeys() && html`<p><button class="main" disabled=${busy} onClick=${() => enter(askPasskey)}>Log in with a passkey</button></p>`}
    <form onSubmit=${form((e) => ({ name: value(e, 'name'), password: String(new FormData(e.target).get('password')) }))}>${who('name')}
      <label for="password">Password</label><input id="password" name="password" type="password" autocomplete="current-password" required class="wide" /><p><button type="submit" disabled=${busy}>Log in</button></p></form>
    <details><summary>With a token or a recovery code</summary>
      <form onSubmit=${form((e) => ({ token: value(e, 'token') }))}><label for="token">Your token (it starts with dgu_)</label><input id="token" name="token" type="password" autocomplete="off" required class="wide" /><p><button type="submit" disabled=${busy}>Log in with the token</button></p></form>
      <form onSubmit=${form((e) => ({ name: value(e, 'name'), recovery: value(e, 'recovery') }))}>${who('recovery-name')}
        <label for="recovery">Recovery code; it can be used once</label><input id="recovery" name="recovery" autocomplete="off" required class="wide" /><p><button type="submit" disabled=${busy}>Log in with the code</button></p></form></details>`;
}

export function Login({ onDone }) {
  const code = new URLSearchParams(location.hash.slice(1)).get('code');
  const { error, busy, enter } = useLogin((who) => { history.replaceState(null, '', location.pathname); onDone(who); }); // the link has been used up
  return html`<main id="main" class="narrow"><h1>Log in to the console</h1>
    ${code && html`<p>You opened a one-time link. <button class="main" disabled=${busy} onClick=${() => enter(async () => ({ token: code }))}>Log in with it</button></p>${error && html`<${Failure} error=${error} />`}<h2>Or another way</h2>`}
    <${Ways} onDone=${onDone} />
    <p class="cli">The first time: <code>dugnad-server login-link</code> on the server prints a link; a password and a passkey are set under Settings. Others get a token from an operator: <code>dugnad user new NAME</code>.</p>
    <p class="cli"><a href="/">About this project</a></p></main>`;
}

// Asks who is there once more, when the server says that the session is too old for what was asked.
export function Reauth({ who }) {
  const box = useRef(null), [answer, setAnswer] = useState(null);
  useEffect(() => { onReauth(() => new Promise((done) => setAnswer(done))); return () => onReauth(null); }, []);
  useEffect(() => { if (answer) box.current.showModal(); }, [answer]);
  if (!answer) return null;
  const end = (is) => { answer(is); setAnswer(null); };
  return html`<dialog ref=${box} onClose=${() => end(false)} aria-labelledby="again-title"><h2 id="again-title">Log in once more</h2><p>What you asked for wants to be sure that it is you.</p>
    <${Ways} name=${who.name} onDone=${() => end(true)} /><button onClick=${() => box.current.close()}>Leave it</button></dialog>`;
}

// --- how one logs in oneself, and where one is logged in ---

function Credentials() {
  const [turn, setTurn] = useState(0), [codes, setCodes] = useState(''), [error, setError] = useState(null), { data } = useData(`/v1/credentials?turn=${turn}`);
  const after = () => setTurn(turn + 1);
  const columns = [{ key: 'kind', label: 'Kind' }, text('name', 'Name'), when('created_ms', 'Since'), when('used_ms', 'Used'),
    { key: 'act', label: '', show: (c) => html`<${Action} label="Remove" title="Remove this ${c.kind}" danger confirm=${html`<p>Nobody logs in with it any more.</p>`} run=${() => remove(`/v1/credentials/${c.credential}`)} after=${after} />` }];
  const passkey = async (e) => {
    e.preventDefault();
    setError(null);
    const form = e.target;
    try { await addPasskey(String(new FormData(form).get('name'))); form.reset(); after(); } catch (x) { setError(x.name === 'NotAllowedError' ? new Error('no passkey was made') : x); }
  };
  if (!data) return null;
  return html`<h2>How you log in</h2><${Rows} rows=${data.items} columns=${columns} name="credentials" id=${(c) => c.credential} empty="Only with tokens and one-time links so far." />
    <${Form} id="password" title="Set password" fields=${[{ name: 'password', label: 'New password; other sessions of yours end', type: 'password', required: true }]} send=${(b) => post('/v1/credentials', { kind: 'password', ...b })} shown=${() => ''} after=${after} />
    ${hasPasskeys() && html`<form class="row inline" onSubmit=${passkey}><span><label for="passkey-name">Passkey’s name, such as this computer’s</label><input id="passkey-name" name="name" autocomplete="off" /></span><button type="submit">Add passkey</button></form>`}
    ${error && html`<${Failure} error=${error} />`}
    <p class="row"><span>${count(data.recovery_codes)} recovery codes are left.</span><${Action} label="New recovery codes" confirm=${html`<p>The codes that you have are void then, and your other sessions end.</p>`} run=${async () => setCodes((await post('/v1/credentials', { kind: 'recovery' })).codes.join('\n'))} after=${after} /></p>
    ${codes && html`<${Secret} text=${codes} />`}`;
}

function Sessions() {
  const [turn, setTurn] = useState(0), { data } = useData(`/v1/sessions?turn=${turn}`, 15000);
  const after = () => setTurn(turn + 1);
  const columns = [text('agent', 'Browser'), when('created_ms', 'Since'), when('expires_ms', 'Ends'), state((s) => (s.current ? 'active' : 'open'), (s) => (s.current ? 'this one' : 'another')),
    { key: 'act', label: '', show: (s) => !s.current && html`<${Action} label="End" title="End this session" confirm=${html`<p>That browser is logged out at once.</p>`} cli="dugnad token revoke ${s.session}" run=${() => remove(`/v1/tokens/${s.session}`)} after=${after} />` }];
  if (!data) return null;
  return html`<div class="row"><h2>Where you are logged in</h2>${data.items.length > 1 && html`<${Action} label="End all others" confirm=${html`<p>You stay logged in here alone.</p>`} run=${() => remove('/v1/sessions')} after=${after} />`}</div>
    <${Rows} rows=${data.items} columns=${columns} name="sessions" id=${(s) => s.session} empty="Nowhere: you came with a token." />`;
}

export function Settings({ who }) {
  return html`<h1>Settings</h1><${Sessions} /><${Credentials} />${may('operator') ? html`<${Users} /><${Invitations} />` : html`<p>You are ${who.name}, ${who.role}. Users and invitations are the operators’.</p>`}
    <${Tokens} /><${Cli}>${may('operator') ? 'dugnad user ls; dugnad invitation ls; dugnad token ls' : 'dugnad token ls'}<//>`;
}
