// Validation: what the answers cost and how sure they are.
import { html } from '../view.js';
import { Card, Cli, Failure, State, Table, When, useData } from '../parts.js';
import { count, percent } from '../format.js';

export function Validation() {
  const { data: v, error } = useData('/v1/validation', 10000);
  if (!v) return html`<h1>Validation</h1>${error ? html`<${Failure} error=${error} />` : html`<p role="status">Loading…</p>`}`;
  const columns = [
    { key: 'unit', label: 'Unit', show: (d) => html`<a href="/admin/units/${d.unit}">${d.unit}</a>` },
    { key: 'state', label: 'State', show: (d) => html`<${State} word=${d.state} />` },
    { key: 'attempts', label: 'Attempts', num: true }, { key: 'invalid', label: 'Found wrong', num: true },
    { key: 'time_ms', label: 'When', show: (d) => html`<${When} ms=${d.time_ms} />` },
  ];
  return html`<h1>Validation</h1>
    <div class="cards"><${Card} label="Runs for an answer" value=${Number.isFinite(v.replication) ? v.replication.toFixed(3) : '–'} /><${Card} label="Answers found wrong" value=${count(v.invalid)} note=${v.valid + v.invalid ? percent(v.invalid / (v.valid + v.invalid), 3) : ''} />
      <${Card} label="Accepted though wrong, at most" value=${Number.isFinite(v.error_bound) ? percent(v.error_bound, 6) : '–'} note="by the policies, with 5 % liars at their best" /><${Card} label="Provisional answers" value=${count(v.provisional)} note="wait until their hosts are known better" /><${Card} label="Units being compared" value=${count(v.judging)} /></div>
    <h2>Units whose answers disagreed</h2><${Table} path="/v1/validation/disputes" columns=${columns} name="disputes" id=${(d) => d.unit} empty="No two hosts have disagreed so far." />
    <${Cli}>dugnad stats<//>`;
}
