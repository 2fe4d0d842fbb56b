// The few parts that every screen is made of.
import { html, useState, useEffect, useRef } from './view.js';
import { get } from './api.js';
import { ago, failing, time, stateOf } from './format.js';

export function State({ word, text }) {
  const { tone, icon } = stateOf(word);
  return html`<span class="state ${tone}" data-icon=${icon}>${text || word}</span>`;
}

export function When({ ms }) {
  return (ms ? html`<time datetime=${new Date(ms).toISOString()} title=${time(ms)}>${ago(ms)}</time>` : html`<span>never</span>`);
}

export function Card({ label, value, tone, note }) {
  return html`<div class="card"><div class="l">${label}</div><div class="n ${tone || ''}">${value}</div>${note && html`<div class="l">${note}</div>`}</div>`;
}

// What a program said of a failed attempt. `children` is what stands before the error.
export function Said({ f, children }) {
  return html`<article class="card said">${children}<strong class="bad">${failing(f)}</strong>${f.message ? html`: ${f.message}` : ''}${f.stderr ? html`<pre>${f.stderr.trim()}</pre>` : ''}</article>`;
}

export function Failure({ error }) {
  return html`<div class="note bad" role="alert"><strong>That did not work:</strong> ${error.message}</div>`;
}

export function Cli({ children }) {
  return html`<p class="cli">The same from a terminal: <code>${children}</code></p>`;
}

// Loads what `path` gives, again every `every` milliseconds and whenever `path` changes.
export function useData(path, every) {
  const [data, setData] = useState(null), [error, setError] = useState(null), [turn, setTurn] = useState(0);
  useEffect(() => {
    let live = true, timer;
    const load = async () => {
      try {
        const d = path ? await get(path) : null;
        if (live) { setData(d); setError(null); }
      } catch (e) {
        if (live) setError(e);
      }
      if (live && every) timer = setTimeout(load, document.hidden ? every * 5 : every);
    };
    load();
    return () => { live = false; clearTimeout(timer); };
  }, [path, every, turn]);
  return { data, error, reload: () => setTurn(turn + 1) };
}

export function go(path) {
  history.pushState(null, '', path);
  dispatchEvent(new PopStateEvent('popstate'));
}

// The address holds all state: reads and writes query parameters.
export function useQuery() {
  const query = new URLSearchParams(location.search);
  const set = (changes) => {
    const next = new URLSearchParams(location.search);
    for (const [k, v] of Object.entries(changes)) v === '' || v === null ? next.delete(k) : next.set(k, v);
    const text = next.toString();
    go(location.pathname + (text ? `?${text}` : ''));
  };
  return [query, set];
}

function download(name, type, text) {
  const a = document.createElement('a');
  a.href = URL.createObjectURL(new Blob([text], { type }));
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(a.href), 1000);
}

function csv(columns, rows) {
  // A spreadsheet would run a text that starts like a formula.
  const cell = (v) => { const t = String(v ?? '').replace(/^[=+@\t\r]|^-(?!\d)/, "'$&"); return /[",\n]/.test(t) ? `"${t.replace(/"/g, '""')}"` : t; };
  return [columns.map((c) => c.label), ...rows.map((r) => columns.map((c) => (c.raw ? c.raw(r) : r[c.key])))].map((r) => r.map(cell).join(',')).join('\r\n');
}

/* A table over a keyset-paged list. columns: {key, label, num, wrap, show(row), raw(row)}. The page's cursor is in the address, under
 * `cursor` where a screen has several tables. `bulk(ids, clear)` makes rows selectable and gives what stands in the bar then. */
export function Table({ path, columns, empty, name, every = 5000, id, bulk, cursor = 'after' }) {
  const [query, setQuery] = useQuery();
  const after = query.get(cursor) || '', joint = path.includes('?') ? '&' : '?';
  const { data, error, reload } = useData(`${path}${joint}limit=50${after ? `&after=${encodeURIComponent(after)}` : ''}`, every);
  const [picked, setPicked] = useState(new Set());
  if (error && !data) return html`<${Failure} error=${error} />`;
  if (!data) return html`<p class="empty" role="status">Loading…</p>`;
  const rows = data.items, next = data.complete === undefined ? data.next : rows.length === 50 && data.next;
  const chosen = rows.map(id).filter((r) => picked.has(r));
  const toggle = (key) => { const list = new Set(picked); list.has(key) ? list.delete(key) : list.add(key); setPicked(list); };
  const clear = () => { setPicked(new Set()); reload(); };
  const head = (c) => html`<th scope="col" key=${c.key} class=${c.num ? 'num' : ''}>${c.label || html`<span class="sr">Actions</span>`}</th>`;
  const cell = (r) => (c) => html`<td key=${c.key} class="${c.num ? 'num' : ''} ${c.wrap ? 'wrap' : ''}">${c.show ? c.show(r, reload) : r[c.key] ?? '–'}</td>`;
  return html`${error && html`<${Failure} error=${error} />`}
    ${bulk && chosen.length > 0 && html`<div class="row note" role="region" aria-label="Selected"><strong>${chosen.length} selected</strong>${bulk(chosen, clear)}<button onClick=${() => setPicked(new Set())}>Clear</button></div>`}
    <div class="scroll" tabindex="0" role="region" aria-label=${name}>
    ${rows.length === 0 ? html`<div class="empty">${after ? 'Nothing more.' : empty || 'Nothing here yet.'}</div>` : html`<table>
      <thead><tr>${bulk && html`<th scope="col"><input type="checkbox" aria-label="Select all on this page" checked=${chosen.length === rows.length} onChange=${(e) => setPicked(new Set(e.target.checked ? rows.map(id) : []))} /></th>`}${columns.map(head)}</tr></thead>
      <tbody>${rows.map((r) => html`<tr key=${id(r)}>${bulk && html`<td><input type="checkbox" aria-label="Select ${id(r)}" checked=${picked.has(id(r))} onChange=${() => toggle(id(r))} /></td>`}${columns.map(cell(r))}</tr>`)}</tbody></table>`}
    </div>
    ${(rows.length > 0 || after) && html`<div class="row pager">
      ${(after || next) && html`<button disabled=${!after} onClick=${() => setQuery({ [cursor]: '' })}>First page</button>`}
      ${(after || next) && html`<button disabled=${!next} onClick=${() => setQuery({ [cursor]: next })}>Next page</button>`}
      <button onClick=${() => download(`${name}.csv`, 'text/csv', csv(columns.filter((c) => c.label), rows))}>CSV</button>
      <button onClick=${() => download(`${name}.json`, 'application/json', JSON.stringify(rows, null, 2))}>JSON</button></div>`}`;
}

// A list box that is a filter in the address; changing it starts from the first page.
export function Choose({ label, name, options, all, cursor = 'after' }) {
  const [query, setQuery] = useQuery();
  return html`<select aria-label=${label} value=${query.get(name) || ''} onChange=${(e) => setQuery({ [name]: e.target.value, [cursor]: '' })}>
    <option value="">${all}</option>${options.map((o) => html`<option key=${o} value=${o}>${o}</option>`)}</select>`;
}

// An id that is too long to show whole: its start, and all of it to copy.
export function Digest({ hex, n = 12 }) {
  return hex ? html`<span class="mono" title=${hex}>${hex.slice(0, n)}</span>` : '–';
}

// A dialog that asks before something is destroyed: the word must be typed.
export function Confirm({ title, children, word, danger, onDone, onYes }) {
  const box = useRef(null), [typed, setTyped] = useState(''), [error, setError] = useState(null), [busy, setBusy] = useState(false);
  useEffect(() => { box.current.showModal(); }, []);
  const yes = async (e) => {
    e.preventDefault();
    setBusy(true);
    try { await onYes(); onDone(true); } catch (x) { setError(x); setBusy(false); }
  };
  return html`<dialog ref=${box} onClose=${() => onDone(false)} aria-labelledby="confirm-title"><form onSubmit=${yes}>
    <h2 id="confirm-title">${title}</h2>${children}
    ${word && html`<label for="confirm-word">Type <strong>${word}</strong> to go on</label><input id="confirm-word" autocomplete="off" value=${typed} onInput=${(e) => setTyped(e.target.value)} />`}
    ${error && html`<${Failure} error=${error} />`}
    <div class="row pager"><button type="submit" class=${danger ? 'danger' : 'main'} disabled=${busy || (word && typed !== word)}>${title}</button>
    <button type="button" onClick=${() => box.current.close()}>Keep things as they are</button></div></form></dialog>`;
}

// A button that asks first (confirm: what to say under the title) or acts at once; failures are shown beside it.
export function Action({ label, title = label, run, confirm, word, danger, main, after }) {
  const [asking, setAsking] = useState(false), [error, setError] = useState(null), [busy, setBusy] = useState(false);
  const act = async () => { await run(); after?.(); };
  const click = async () => {
    if (confirm) { setAsking(true); return; }
    setBusy(true); setError(null);
    try { await act(); } catch (e) { setError(e); }
    setBusy(false);
  };
  return html`<button class=${danger ? 'danger' : main ? 'main' : ''} disabled=${busy} onClick=${click}>${label}</button>
    ${error && html`<span class="bad" role="alert">${error.message}</span>`}
    ${asking && html`<${Confirm} title=${title} word=${word} danger=${danger} onYes=${act} onDone=${() => setAsking(false)}>${confirm}<//>`}`;
}

export function Progress({ parts, total, label }) {
  const share = (n) => `${total > 0 ? Math.max(0, (100 * n) / total) : 0}%`;
  return html`<div class="bar" role="img" aria-label=${label} title=${label}>${parts.map(([tone, n]) => html`<i key=${tone} class=${tone} style=${{ width: share(n) }} />`)}</div>`;
}
