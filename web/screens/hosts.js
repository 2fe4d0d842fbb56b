// Hosts: who computes, how well, and what to do about those that do not.
import { html, useState } from '../view.js';
import { may, post } from '../api.js';
import { Action, Card, Choose, Cli, Failure, State, Table, When, useData, useQuery } from '../parts.js';
import { LastFailures } from './overview.js';
import { bytes, count, percent } from '../format.js';

const stateOf = (h) => (h.banned ? 'banned' : h.left ? 'left' : Date.now() - h.seen_ms < 3600e3 ? 'active' : 'gone');

export function Hosts() {
  const [query] = useQuery(), wanted = new URLSearchParams(['state', 'volunteer'].filter((k) => query.get(k)).map((k) => [k, query.get(k)])).toString();
  const columns = [
    { key: 'host', label: 'Host', show: (h) => html`<a href="/admin/hosts/${h.host}">${h.host}</a>` },
    { key: 'nickname', label: 'Name', wrap: true, show: (h) => h.nickname || '–' },
    { key: 'state', label: 'State', raw: stateOf, show: (h) => html`<${State} word=${stateOf(h)} />` },
    { key: 'seen_ms', label: 'Seen', show: (h) => html`<${When} ms=${h.seen_ms} />` },
    { key: 'leased', label: 'Out', num: true, show: (h) => count(h.leased) }, { key: 'valid', label: 'Valid', num: true, show: (h) => count(h.valid) },
    { key: 'invalid', label: 'Invalid', num: true, show: (h) => (h.invalid ? html`<span class="bad">${count(h.invalid)}</span>` : '0') },
    { key: 'errors', label: 'Errors', num: true, show: (h) => count(h.errors) }, { key: 'expired', label: 'Late', num: true, show: (h) => count(h.expired) },
    { key: 'volunteer', label: 'Owner', show: (h) => html`<a href="/admin/hosts?volunteer=${h.volunteer}">${h.volunteer}</a>` },
    { key: 'platform', label: 'Platform' }, { key: 'cores', label: 'Cores', num: true }, { key: 'client', label: 'Client' },
  ];
  const bulk = (ids, clear) => html`<${Action} label="Ban" title=${ids.length === 1 ? `Ban host ${ids[0]}` : `Ban ${ids.length} hosts`} danger word="ban" confirm=${html`<p>${ids.length} ${ids.length === 1 ? 'host gets' : 'hosts get'} no more work. What is out may still be reported; accepted answers stay.</p>`} run=${async () => { for (const id of ids) await post(`/v1/hosts/${id}/ban`, { reason: 'banned from the console' }); }} after=${clear} />`;
  return html`<h1>Hosts${query.get('volunteer') ? ` of volunteer ${query.get('volunteer')}` : ''}</h1><div class="row filter"><${Choose} label="Which hosts" name="state" all="all" options=${['active', 'gone', 'banned', 'left']} />${query.get('volunteer') && html`<a href="/admin/hosts">of everybody</a>`}</div>
    <${Table} path="/v1/hosts${wanted ? `?${wanted}` : ''}" columns=${columns} name="hosts" id=${(h) => h.host} bulk=${may('operator') && bulk}
      empty=${wanted ? 'No host matches.' : html`No host has joined yet. Volunteers need a join link: ${may('operator') ? html`make one under <a href="/admin/settings">Settings</a>` : 'an operator makes one'}, or with <code>dugnad invitation new</code>.`} />
    <${Cli}>dugnad host ls<//>`;
}

function Ban({ h, after }) {
  const [reason, setReason] = useState('');
  if (!may('operator')) return null;
  if (h.banned) return html`<p class="row"><${Action} label="Lift the ban" main run=${() => post(`/v1/hosts/${h.host}/unban`)} after=${after} />${h.ban_reason && html`<span>Banned: ${h.ban_reason}</span>`}</p>`;
  const preview = html`<p>The host gets no more work. What it has out (${count(h.leased)} ${h.leased === 1 ? 'attempt' : 'attempts'}) may still be reported, and is compared like any other. Its ${count(h.valid)} valid answers stay.</p>
    <label for="reason">Why (kept with the host and in the audit log)</label><input id="reason" class="wide" maxlength="200" value=${reason} onInput=${(e) => setReason(e.target.value)} />`;
  return html`<p class="row"><${Action} label="Ban" title="Ban host ${h.host}" danger word=${h.host} confirm=${preview} run=${() => post(`/v1/hosts/${h.host}/ban`, { reason: reason || 'banned from the console' })} after=${after} /></p>`;
}

export function Host({ host }) {
  const { data: h, error, reload } = useData(`/v1/hosts/${host}`, 5000);
  if (!h) return html`<h1>Host ${host}</h1>${error ? html`<${Failure} error=${error} />` : html`<p role="status">Loading…</p>`}`;
  const done = h.valid + h.invalid;
  return html`<h1>Host ${host}${h.nickname ? `: ${h.nickname}` : ''} <${State} word=${stateOf(h)} /></h1>${error && html`<${Failure} error=${error} />`}
    <div class="cards"><${Card} label="Valid answers" value=${count(h.valid)} /><${Card} label="Invalid" value=${count(h.invalid)} tone=${h.invalid ? 'bad' : ''} note=${done ? percent(h.invalid / done) : ''} /><${Card} label="Errors" value=${count(h.errors)} /><${Card} label="Past the deadline" value=${count(h.expired)} />
      <${Card} label="Attempts out" value=${count(h.leased)} note="at most ${count(h.allowed)}" /><${Card} label="Credit" value=${count(Math.round(h.credit || 0))} /></div>
    <dl><dt>Owner</dt><dd><a href="/admin/hosts?volunteer=${h.volunteer}">volunteer ${h.volunteer}</a></dd><dt>Machine</dt><dd>${[h.platform, h.os, h.cpu].filter(Boolean).join(', ')}</dd>
      <dt>It gives</dt><dd>${count(h.cores)} cores, ${bytes(h.memory_bytes)} memory, ${bytes(h.disk_bytes)} disk; ${h.speed?.toFixed(2)} × the reference machine</dd><dt>Features</dt><dd>${h.features || '–'}</dd><dt>Client</dt><dd>${h.client}</dd>
      <dt>Joined</dt><dd><${When} ms=${h.created_ms} /></dd><dt>Last seen</dt><dd><${When} ms=${h.seen_ms} /></dd></dl>
    ${h.trust?.length > 0 && html`<h2>Trust by app</h2><dl>${h.trust.map((t) => html`<dt key="a${t.app}${t.version}">${t.app} ${t.version}</dt><dd key="t${t.app}${t.version}"><${State} word=${t.state} />, ${count(t.valid_in_row)} valid in a row</dd>`)}</dl>`}
    <${Ban} h=${h} after=${reload} />
    <h2>Last failures</h2><${LastFailures} path="/v1/failures?host=${host}&limit=10" />
    <${Cli}>dugnad host show ${host}<//>`;
}
