// The console: frame, login, and the table of screens. Each screen is one module in screens/.
import { html, render, useState, useEffect, useRef } from './view.js';
import { session, login, remove, live, may } from './api.js';
import { Failure, go } from './parts.js';
import { Overview, Wall } from './screens/overview.js';
import { Batches, Batch } from './screens/batches.js';
import { NewBatch } from './screens/submit.js';
import { Unit } from './screens/unit.js';
import { Hosts, Host } from './screens/hosts.js';
import { Validation } from './screens/validation.js';
import { Apps } from './screens/apps.js';
import { Streams } from './screens/streams.js';
import { Volunteers } from './screens/volunteers.js';
import { Audit } from './screens/audit.js';
import { Health } from './screens/health.js';
import { Settings } from './screens/settings.js';

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

// Where does an id or a name typed into the search box lead?
function jump(text) {
  const t = text.trim();
  if (/^\d+\.\d+(\.\d+)?$/.test(t)) return `/admin/units/${t.split('.').slice(0, 2).join('.')}`;
  if (/^\d+$/.test(t)) return `/admin/batches/${t}`;
  if (/^h\d+$/.test(t)) return `/admin/hosts/${t.slice(1)}`;
  return `/admin/batches?search=${encodeURIComponent(t)}`;
}

function Login({ onDone }) {
  const [error, setError] = useState(null), [busy, setBusy] = useState(false);
  const code = new URLSearchParams(location.hash.slice(1)).get('code');
  const enter = async (token) => {
    setBusy(true);
    setError(null);
    try {
      const who = await login(token);
      if (code) history.replaceState(null, '', location.pathname); // it has been used up
      onDone(who);
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  };
  const submit = (e) => {
    e.preventDefault();
    enter(String(new FormData(e.target).get('token')).trim());
  };
  return html`<main id="main" class="narrow"><h1>Log in to the console</h1>
    ${code && html`<p>You opened a one-time link. <button class="main" disabled=${busy} onClick=${() => enter(code)}>Log in with it</button></p><h2>Or another way</h2>`}
    <form onSubmit=${submit}>
      <label for="token">Your token (it starts with dgu_)</label><input id="token" name="token" type="password" autocomplete="current-password" required class="wide" />
      <p><button class=${code ? '' : 'main'} type="submit" disabled=${busy}>Log in</button></p></form>
    ${error && html`<${Failure} error=${error} />`}
    <p class="cli">The operator’s token is in <code>operator.token</code> in the server’s data folder. Others get theirs from an operator: <code>dugnad user new NAME</code>.</p>
    <p class="cli"><a href="/">About this project</a></p></main>`;
}

function Theme() {
  const now = document.documentElement.dataset.theme || 'system';
  const [theme, setTheme] = useState(now);
  const choose = (e) => {
    const t = e.target.value;
    setTheme(t);
    t === 'system' ? delete document.documentElement.dataset.theme : (document.documentElement.dataset.theme = t);
    try { localStorage.setItem('dugnad-theme', t); } catch { /* storage may be off */ }
  };
  return html`<select aria-label="Colours" value=${theme} onChange=${choose}><option value="system">System colours</option><option value="light">Light</option><option value="dark">Dark</option></select>`;
}

function Help({ onDone }) {
  const box = useRef(null);
  useEffect(() => { box.current.showModal(); }, []);
  return html`<dialog ref=${box} onClose=${onDone} aria-labelledby="help-title"><h2 id="help-title">Keys</h2>
    <dl><dt><kbd>/</kbd></dt><dd>jump to any unit, batch or host</dd><dt><kbd>?</kbd></dt><dd>this help</dd>
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
    try { await remove('/v1/session'); } finally { onOut(); }
  };
  return html`<header class="top"><form role="search" onSubmit=${search}><input id="search" name="q" type="search" aria-label="Jump to a unit, batch or host" placeholder="Jump to 7.12, 7, h3 or a batch’s name ( / )" /></form>
    ${down && html`<span class="bad" role="status">Connection lost, trying again…</span>`}
    <${Theme} /><button class="keys" onClick=${onHelp}>Keys</button><span class="who">${who.name} (${who.role})</span><button onClick=${leave}>Log out</button></header>`;
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
    ${help && html`<${Help} onDone=${() => setHelp(false)} />`}</div>`;
}

function App() {
  const [who, setWho] = useState(undefined), [error, setError] = useState(null);
  useEffect(() => {
    const out = () => setWho(null);
    addEventListener('dugnad-out', out);
    session().then(setWho, setError);
    return () => removeEventListener('dugnad-out', out);
  }, []);
  if (error) return html`<main id="main" class="narrow"><${Failure} error=${error} /><button onClick=${() => location.reload()}>Try again</button></main>`;
  if (who === undefined) return html`<main id="main" class="narrow"><p role="status">Loading…</p></main>`;
  return who ? html`<${Frame} who=${who} onOut=${() => setWho(null)} />` : html`<${Login} onDone=${setWho} />`;
}

const into = document.getElementById('app');
into.replaceChildren();
render(() => html`<${App} />`, into);
