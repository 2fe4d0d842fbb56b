// Volunteers: the owners of hosts.
import { html } from '../view.js';
import { Cli, Table, When } from '../parts.js';
import { count } from '../format.js';

export function Volunteers() {
  const columns = [
    { key: 'volunteer', label: 'Volunteer', show: (v) => html`<a href="/admin/hosts?volunteer=${v.volunteer}">${v.volunteer}</a>` }, { key: 'name', label: 'Name', wrap: true, show: (v) => v.name || '–' }, { key: 'team', label: 'Team', wrap: true, show: (v) => v.team || '–' },
    { key: 'hosts', label: 'Hosts', num: true, show: (v) => count(v.hosts) }, { key: 'valid', label: 'Valid answers', num: true, show: (v) => count(v.valid) },
    { key: 'invalid', label: 'Invalid', num: true, show: (v) => (v.invalid ? html`<span class="bad">${count(v.invalid)}</span>` : '0') }, { key: 'credit', label: 'Credit', num: true, show: (v) => count(Math.round(v.credit || 0)) },
    { key: 'created_ms', label: 'Joined', show: (v) => html`<${When} ms=${v.created_ms} />` },
  ];
  return html`<h1>Volunteers</h1><${Table} path="/v1/volunteers" columns=${columns} name="volunteers" id=${(v) => v.volunteer} empty="Nobody has joined yet." every=${15000} /><${Cli}>dugnad host ls<//>`;
}
