// The public page: what this project is, in its own words and in numbers.
import { html, render } from './view.js';
import { get } from './api.js';
import { Card } from './parts.js';
import { count, duration } from './format.js';

const byId = (id) => document.getElementById(id);

async function showProject() {
  const p = await get('/v1/project');
  byId('name').textContent = document.title = p.name;
  if (p.summary) byId('summary').textContent = p.summary;
  if (p.invitation_needed) byId('take-part').append(' This project takes part with those it has invited: the link holds the invitation.');
}

function Live({ s }) {
  return html`<div class="cards">
    <${Card} label="Units answered" value=${count(s.accepted)} note="of ${count(s.units)} so far" /><${Card} label="Computers now" value=${count(s.hosts_active)} note="called within an hour" />
    <${Card} label="Volunteers" value=${count(s.volunteers)} note="with ${count(s.hosts)} computers" /><${Card} label="Time given" value=${duration(s.cpu_ms)} note="of one core: ${count(Math.round(s.credit))} credit" /></div>`;
}

function Apps({ list }) {
  return html`<h2>What it computes</h2><dl>${list.map((a) => html`<dt key="n${a.app}">${a.app}</dt><dd key="t${a.app}">${a.title && html`<strong>${a.title}</strong>`}${a.summary && html`<br />${a.summary}`}</dd>`)}</dl>`;
}

function Teams({ list }) {
  return html`<h2>Teams</h2><div class="scroll" tabindex="0" role="region" aria-label="Teams"><table><thead><tr><th scope="col" class="num">Place</th><th scope="col">Team</th><th scope="col" class="num">Computers</th><th scope="col" class="num">Credit</th></tr></thead>
    <tbody>${list.map((t, i) => html`<tr key=${t.team}><td class="num">${i + 1}</td><td class="wrap">${t.team}</td><td class="num">${count(t.hosts)}</td><td class="num">${count(Math.round(t.credit))}</td></tr>`)}</tbody></table></div>`;
}

async function showNumbers() {
  const s = await get('/v1/project/stats');
  byId('live').hidden = false;
  render(() => html`<${Live} s=${s} />${s.apps?.length > 0 && html`<${Apps} list=${s.apps} />`}${s.teams?.length > 0 && html`<${Teams} list=${s.teams} />`}`, byId('live'));
}

showProject().catch(() => {});
(async function again() {
  try {
    await showNumbers();
  } catch { /* without numbers the page is whole */ }
  setTimeout(again, document.hidden ? 120000 : 30000);
})();
