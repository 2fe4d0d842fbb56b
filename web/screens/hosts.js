// Hosts: who computes, how well, and what to do about those that do not.
import { html } from '../vendor/preact-htm.js';
import { post } from '../api.js';
import { Action, Card, Cli, Failure, State, Table, When, useData, useQuery } from '../parts.js';
import { bytes, count, percent } from '../format.js';

const stateOf = (h) => (h.banned ? 'banned' : Date.now() - h.last_seen_ms < 3600e3 ? 'active' : 'gone');

export function Hosts() {
  const [query, setQuery] = useQuery();
  const show = query.get('show') || '';
  const columns = [
    { key: 'host', label: 'Host', show: (h) => html`<a href="/admin/hosts/${h.host}">${h.host}</a>` },
    { key: 'nickname', label: 'Name', wrap: true, show: (h) => h.nickname || '–' },
    { key: 'volunteer', label: 'Volunteer' },
    { key: 'state', label: 'State', raw: stateOf, show: (h) => html`<${State} word=${stateOf(h)} />` },
    { key: 'platform', label: 'Platform' }, { key: 'cores', label: 'Cores', num: true }, { key: 'client', label: 'Client' },
    { key: 'leases', label: 'Out', num: true }, { key: 'valid', label: 'Valid', num: true, show: (h) => count(h.valid) },
    { key: 'invalid', label: 'Invalid', num: true, show: (h) => (h.invalid ? html`<span class="bad">${count(h.invalid)}</span>` : '0') },
    { key: 'errors', label: 'Errors', num: true, show: (h) => count(h.errors) },
    { key: 'last_seen_ms', label: 'Seen', show: (h) => html`<${When} ms=${h.last_seen_ms} />` },
  ];
  return html`<h1>Hosts</h1><div class="row" style=${{ marginBottom: '.6rem' }}><select aria-label="Which hosts" value=${show} onChange=${(e) => setQuery({ show: e.target.value, after: '' })}><option value="">all</option><option value="banned">banned</option></select></div>
    <${Table} path=${`/v1/hosts${show === 'banned' ? '?banned=true' : ''}`} columns=${columns} name="hosts" id=${(h) => h.host} empty=${html`No host has joined yet. Give volunteers the join link: <code>dugnad join-link</code>.`}
      bulk=${(ids, clear) => html`<${Action} label="Ban" danger word="ban" confirm=${html`<p>${ids.length} hosts get no more work and their open leases end. Accepted answers stay; provisional ones are run again elsewhere.</p>`} run=${async () => { for (const id of ids) await post(`/v1/hosts/${id}/ban`, { reason: 'banned from the console' }); }} after=${clear} />`} />
    <${Cli}>dugnad host list<//>`;
}

export function Host({ host }) {
  const { data: h, error, reload } = useData(`/v1/hosts/${host}`, 5000);
  if (error) return html`<h1>Host ${host}</h1><${Failure} error=${error} />`;
  if (!h) return html`<p role="status">Loading…</p>`;
  const done = (h.valid || 0) + (h.invalid || 0);
  return html`<h1>Host ${host}${h.nickname ? `: ${h.nickname}` : ''} <${State} word=${stateOf(h)} /></h1>
    <div class="cards"><${Card} label="Valid answers" value=${count(h.valid)} /><${Card} label="Invalid" value=${count(h.invalid)} tone=${h.invalid ? 'bad' : ''} note=${done ? percent(h.invalid / done) : ''} /><${Card} label="Errors" value=${count(h.errors)} /><${Card} label="Out now" value=${count(h.leases)} /><${Card} label="Credit" value=${count(Math.round(h.credit || 0))} /></div>
    <dl style=${{ marginTop: '1rem' }}><dt>Volunteer</dt><dd>${h.volunteer}</dd><dt>Platform</dt><dd>${h.platform}, ${h.cores} cores, ${bytes(h.memory_bytes)} memory, ${bytes(h.disk_bytes)} disk</dd><dt>Features</dt><dd>${(h.features || []).join(', ') || '–'}</dd><dt>Client</dt><dd>${h.client}</dd><dt>Joined</dt><dd><${When} ms=${h.created_ms} /></dd><dt>Last seen</dt><dd><${When} ms=${h.last_seen_ms} /></dd></dl>
    ${h.trust?.length ? html`<h2>Trust by app</h2><dl>${h.trust.map((t) => html`<dt>${t.app} ${t.version}</dt><dd>${t.state}, ${count(t.valid)} valid in a row</dd>`)}</dl>` : ''}
    <p class="row">${h.banned ? html`<${Action} label="Lift the ban" run=${() => post(`/v1/hosts/${host}/unban`)} after=${reload} />` : html`<${Action} label="Ban" danger word=${host} confirm=${html`<p>The host gets no more work; its ${count(h.leases)} open leases end and are given to others. Accepted answers stay.</p>`} run=${() => post(`/v1/hosts/${host}/ban`, { reason: 'banned from the console' })} after=${reload} />`}</p>
    <${Cli}>dugnad host show ${host}<//>`;
}
