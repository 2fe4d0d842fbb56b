// Who did what: the append-only, hash-chained log.
import { html } from '../vendor/preact-htm.js';
import { Cli, Table, When } from '../parts.js';

export function Audit() {
  const columns = [
    { key: 'seq', label: 'No.', num: true }, { key: 'time_ms', label: 'When', show: (a) => html`<${When} ms=${a.time_ms} />` }, { key: 'who', label: 'Who' },
    { key: 'action', label: 'What' }, { key: 'object', label: 'To what', wrap: true }, { key: 'detail', label: 'Detail', wrap: true, show: (a) => a.detail || '' },
    { key: 'hash', label: 'Chain', show: (a) => html`<span class="mono">${(a.hash || '').slice(0, 12)}</span>` },
  ];
  return html`<h1>Audit log</h1><p>Each line's hash covers the one before it: a changed or missing line breaks the chain.</p><${Table} path="/v1/audit" columns=${columns} name="audit" id=${(a) => a.seq} empty="Nothing has been done yet." every=${10000} /><${Cli}>dugnad-server audit verify DATA_FOLDER<//>`;
}
