// Apps, their releases, and which keys signed them.
import { html } from '../view.js';
import { may, remove } from '../api.js';
import { Action, Cli, Digest, State, Table, When } from '../parts.js';
import { bytes, count, percent } from '../format.js';

const failed = (a) => (a.valid + a.errors > 0 ? a.errors / (a.valid + a.errors) : NaN);

export function Apps() {
  const retire = (a, reload) => html`<${Action} label="Retire" title="Retire ${a.app} ${a.version}" danger word=${a.app} confirm=${html`<p>No new batch can use ${a.app} ${a.version} for ${a.platform}. Batches that run go on.</p>`} run=${() => remove(`/v1/releases/${a.release}`)} after=${reload} />`;
  const columns = [
    { key: 'app', label: 'App', raw: (a) => `${a.app} ${a.version}`, show: (a) => html`<strong>${a.app}</strong> ${a.version}` }, { key: 'platform', label: 'Platform' },
    { key: 'state', label: 'State', raw: (a) => (a.retired ? 'retired' : 'in use'), show: (a) => html`<${State} word=${a.retired ? 'retired' : 'active'} text=${a.retired ? 'retired' : 'in use'} />` },
    { key: 'title', label: 'What it is', wrap: true, show: (a) => a.title || '–' },
    { key: 'bundle_bytes', label: 'Bundle', num: true, show: (a) => bytes(a.bundle_bytes) },
    { key: 'errors', label: 'Attempts failed', num: true, show: (a) => (a.errors === undefined ? '–' : html`<span class=${failed(a) > 0.1 ? 'bad' : ''}>${count(a.errors)} (${percent(failed(a))})</span>`) },
    { key: 'signers', label: 'Signed by', raw: (a) => (a.signers || []).join(' '), show: (a) => (a.signers?.length ? html`<span class="row">${a.signers.map((s) => html`<${Digest} key=${s} hex=${s} n=${8} />`)}</span>` : '–') },
    { key: 'release', label: 'Release', show: (a) => html`<${Digest} hex=${a.release} n=${8} />` },
    { key: 'created_ms', label: 'Published', show: (a) => html`<${When} ms=${a.created_ms} />` },
    ...(may('operator') ? [{ key: 'act', label: '', show: (a, reload) => !a.retired && retire(a, reload) }] : []),
  ];
  return html`<h1>Apps and releases</h1><${Table} path="/v1/apps" columns=${columns} name="releases" id=${(a) => a.release} empty=${html`No app yet. Scientists pack and publish one: <code>dugnad app pack</code>, <code>dugnad app sign</code> where the release keys are, <code>dugnad app publish</code>.`} /><${Cli}>dugnad app ls<//>`;
}
