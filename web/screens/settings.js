// Users, tokens, invitations.
import { html, useState } from '../view.js';
import { may, patch, post, remove } from '../api.js';
import { Action, Cli, Failure, State, Table, When } from '../parts.js';

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
  const toggle = (u, reload) => html`<${Action} label=${u.disabled ? 'Enable' : 'Disable'} title="Disable ${u.name}" danger=${!u.disabled} word=${u.name} confirm=${!u.disabled && html`<p>${u.name} is locked out at once, with all tokens. What was submitted stays.</p>`} run=${() => patch(`/v1/users/${u.id}`, { disabled: !u.disabled })} after=${reload} />`;
  const columns = [{ key: 'id', label: 'User' }, { key: 'name', label: 'Name', wrap: true }, { key: 'role', label: 'Role' }, { key: 'mail', label: 'Mail', wrap: true, show: (u) => u.mail || '–' }, { key: 'created_ms', label: 'Since', show: (u) => html`<${When} ms=${u.created_ms} />` },
    { key: 'state', label: 'State', raw: (u) => (u.disabled ? 'disabled' : 'active'), show: (u) => html`<${State} word=${u.disabled ? 'disabled' : 'active'} />` }, { key: 'act', label: '', show: toggle }];
  const fields = [{ name: 'name', label: 'Name', required: true }, { name: 'role', label: 'Role', options: ['scientist', 'viewer', 'operator'] }, { name: 'mail', label: 'Mail (optional)', type: 'email' }];
  return html`<${Kind} title="Users" path="/v1/users" columns=${columns} id=${(u) => u.id} cursor="users" form=${{ title: 'Add user', fields, send: (b) => post('/v1/users', b), shown: (r) => r.token }} />`;
}

function Tokens() {
  const revoke = (t, reload) => !ended(t) && html`<${Action} label="Revoke" title="Revoke token ${t.id}" danger word=${t.id} confirm=${html`<p>Whoever uses this token is locked out at once.</p>`} run=${() => remove(`/v1/tokens/${t.id}`)} after=${reload} />`;
  const columns = [{ key: 'id', label: 'Token' }, { key: 'owner', label: 'Of', show: (t) => t.owner_name || `user ${t.owner}` }, { key: 'role', label: 'Role' }, { key: 'name', label: 'For', wrap: true, show: (t) => t.name || '–' }, { key: 'scope', label: 'May', wrap: true, show: (t) => t.scope || 'all of the role' },
    { key: 'used_ms', label: 'Used', show: (t) => (t.used_ms === undefined ? '–' : html`<${When} ms=${t.used_ms} />`) }, { key: 'expires_ms', label: 'Ends', show: ends }, { key: 'state', label: 'State', raw: (t) => (ended(t) ? 'ended' : 'active'), show: (t) => html`<${State} word=${t.revoked ? 'revoked' : ended(t) ? 'expired' : 'active'} />` }, { key: 'act', label: '', show: revoke }];
  const fields = [{ name: 'name', label: 'What for', required: true }, { name: 'scope', label: 'May', options: ['all of the role', 'read', 'read submit', 'release', 'admin'] }, { name: 'days', label: 'Days (empty: no end)', type: 'number' }];
  const send = ({ name, scope, days }) => post('/v1/tokens', { name, ...(scope.startsWith('all') ? {} : { scope }), ...(days ? { expires_ms: Date.now() + days * 86400e3 } : {}) });
  return html`<${Kind} title="Tokens" path="/v1/tokens" columns=${columns} id=${(t) => t.id} cursor="tokens" form=${{ title: 'New token', fields, send, shown: (r) => r.token }} />`;
}

function Invitations() {
  const state = (i) => (i.revoked ? 'revoked' : ended(i) ? 'expired' : i.uses_max && i.uses >= i.uses_max ? 'done' : 'active');
  const withdraw = (i, reload) => state(i) === 'active' && html`<${Action} label="Withdraw" title="Withdraw invitation ${i.invitation}" confirm=${html`<p>The link lets nobody join any more. Who joined with it stays.</p>`} run=${() => remove(`/v1/invitations/${i.invitation}`)} after=${reload} />`;
  const columns = [{ key: 'invitation', label: 'Invitation' }, { key: 'name', label: 'For', wrap: true, show: (i) => i.name || '–' }, { key: 'uses', label: 'Used', num: true }, { key: 'uses_max', label: 'At most', num: true, show: (i) => i.uses_max || 'no limit' }, { key: 'expires_ms', label: 'Ends', show: ends },
    { key: 'state', label: 'State', raw: state, show: (i) => html`<${State} word=${state(i)} text=${state(i) === 'done' ? 'used up' : state(i)} />` }, { key: 'act', label: '', show: withdraw }];
  const fields = [{ name: 'name', label: 'For whom (optional)' }, { name: 'uses_max', label: 'Uses (0: no limit, empty: 1)', type: 'number' }, { name: 'days', label: 'Days (empty: no end)', type: 'number' }];
  const send = ({ name, uses_max, days }) => post('/v1/invitations', { uses_max: Number(uses_max ?? 1), ...(name ? { name } : {}), ...(days ? { expires_ms: Date.now() + days * 86400e3 } : {}) });
  return html`<${Kind} title="Invitations" path="/v1/invitations" columns=${columns} id=${(i) => i.invitation} cursor="invitations" form=${{ title: 'New join link', fields, send, shown: (r) => r.link }} empty="None yet. An invitation is a join link for volunteers." />`;
}

export function Settings({ who }) {
  return html`<h1>Settings</h1>${may('operator') ? html`<${Users} /><${Invitations} />` : html`<p>You are ${who.name}, ${who.role}. Users and invitations are the operators’.</p>`}
    <${Tokens} /><${Cli}>${may('operator') ? 'dugnad user ls; dugnad invitation ls; dugnad token ls' : 'dugnad token ls'}<//>`;
}
