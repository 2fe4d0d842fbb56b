// Who did what: the append-only, hash-chained log.
import { html } from '../view.js';
import { Cli, Digest, Table, When } from '../parts.js';

const who = (a) => a.user_name || (a.user ? `user ${a.user}` : 'the server');
const detail = (a) => (a.detail === undefined || a.detail === null ? '' : typeof a.detail === 'string' ? a.detail : JSON.stringify(a.detail)).replace(/^{}$/, '');

export function Audit() {
  const columns = [
    { key: 'seq', label: 'No.', num: true }, { key: 'time_ms', label: 'When', show: (a) => html`<${When} ms=${a.time_ms} />` }, { key: 'who', label: 'Who', raw: who, show: who },
    { key: 'action', label: 'What' }, { key: 'subject', label: 'To what', wrap: true }, { key: 'detail', label: 'Detail', wrap: true, raw: detail, show: (a) => html`<span class="mono">${detail(a)}</span>` },
    { key: 'hash', label: 'Chain', show: (a) => html`<${Digest} hex=${a.hash} />` },
  ];
  return html`<h1>Audit log</h1><p>Each line’s hash covers the one before it: a changed or missing line breaks the chain.</p><${Table} path="/v1/audit" columns=${columns} name="audit" id=${(a) => a.seq} empty="Nothing has been done yet." every=${10000} /><${Cli}>dugnad audit<//>`;
}
