// Apps, their releases, and which keys signed them.
import { html } from '../vendor/preact-htm.js';
import { Cli, Table, When } from '../parts.js';
import { bytes, count } from '../format.js';

export function Apps() {
  const columns = [
    { key: 'app', label: 'App' }, { key: 'version', label: 'Version', num: true }, { key: 'platform', label: 'Platform' },
    { key: 'title', label: 'What it is', wrap: true, show: (a) => a.title || '–' },
    { key: 'bytes', label: 'Bundle', num: true, show: (a) => bytes(a.bytes) },
    { key: 'signers', label: 'Signatures', wrap: true, show: (a) => html`<span class="mono">${(a.signers || []).map((s) => s.slice(0, 12)).join(', ') || '–'}</span>` },
    { key: 'digest', label: 'Release', show: (a) => html`<span class="mono">${a.digest.slice(0, 16)}</span>` },
    { key: 'valid', label: 'Valid', num: true, show: (a) => count(a.valid) }, { key: 'errors', label: 'Errors', num: true, show: (a) => count(a.errors) },
    { key: 'created_ms', label: 'Published', show: (a) => html`<${When} ms=${a.created_ms} />` },
  ];
  return html`<h1>Apps and releases</h1><${Table} path="/v1/apps?releases=true" columns=${columns} name="releases" id=${(a) => a.digest} empty=${html`No app yet: <code>dugnad app pack /usr/bin/PROGRAM</code>, then <code>app sign</code> offline, then <code>app publish</code>.`} /><${Cli}>dugnad app ls<//>`;
}
