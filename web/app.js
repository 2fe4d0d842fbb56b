// The console: frame, login, and the table of screens. Each screen is one module in screens/.
import { html, render, useState, useEffect, useRef } from './view.js';
import { session, forget, remove, live, may } from './api.js';
import { Failure, go } from './parts.js';
import { setTimes, timesAre } from './format.js';
import { Batch, Batches, NewBatch, Unit } from './screens/work.js';
import { Audit, Find, Host, Hosts, Login, Reauth, Settings, Volunteers } from './screens/people.js';
import { Apps, Health, Overview, Streams, Validation, Wall } from './screens/project.js';

// [address pattern, screen, name in the menu, key after g, least role]
const SCREENS = [
  ['', Overview, 'Overview', 'o'],
  ['batches', Batches, 'Batches', 'b'],
  ['batches/new', NewBatch],
  ['batches/:batch', Batch],
  ['units/:unit', Unit],
  ['hosts', Hosts, 'Hosts', 'h'],
  ['hosts/:host', Host],
  ['validation', Validation, 'Validation', 'v'],
  ['apps', Apps, 'Apps and releases', 'a'],
  ['streams', Streams, 'Streams', 's'],
  ['volunteers', Volunteers, 'Volunteers', 'p'],
  ['audit', Audit, 'Audit log', 'l', 'operator'],
  ['health', Health, 'Health and capacity', 'c', 'operator'],
  ['settings', Settings, 'Settings', 't'],
  ['wall', Wall],
  ['find', Find],
];
const menu = () => SCREENS.filter((s) => s[2] && may(s[4] || 'viewer'));

function match(path) {
  const parts = path.replace(/^\/admin\/?/, '').replace(/\/$/, '').split('/');
  for (const [pattern, Screen] of SCREENS) {
    const wanted = pattern.split('/');
    if (wanted.length !== parts.length) continue;
    const found = {};
    if (wanted.every((w, i) => (w.startsWith(':') ? ((found[w.slice(1)] = decodeURIComponent(parts[i])), parts[i] !== '') : w === parts[i]))) return { Screen, found };
  }
  return { Screen: null, found: {} };
}

// Where does what was typed into the search box lead? What has an address of its own is not searched for.
function jump(text) {
  const t = text.trim(), at = { h: 'hosts/', v: 'hosts?volunteer=' }[t[0]];
  if (/^\d+\.\d+(\.\d+)?$/.test(t)) return `/admin/units/${t.split('.').slice(0, 2).join('.')}`;
  if (/^\d+$/.test(t)) return `/admin/batches/${t}`;
  return at && /^.\d+$/.test(t) ? `/admin/${at}${t.slice(1)}` : `/admin/find?text=${encodeURIComponent(t)}`;
}

function setTheme(word) {
  const { dataset } = document.documentElement;
  word === 'system' ? delete dataset.theme : (dataset.theme = word);
  try { localStorage.setItem('dugnad-theme', word); } catch { /* storage may be off */ }
}

// A list box of how things look, kept in this browser.
function Look({ label, now, words, set }) {
  const [word, setWord] = useState(now);
  return html`<select aria-label=${label} value=${word} onChange=${(e) => { set(e.target.value); setWord(e.target.value); }}>${words.map(([value, name]) => html`<option key=${value} value=${value}>${name}</option>`)}</select>`;
}

const Looks = () => html`<${Look} label="Times" now=${timesAre()} set=${setTimes} words=${[['ago', 'Ago'], ['local', 'Local'], ['UTC', 'UTC']]} />
  <${Look} label="Colours" now=${document.documentElement.dataset.theme || 'system'} set=${setTheme} words=${[['system', 'System'], ['light', 'Light'], ['dark', 'Dark']]} />`;

function Help({ onDone }) {
  const box = useRef(null);
  useEffect(() => { box.current.showModal(); }, []);
  return html`<dialog ref=${box} onClose=${onDone} aria-labelledby="help-title"><h2 id="help-title">Keys</h2>
    <dl><dt><kbd>/</kbd></dt><dd>jump to anything by its number or name</dd><dt><kbd>?</kbd></dt><dd>this help</dd>
    ${menu().map((s) => html`<dt key="t${s[3]}"><kbd>g</kbd> then <kbd>${s[3]}</kbd></dt><dd key="d${s[3]}">${s[2]}</dd>`)}</dl>
    <button onClick=${() => box.current.close()}>Close</button></dialog>`;
}

function useKeys(setHelp) {
  useEffect(() => {
    let went = 0;
    const onKey = (e) => {
      if (e.ctrlKey || e.metaKey || e.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName)) return;
      if (e.key === '/') { e.preventDefault(); document.getElementById('search')?.focus(); }
      else if (e.key === '?') setHelp(true);
      else if (e.key === 'g') went = Date.now();
      else if (Date.now() - went < 1500) {
        const screen = SCREENS.find((s) => s[3] === e.key);
        went = 0;
        if (screen) go(`/admin/${screen[0]}`);
      }
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);
}

// Links within the console change the address and draw; they do not load the page again.
function followLinks(e) {
  const a = e.target.closest('a[href^="/admin"]');
  if (!a || e.ctrlKey || e.metaKey || e.shiftKey || e.button) return;
  e.preventDefault();
  go(a.getAttribute('href'));
  scrollTo(0, 0);
  document.getElementById('main').focus({ preventScroll: true });
}

function usePath() {
  const [path, setPath] = useState('');
  useEffect(() => {
    const moved = () => setPath(location.pathname + location.search);
    addEventListener('popstate', moved);
    addEventListener('click', followLinks);
    return () => { removeEventListener('popstate', moved); removeEventListener('click', followLinks); };
  }, []);
  return path;
}

function Menu({ name }) {
  const here = location.pathname.replace(/^\/admin\/?/, '').split('/')[0].replace('units', 'batches');
  useEffect(() => { document.querySelector('.side [aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' }); }, [here]);
  const link = (to, label) => html`<a key=${to} href="/admin/${to}" aria-current=${here === to ? 'page' : undefined}>${label}</a>`;
  return html`<nav class="side" aria-label="Screens"><b><img src="/web/icon.svg" alt="" width="22" height="22" /> ${name}</b><div>${menu().map((s) => link(s[0], s[2]))}${link('wall', 'Wall screen')}</div></nav>`;
}

function Top({ who, down, onHelp, onOut }) {
  const search = (e) => {
    e.preventDefault();
    go(jump(e.target.elements.q.value));
    e.target.reset();
  };
  const leave = async () => {
    try { await remove('/v1/session'); } finally { forget(); onOut(); }
  };
  return html`<header class="top"><form role="search" onSubmit=${search}><input id="search" name="q" type="search" aria-label="Jump to anything by its number or name" placeholder="Jump to 7, 7.12, h3, v2 or a name ( / )" /></form>
    ${down && html`<span class="bad" role="status">Connection lost, trying again…</span>`}
    <${Looks} /><button class="keys" onClick=${onHelp}>Keys</button><span class="who">${who.name} (${who.role})</span><button onClick=${leave}>Log out</button></header>`;
}

// What was done, and the command that does the same; for as long as it takes to read it.
function Done() {
  const [did, setDid] = useState(null);
  useEffect(() => {
    let timer;
    const on = (e) => { setDid(e.detail); clearTimeout(timer); timer = setTimeout(() => setDid(null), 10000); };
    addEventListener('dugnad-did', on);
    return () => { clearTimeout(timer); removeEventListener('dugnad-did', on); };
  }, []);
  return html`<div class="did" role="status">${did && html`<p>Done. The same from a terminal: <code>${did}</code></p>`}</div>`;
}

function Frame({ who, onOut }) {
  const [stats, setStats] = useState(null), [down, setDown] = useState(false), [help, setHelp] = useState(false);
  const path = usePath();
  useEffect(() => live((s) => { setStats(s); setDown(false); }, () => setDown(true)), []);
  useKeys(setHelp);
  const { Screen, found } = match(location.pathname), name = stats?.project || 'Dugnad';
  useEffect(() => { document.title = `${SCREENS.find((s) => s[1] === Screen)?.[2] || Object.values(found)[0] || 'Console'} · ${name}`; }, [path, name]);
  if (Screen === Wall) return html`<${Wall} stats=${stats} down=${down} />`;
  const shown = Screen ? html`<${Screen} key=${location.pathname} ...${found} stats=${stats} down=${down} who=${who} />` : html`<h1>No such page</h1><p><a href="/admin/">Back to the overview</a></p>`;
  return html`<div class="frame"><${Menu} name=${name} />
    <div><${Top} who=${who} down=${down} onHelp=${() => setHelp(true)} onOut=${onOut} /><main id="main" tabindex="-1">${shown}</main></div>
    <${Done} /><${Reauth} who=${who} />${help && html`<${Help} onDone=${() => setHelp(false)} />`}</div>`;
}

function App() {
  const [who, setWho] = useState(undefined), [error, setError] = useState(null), was = useRef(false);
  was.current ||= !!who;
  useEffect(() => {
    const out = () => setWho(null);
    addEventListener('dugnad-out', out);
    session().then(setWho, setError);
    return () => removeEventListener('dugnad-out', out);
  }, []);
  if (error) return html`<main id="main" class="narrow"><${Failure} error=${error} /><button onClick=${() => location.reload()}>Try again</button></main>`;
  if (who === undefined) return html`<main id="main" class="narrow"><p role="status">Loading…</p></main>`;
  if (who) return html`<${Frame} who=${who} onOut=${() => setWho(null)} />`;
  // A wall that has lost its session must not look like one on which all is well.
  return /^\/admin\/wall\b/.test(location.pathname) && was.current ? html`<${Wall} out />` : html`<${Login} onDone=${setWho} />`;
}

const into = document.getElementById('app');
into.replaceChildren();
render(() => html`<${App} />`, into);
