// The console: frame, login, and the table of screens. Each screen is one module in screens/.
import { html, render, useState, useEffect } from './vendor/preact-htm.js';
import { session, login, remove, live } from './api.js';
import { Failure, go } from './parts.js';
import { Overview, Wall } from './screens/overview.js';
import { Batches, Batch, NewBatch } from './screens/batches.js';
import { Unit } from './screens/unit.js';
import { Hosts, Host } from './screens/hosts.js';
import { Validation } from './screens/validation.js';
import { Apps } from './screens/apps.js';
import { Streams } from './screens/streams.js';
import { Volunteers } from './screens/volunteers.js';
import { Audit } from './screens/audit.js';
import { Health } from './screens/health.js';
import { Settings } from './screens/settings.js';

// [address pattern, screen, name in the menu, key after g]
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
  ['audit', Audit, 'Audit log', 'l'],
  ['health', Health, 'Health and capacity', 'c'],
  ['settings', Settings, 'Settings', 't'],
  ['wall', Wall],
];

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
  const enter = async (body) => {
    setBusy(true); setError(null);
    try {
      const s = await login(body);
      if (code) history.replaceState(null, '', location.pathname);
      onDone(s);
    } catch (e) { setError(e); setBusy(false); }
  };
  const submit = (e) => {
    e.preventDefault();
    const form = new FormData(e.target);
    const token = String(form.get('token')).trim();
    enter(token ? { token } : { name: form.get('name'), password: form.get('password') });
  };
  return html`<main id="main" style=${{ maxWidth: '27rem', margin: '8vh auto' }}><h1>Dugnad console</h1>
    ${code ? html`<p>You opened a one-time link.</p><button class="main" disabled=${busy} onClick=${() => enter({ code })}>Log in with it</button><h2>or another way</h2>` : ''}
    <form onSubmit=${submit}>
      <label for="name">Name</label><input id="name" name="name" autocomplete="username" />
      <label for="password">Password</label><input id="password" name="password" type="password" autocomplete="current-password" />
      <label for="token">or an access token (dgu_…)</label><input id="token" name="token" type="password" autocomplete="off" />
      <p><button class="main" type="submit" disabled=${busy}>Log in</button></p></form>
    ${error && html`<${Failure} error=${error} />`}
    <p class="cli">No way in? On the server, <code>dugnad-server login-link DATA_FOLDER</code> prints a one-time link.</p></main>`;
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
  const close = () => onDone();
  useEffect(() => { document.getElementById('help').showModal(); }, []);
  return html`<dialog id="help" onClose=${close} aria-labelledby="help-title"><h2 id="help-title" style=${{ marginTop: 0 }}>Keys</h2>
    <dl><dt><kbd>/</kbd></dt><dd>jump to any unit, batch or host</dd><dt><kbd>?</kbd></dt><dd>this help</dd>
    ${SCREENS.filter((s) => s[3]).map((s) => html`<dt><kbd>g</kbd> <kbd>${s[3]}</kbd></dt><dd>${s[2]}</dd>`)}</dl>
    <button onClick=${() => document.getElementById('help').close()}>Close</button></dialog>`;
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

function Frame({ who, onOut }) {
  const [path, setPath] = useState(location.pathname + location.search);
  const [stats, setStats] = useState(null), [down, setDown] = useState(false), [help, setHelp] = useState(false);
  useEffect(() => {
    const moved = () => { setPath(location.pathname + location.search); };
    addEventListener('popstate', moved);
    return () => removeEventListener('popstate', moved);
  }, []);
  useEffect(() => live((s) => { setStats(s); setDown(false); }, () => setDown(true)), []);
  useEffect(() => {
    const click = (e) => {
      const a = e.target.closest('a[href^="/admin"]');
      if (!a || e.ctrlKey || e.metaKey || e.shiftKey || e.button) return;
      e.preventDefault();
      go(a.getAttribute('href'));
      scrollTo(0, 0);
      document.getElementById('main').focus({ preventScroll: true });
    };
    addEventListener('click', click);
    return () => removeEventListener('click', click);
  }, []);
  useKeys(setHelp);
  const { Screen, found } = match(location.pathname);
  useEffect(() => { document.title = `${stats?.project || 'Dugnad'}: ${SCREENS.find((s) => s[1] === Screen)?.[2] || 'console'}`; }, [path, stats?.project]);
  if (Screen === Wall) return html`<${Wall} stats=${stats} down=${down} />`;
  const here = location.pathname.replace(/^\/admin\/?/, '').split('/')[0];
  return html`<div class="frame">
    <nav class="side" aria-label="Screens"><b>${stats?.project || 'Dugnad'}</b><div>${SCREENS.filter((s) => s[2]).map((s) => html`<a href="/admin/${s[0]}" aria-current=${here === s[0] ? 'page' : undefined}>${s[2]}</a>`)}<a href="/admin/wall">Wall screen</a></div></nav>
    <div><header class="top"><form role="search" onSubmit=${(e) => { e.preventDefault(); go(jump(e.target.q.value)); e.target.reset(); }}><input id="search" name="q" type="search" aria-label="Jump to a unit, batch or host" placeholder="Jump to: 7.12, 7, h3, or a batch's name ( / )" /></form>
      ${down && html`<span class="bad" role="status">Connection lost, trying again…</span>`}
      <${Theme} /><button onClick=${() => setHelp(true)}>Keys</button><span class="who">${who.name} (${who.role})</span>
      <button onClick=${async () => { await remove('/v1/session'); onOut(); }}>Log out</button></header>
    <main id="main" tabindex="-1">${Screen ? html`<${Screen} key=${location.pathname} ...${found} stats=${stats} who=${who} path=${path} />` : html`<h1>No such page</h1><p><a href="/admin/">Back to the overview</a></p>`}</main></div>
    ${help && html`<${Help} onDone=${() => setHelp(false)} />`}</div>`;
}

function App() {
  const [who, setWho] = useState(undefined), [error, setError] = useState(null);
  useEffect(() => { session().then(setWho, setError); }, []);
  if (error) return html`<main id="main"><${Failure} error=${error} /><button onClick=${() => location.reload()}>Try again</button></main>`;
  if (who === undefined) return html`<main id="main"><p role="status">Loading…</p></main>`;
  return who ? html`<${Frame} who=${who} onOut=${() => setWho(null)} />` : html`<${Login} onDone=${setWho} />`;
}

document.getElementById('app').replaceChildren();
render(html`<${App} />`, document.getElementById('app'));
