// Validation: what the answers cost and how sure they are.
import { html } from '../vendor/preact-htm.js';
import { Card, Cli, Failure, State, Table, useData } from '../parts.js';
import { count, percent } from '../format.js';

export function Validation() {
  const { data: v, error } = useData('/v1/validation', 10000);
  if (error) return html`<h1>Validation</h1><${Failure} error=${error} />`;
  if (!v) return html`<p role="status">Loading…</p>`;
  const columns = [
    { key: 'unit', label: 'Unit', show: (d) => html`<a href="/admin/units/${d.unit}">${d.unit}</a>` },
    { key: 'state', label: 'State', show: (d) => html`<${State} word=${d.state} />` },
    { key: 'attempts', label: 'Attempts', num: true }, { key: 'invalid', label: 'Invalid', num: true },
  ];
  return html`<h1>Validation</h1>
    <div class="cards"><${Card} label="Attempts per accepted unit" value=${v.replication ? v.replication.toFixed(3) : '–'} /><${Card} label="Answers found wrong" value=${count(v.invalid)} note=${v.valid + v.invalid ? percent(v.invalid / (v.valid + v.invalid), 3) : ''} /><${Card} label="Error bound" value=${v.error_bound !== null && v.error_bound !== undefined ? v.error_bound.toExponential(1) : '–'} note="accepted answers that may be wrong" /><${Card} label="Provisional" value=${count(v.provisional)} /><${Card} label="Waiting for a judge" value=${count(v.judging)} /></div>
    <h2>Units whose answers disagreed</h2><${Table} path="/v1/validation/disputes" columns=${columns} name="disputes" id=${(d) => d.unit} empty="No two hosts have disagreed so far." />
    <${Cli}>dugnad status --json<//>`;
}
