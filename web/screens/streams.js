// Streams and the cursors that read them.
import { html } from '../vendor/preact-htm.js';
import { post } from '../api.js';
import { Action, Cli, State, Table } from '../parts.js';
import { count, duration } from '../format.js';

export function Streams() {
  const columns = [
    { key: 'stream', label: 'Stream' }, { key: 'cursor', label: 'Cursor', show: (s) => s.cursor || '–' },
    { key: 'state', label: 'State', show: (s) => html`<${State} word=${s.paused ? 'paused' : 'active'} />` },
    { key: 'records', label: 'Records', num: true, show: (s) => count(s.records) }, { key: 'depth', label: 'Waiting', num: true, show: (s) => count(s.depth) },
    { key: 'in_flight', label: 'In flight', num: true, show: (s) => count(s.in_flight) }, { key: 'redelivered', label: 'Redelivered', num: true, show: (s) => count(s.redelivered) },
    { key: 'oldest_ms', label: 'Oldest waits', show: (s) => (s.oldest_ms ? duration(Date.now() - s.oldest_ms) : '–') },
    { key: 'act', label: 'Do', raw: () => '', show: (s) => html`<span class="row"><${Action} label=${s.paused ? 'Resume' : 'Pause'} run=${() => post(`/v1/streams/${s.stream}/${s.paused ? 'resume' : 'pause'}`)} />${s.cursor && html`<${Action} label="Rewind" word=${s.cursor} danger confirm=${html`<p>The cursor ${s.cursor} will read ${s.stream} again from its first record.</p>`} run=${() => post(`/v1/streams/${s.stream}/cursors/${s.cursor}/rewind`, { seq: 0 })} />`}</span>` },
  ];
  return html`<h1>Streams and cursors</h1><${Table} path="/v1/streams?cursors=true" columns=${columns} name="streams" id=${(s) => `${s.stream}/${s.cursor || ''}`} empty="No stream yet. Each batch's answers can be routed to streams, and anyone with a token may publish." /><${Cli}>dugnad stats; dugnad tail STREAM<//>`;
}
