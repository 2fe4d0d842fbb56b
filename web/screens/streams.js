// Streams and the cursors that read them.
import { html } from '../view.js';
import { may, post } from '../api.js';
import { Action, Cli, State, Table } from '../parts.js';
import { count, duration } from '../format.js';

const path = (s) => `/v1/streams/${encodeURIComponent(s.stream)}`;

function Acts({ s, reload }) {
  const rewind = html`<p>The cursor ${s.cursor} will read ${s.stream} again, from its first record.</p>`;
  return html`<span class="row"><${Action} label=${s.paused ? 'Resume' : 'Pause'} run=${() => post(`${path(s)}/${s.paused ? 'resume' : 'pause'}`)} after=${reload} />
    ${s.cursor && html`<${Action} label="Rewind" title="Rewind ${s.cursor}" word=${s.cursor} danger confirm=${rewind} run=${() => post(`${path(s)}/cursors/${encodeURIComponent(s.cursor)}/rewind`, { seq: 0 })} after=${reload} />`}</span>`;
}

export function Streams() {
  const columns = [
    { key: 'stream', label: 'Stream', wrap: true }, { key: 'cursor', label: 'Cursor', show: (s) => s.cursor || '–' },
    { key: 'state', label: 'State', raw: (s) => (s.paused ? 'paused' : 'active'), show: (s) => html`<${State} word=${s.paused ? 'paused' : 'active'} />` },
    { key: 'records', label: 'Records', num: true, show: (s) => count(s.records) }, { key: 'depth', label: 'Waiting', num: true, show: (s) => count(s.depth) },
    { key: 'in_flight', label: 'In flight', num: true, show: (s) => count(s.in_flight) }, { key: 'redelivered', label: 'Redelivered', num: true, show: (s) => count(s.redelivered) },
    { key: 'oldest_ms', label: 'Oldest waits', show: (s) => (s.oldest_ms ? duration(Date.now() - s.oldest_ms) : '–') },
    ...(may('scientist') ? [{ key: 'act', label: '', show: (s, reload) => html`<${Acts} s=${s} reload=${reload} />` }] : []),
  ];
  return html`<h1>Streams and cursors</h1><${Table} path="/v1/streams?cursors=true" columns=${columns} name="streams" id=${(s) => `${s.stream}/${s.cursor || ''}`} empty="No stream yet: they come with the batches whose answers are routed to them." /><${Cli}>dugnad streams<//>`;
}
