// Volunteers: the owners of hosts.
import { html } from '../vendor/preact-htm.js';
import { Cli, Table, When } from '../parts.js';
import { count } from '../format.js';

export function Volunteers() {
  const columns = [
    { key: 'volunteer', label: 'Volunteer' }, { key: 'nickname', label: 'Name', wrap: true, show: (v) => v.nickname || '–' }, { key: 'team', label: 'Team', show: (v) => v.team || '–' },
    { key: 'hosts', label: 'Hosts', num: true }, { key: 'valid', label: 'Valid answers', num: true, show: (v) => count(v.valid) }, { key: 'credit', label: 'Credit', num: true, show: (v) => count(Math.round(v.credit || 0)) },
    { key: 'created_ms', label: 'Joined', show: (v) => html`<${When} ms=${v.created_ms} />` },
  ];
  return html`<h1>Volunteers</h1><${Table} path="/v1/volunteers" columns=${columns} name="volunteers" id=${(v) => v.volunteer} empty="Nobody has joined yet." /><${Cli}>dugnad join-link<//>`;
}
