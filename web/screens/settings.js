// Users, tokens, invitations.
import { html, useState } from '../vendor/preact-htm.js';
import { post, remove } from '../api.js';
import { Action, Cli, Failure, Table, When } from '../parts.js';

function Secret({ text }) {
  return html`<div class="note warn"><strong>Shown once, copy it now:</strong><pre>${text}</pre></div>`;
}

function Form({ title, fields, send, shown }) {
  const [secret, setSecret] = useState(''), [error, setError] = useState(null), [turn, setTurn] = useState(0);
  const submit = async (e) => {
    e.preventDefault();
    const body = Object.fromEntries([...new FormData(e.target)].filter(([, v]) => v !== ''));
    setError(null);
    try { setSecret(shown(await send(body)) || ''); setTurn(turn + 1); } catch (x) { setError(x); }
  };
  return html`<form class="row" key=${turn} onSubmit=${submit}>${fields.map((f) => (f.options ? html`<select name=${f.name} aria-label=${f.label}>${f.options.map((o) => html`<option>${o}</option>`)}</select>` : html`<input name=${f.name} type=${f.type || 'text'} placeholder=${f.label} aria-label=${f.label} autocomplete="off" />`))}<button type="submit">${title}</button></form>
    ${error && html`<${Failure} error=${error} />`}${secret && html`<${Secret} text=${secret} />`}`;
}

export function Settings({ who }) {
  if (who.role !== 'operator') return html`<h1>Settings</h1><p>Only operators can change users, tokens and invitations.</p>`;
  const users = [{ key: 'user', label: 'User' }, { key: 'name', label: 'Name' }, { key: 'role', label: 'Role' }, { key: 'created_ms', label: 'Since', show: (u) => html`<${When} ms=${u.created_ms} />` }];
  const tokens = [
    { key: 'token', label: 'Token' }, { key: 'user', label: 'User' }, { key: 'name', label: 'For', wrap: true, show: (t) => t.name || '–' }, { key: 'scopes', label: 'Scopes', wrap: true, show: (t) => (t.scopes || []).join(', ') || 'all of the role' },
    { key: 'used_ms', label: 'Used', show: (t) => html`<${When} ms=${t.used_ms} />` }, { key: 'expires_ms', label: 'Ends', show: (t) => (t.expires_ms ? html`<${When} ms=${t.expires_ms} />` : 'never') },
    { key: 'act', label: 'Do', raw: () => '', show: (t) => html`<${Action} label="Revoke" danger word=${String(t.token)} confirm=${html`<p>Whoever uses this token is locked out at once.</p>`} run=${() => remove(`/v1/tokens/${t.token}`)} />` },
  ];
  const invitations = [{ key: 'invitation', label: 'Invitation' }, { key: 'uses', label: 'Used', num: true }, { key: 'uses_max', label: 'Of', num: true }, { key: 'expires_ms', label: 'Ends', show: (i) => (i.expires_ms ? html`<${When} ms=${i.expires_ms} />` : 'never') },
    { key: 'act', label: 'Do', raw: () => '', show: (i) => html`<${Action} label="Withdraw" run=${() => remove(`/v1/invitations/${i.invitation}`)} />` }];
  return html`<h1>Settings</h1><h2>Users</h2><${Table} path="/v1/users" columns=${users} name="users" id=${(u) => u.user} every=${15000} /><${Form} title="Add user" fields=${[{ name: 'name', label: 'Name' }, { name: 'role', label: 'Role', options: ['viewer', 'scientist', 'operator'] }, { name: 'password', label: 'Password (optional)', type: 'password' }]} send=${(b) => post('/v1/users', b)} shown=${(r) => r.token} />
    <h2>Tokens</h2><${Table} path="/v1/tokens" columns=${tokens} name="tokens" id=${(t) => t.token} every=${15000} /><${Form} title="New token" fields=${[{ name: 'name', label: 'What for' }]} send=${(b) => post('/v1/tokens', b)} shown=${(r) => r.token} />
    <h2>Invitations</h2><${Table} path="/v1/invitations" columns=${invitations} name="invitations" id=${(i) => i.invitation} every=${15000} empty="None. Without invitations anybody with the join link can join." /><${Form} title="New invitation" fields=${[{ name: 'uses_max', label: 'Uses', type: 'number' }]} send=${(b) => post('/v1/invitations', { uses_max: Number(b.uses_max || 1) })} shown=${(r) => r.link || r.invitation} />
    <${Cli}>dugnad user add; dugnad token new<//>`;
}
