// The local page: what this computer does for whom, why it does nothing, and what its owner wants. Its key came in the link.
import { html, render, useState, useEffect } from '../view.js';
import { get, post, useKey } from '../api.js';
import { Card, Failure, State, Progress, Action, Plot } from '../parts.js';
import { bytes, count, duration, percent, time } from '../format.js';
import { Preferences } from './preferences.js';

const WORDS = {
  running: ['running', 'Running'], fetching: ['loading', 'Fetching'], paused: ['paused', 'Paused'], waiting_for_owner: ['paused', 'Standing still'], finishing: ['loading', 'Finishing'],
  finished: ['done', 'Finished'], leaving: ['left', 'Leaving'], unreachable: ['warn', 'Not reachable'], waiting: ['open', 'Waiting for work'], left: ['left', 'Left'],
};
const Badge = ({ state }) => html`<${State} word=${(WORDS[state] || ['open'])[0]} text=${(WORDS[state] || [0, state])[1]} />`;

function takeKey() {
  const given = new URLSearchParams(location.hash.slice(1)).get('k');
  if (given) {
    sessionStorage.setItem('dugnad-key', given);
    history.replaceState(null, '', location.pathname); // nobody reads it over a shoulder
  }
  return sessionStorage.getItem('dugnad-key');
}

// Milliseconds until the clock of this computer shows "18:00" next.
function untilClock(text) {
  const [h, m] = text.split(':').map(Number), then = new Date();
  then.setHours(h, m, 0, 0);
  if (then <= Date.now()) then.setDate(then.getDate() + 1);
  return then - Date.now();
}

function Wishes({ s, tell, project, id }) {
  const of = id ? { project: id } : {}, held = s.state === 'paused' || s.state === 'finishing' || s.state === 'finished';
  return html`${held && html`<${Action} main label="Go on" run=${() => tell({ command: 'resume', ...of })} />`}
    ${s.state !== 'paused' && html`<${Action} label="Pause" run=${() => tell({ command: 'pause', ...of })} />`}
    <${Action} label="Pause for an hour" run=${() => tell({ command: 'pause', for_ms: 3600e3, ...of })} />
    ${s.state !== 'finishing' && s.state !== 'finished' && html`<${Action} label="Finish" run=${() => tell({ command: 'finish', ...of })} confirm=${project ? `What runs for ${project} comes to its end; nothing new begins.` : 'What runs comes to its end; nothing new begins; then the daemon ends.'} />`}`;
}

function Until({ tell }) {
  const [at, setAt] = useState('18:00');
  const go = (e) => { e.preventDefault(); tell({ command: 'pause', for_ms: untilClock(at) }).catch(() => {}); };
  return html`<form class="row" onSubmit=${go}><label for="until">Pause until</label><input id="until" type="time" required value=${at} onInput=${(e) => setAt(e.target.value)} /><button type="submit">Pause</button></form>`;
}

function Unit({ r }) {
  const known = Number.isFinite(r.progress), share = known ? r.progress : 0;
  const signed = r.signers ? r.signers.split(' ') : [];
  return html`<article class="card unit" aria-label="Work unit ${r.attempt}">
    <div class="row"><strong>${r.app}</strong><span>${r.paused ? html`<${State} word="paused" text="stands still" />` : html`<${State} word="running" text="runs" />`}</span></div>
    ${known && html`<${Progress} label="${percent(share, 0)} done" parts=${[['good', share]]} total=${1} />`}
    <p class="facts">${known ? `${percent(share, 0)} done, ` : ''}${r.left_ms === undefined ? 'time left not known' : r.left_ms === 0 ? 'longer than expected' : `about ${duration(r.left_ms)} left`} · ${duration(r.cpu_ms)} of processor time · ${bytes(r.memory_bytes)} of memory</p>
    <p class="facts">For <strong>${r.project}</strong>, batch ${r.batch}, unit ${r.attempt}; due ${time(r.deadline_ms)}. Signed by ${signed.length} of the project’s release keys (${r.signers_needed} needed): ${signed.map((k) => html`<code key=${k}>${k}</code> `)}</p>
  </article>`;
}

function Running({ s }) {
  return html`<h2 id="work">What runs</h2>${s.running.length === 0 ? html`<p class="empty">Nothing runs now.</p>` : s.running.map((r) => html`<${Unit} key=${r.attempt + r.project} r=${r} />`)}`;
}

function Projects({ s, tell }) {
  return html`<h2 id="projects">Projects</h2>${s.projects.map((p) => html`<article class="card project" key=${p.id} aria-label="Project ${p.project}">
    <div class="row"><strong>${p.project}</strong><${Badge} state=${p.state} /></div>
    <p class="facts">${p.sentence}</p>
    <p class="facts">${count(p.ended_ok)} units ended well and ${count(p.ended_bad)} did not since the start; ${count(p.waiting + p.fetching)} wait, ${count(p.to_report)} are to be reported.
      Next contact: ${p.next_contact_ms ? time(p.next_contact_ms) : 'as soon as there is something to say'}. This computer is host ${p.host} of volunteer ${p.volunteer} there${s.projects.length > 1 ? `, share ${p.share}` : ''}.</p>
    <div class="row">${s.projects.length > 1 && html`<span class="row"><${Wishes} s=${p} tell=${tell} id=${p.id} project=${p.project} /></span>`}
      <${Action} danger label="Leave" title="Leave ${p.project}" word=${p.project} run=${() => tell({ command: 'leave', project: p.id })}
        confirm=${html`<p>What is unfinished is given back at once, finished answers are handed over, and this computer is no host of ${p.project} any more.</p>`} /></div>
  </article>`)}
  <p class="cli">Another project: <code>dugnad-client join LINK</code>. Shares are under preferences.</p>`;
}

function Messages({ s }) {
  const all = s.projects.flatMap((p) => p.messages.map((m) => ({ ...m, project: p.project }))).sort((a, b) => b.at_ms - a.at_ms);
  const problems = s.projects.filter((p) => p.problem);
  return html`<h2 id="messages">Messages</h2>${all.length + problems.length === 0 && html`<p class="empty">No messages.</p>`}
    ${problems.map((p) => html`<div class="note bad" key=${p.project}><strong>${p.project}:</strong> ${p.problem}</div>`)}
    <ul>${all.map((m) => html`<li key=${m.project + m.at_ms + m.text}><time datetime=${new Date(m.at_ms).toISOString()}>${time(m.at_ms)}</time> <strong>${m.project}</strong>: ${m.text}</li>`)}</ul>`;
}

// One point for each hour, for each day where there are more than three days.
function series(hours) {
  if (hours.length === 0) return null;
  const days = Date.now() - hours[0].at_ms > 3 * 86400e3, step = days ? 86400e3 : 3600e3, sums = new Map();
  const start = (ms) => { const d = new Date(ms); days ? d.setHours(0, 0, 0, 0) : d.setMinutes(0, 0, 0); return d.getTime(); };
  for (const h of hours) {
    const at = start(h.at_ms), was = sums.get(at) || { ok: 0, cpu: 0 };
    sums.set(at, { ok: was.ok + h.ok, cpu: was.cpu + h.cpu_ms / 3600e3 });
  }
  const times = [], ok = [], cpu = [];
  for (let at = start(hours[0].at_ms - step); at <= Date.now() && times.length < 800; at = start(at + step + step / 8)) {
    times.push(at);
    ok.push(sums.get(at)?.ok || 0);
    cpu.push(sums.get(at)?.cpu || 0);
  }
  return { times, ok, cpu, each: days ? 'day' : 'hour' };
}

function Given({ hours }) {
  const s = series(hours || []), total = (key) => (hours || []).reduce((a, h) => a + h[key], 0);
  return html`<h2 id="given">What you gave</h2>
    <div class="cards"><${Card} label="Answers" value=${count(total('ok'))} note="in the last 30 days of work" /><${Card} label="Processor time" value=${duration(total('cpu_ms'))} note="of one core" /></div>
    ${s ? html`<div class="plots pager"><${Plot} title="Answers each ${s.each}" times=${s.times} values=${s.ok} tone="good" /><${Plot} title="Core hours each ${s.each}" times=${s.times} values=${s.cpu} tone="calm" unit=" h" /></div>` : html`<p class="empty">The first answer of this computer will stand here.</p>`}`;
}

function Out() {
  return html`<main id="main" class="page local"><h1>This link is not valid any more</h1><p>The page has a new key each time it is switched on, and is switched off when nobody looks for a while. Open it again from a terminal of this computer:</p><pre>dugnad-client page</pre></main>`;
}

function usePoll(path, every, then) {
  useEffect(() => {
    let live = true, timer;
    const turn = async () => {
      try { const d = await get(path); if (live) then(d, null); } catch (e) { if (live) then(null, e); }
      if (live) timer = setTimeout(turn, document.hidden ? every * 10 : every);
    };
    const seen = () => { if (!document.hidden) { clearTimeout(timer); turn(); } };
    turn();
    document.addEventListener('visibilitychange', seen);
    return () => { live = false; clearTimeout(timer); document.removeEventListener('visibilitychange', seen); };
  }, [path]);
}

function Local() {
  const [s, setStatus] = useState(null), [hours, setHours] = useState(null), [error, setError] = useState(null), [out, setOut] = useState(!key);
  usePoll('/v1/status', 2000, (d, e) => { if (e?.status === 401) setOut(true); else { setError(e); if (d) setStatus(d); } });
  usePoll('/v1/history', 60000, (d) => { if (d) setHours(d.hours); });
  const tell = async (wish) => setStatus(await post('/v1/wish', wish));
  if (out) return html`<${Out} />`;
  const gone = error?.status === 0;
  return html`<main id="main" class="page local">
    <header><img src="/web/icon.svg" alt="" width="34" height="34" /><strong>Dugnad on this computer</strong><nav aria-label="On this page"><a href="#work">Work</a><a href="#projects">Projects</a><a href="#given">Given</a><a href="#messages">Messages</a><a href="#preferences">Preferences</a></nav></header>
    ${gone ? html`<div class="note bad" role="alert"><strong class="bad">✕ The client on this computer does not answer</strong><p>It has ended, or this page was switched off; what stands below is how it was. From a terminal of this computer, the page again, and the client if it does not run:</p><p><code>dugnad-client page</code>, <code>dugnad-client run</code></p></div>` : error && html`<${Failure} error=${error} />`}
    ${!s ? html`<h1>Dugnad on this computer</h1><p role="status">Loading…</p>` : html`
    <h1>${gone ? 'Not answering' : html`<${Badge} state=${s.state} />`}</h1><p class="now" role="status">${gone && 'What it said last: '}${s.sentence}${s.network && ` The network is left alone: ${s.network}.`}</p>
    ${!gone && html`<div class="row"><${Wishes} s=${s} tell=${tell} /><${Until} tell=${tell} /></div>`}
    <div class="cards pager"><${Card} label="Cores at work" value=${`${s.running.filter((r) => !r.paused).length} of ${s.cores}`} note=${s.cores_now === s.cores ? 'all may work now' : `${s.cores_now} may work now${s.in_use ? ': the computer is in use' : ''}`} />
      <${Card} label="Memory of work" value=${bytes(s.running.reduce((a, r) => a + r.memory_bytes, 0))} note="at most ${bytes(s.memory_bytes)}" />
      <${Card} label="Waiting here" value=${count(s.waiting + s.fetching)} note="${count(s.to_report)} to be reported" />
      <${Card} label="The client itself" value=${bytes(s.own_memory_bytes)} note="version ${s.version}" /></div>
    <${Running} s=${s} /><${Projects} s=${s} tell=${tell} /><${Given} hours=${hours} /><${Messages} s=${s} />`}
    <${Preferences} />
    <p class="cli">The same from a terminal: <code>dugnad-client status</code>, <code>dugnad-client pause 1h</code>, <code>dugnad-client top</code></p>
  </main>`;
}

const key = takeKey();
useKey(key || '', 'the client on this computer does not answer: it has ended, or this page was switched off');
render(() => html`<${Local} />`, document.getElementById('app'));
