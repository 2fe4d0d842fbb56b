// The few parts that every screen is made of.
import { html, useState, useEffect, useRef, useCallback } from './vendor/preact-htm.js';
import { get } from './api.js';
import { ago, time, stateOf } from './format.js';

export function State({ word, text }) {
  const { tone, icon } = stateOf(word);
  return html`<span class="state ${tone}" data-icon=${icon}>${text || word}</span>`;
}

export function When({ ms }) {
  return html`<time dateTime=${ms ? new Date(ms).toISOString() : ''} title=${time(ms)}>${ago(ms)}</time>`;
}

export function Card({ label, value, tone, note }) {
  return html`<div class="card"><div class="l">${label}</div><div class="n ${tone || ''}">${value}</div>${note && html`<div class="l">${note}</div>`}</div>`;
}

export function Failure({ error }) {
  return html`<div class="note bad" role="alert"><strong>That did not work:</strong> ${error.message}</div>`;
}

export function Cli({ children }) {
  return html`<p class="cli">The same from a terminal: <code>${children}</code></p>`;
}

// Loads what `path` gives, again every `every` milliseconds and whenever `path` or `key` changes.
export function useData(path, every, key) {
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
  }, [path, every, key, turn]);
  return { data, error, reload: useCallback(() => setTurn((t) => t + 1), []) };
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
  const cell = (v) => { const t = String(v ?? ''); return /[",\n]/.test(t) ? `"${t.replace(/"/g, '""')}"` : t; };
  return [columns.map((c) => c.label), ...rows.map((r) => columns.map((c) => (c.raw ? c.raw(r) : r[c.key])))].map((r) => r.map(cell).join(',')).join('\r\n');
}

/* A table over a keyset-paged list. columns: {key, label, num, wrap, show(row), raw(row)}. The page's cursor is in the address.
 * `pick` makes rows selectable by `id(row)`; `bulk(ids, clear)` gives what stands in the bar then. */
export function Table({ path, columns, empty, name, every = 5000, id, bulk, caption }) {
  const [query, setQuery] = useQuery();
  const after = query.get('after') || '';
  const joint = path.includes('?') ? '&' : '?';
  const { data, error, reload } = useData(`${path}${joint}limit=50${after ? `&after=${encodeURIComponent(after)}` : ''}`, every);
  const [picked, setPicked] = useState(new Set());
  if (error) return html`<${Failure} error=${error} />`;
  if (!data) return html`<p class="empty" role="status">Loading…</p>`;
  const rows = data.items;
  const toggle = (key) => { const next = new Set(picked); next.has(key) ? next.delete(key) : next.add(key); setPicked(next); };
  const clear = () => { setPicked(new Set()); reload(); };
  return html`
    ${bulk && picked.size > 0 && html`<div class="row note" role="region" aria-label="Selected"><strong>${picked.size} selected</strong>${bulk([...picked], clear)}<button onClick=${() => setPicked(new Set())}>Clear</button></div>`}
    <div class="scroll" tabindex="0" role="region" aria-label=${caption || name}>
    ${rows.length === 0 ? html`<div class="empty">${empty || 'Nothing here yet.'}</div>` : html`<table>
      <thead><tr>${bulk && html`<th scope="col"><input type="checkbox" aria-label="Select all on this page" checked=${rows.every((r) => picked.has(id(r)))} onChange=${(e) => setPicked(new Set(e.target.checked ? rows.map(id) : []))} /></th>`}
      ${columns.map((c) => html`<th scope="col" class=${c.num ? 'num' : ''}>${c.label}</th>`)}</tr></thead>
      <tbody>${rows.map((r) => html`<tr key=${id ? id(r) : r[columns[0].key]}>${bulk && html`<td><input type="checkbox" aria-label=${`Select ${id(r)}`} checked=${picked.has(id(r))} onChange=${() => toggle(id(r))} /></td>`}
      ${columns.map((c) => html`<td class="${c.num ? 'num' : ''} ${c.wrap ? 'wrap' : ''}">${c.show ? c.show(r) : r[c.key] ?? '–'}</td>`)}</tr>`)}</tbody></table>`}
    </div>
    <div class="row" style=${{ marginTop: '.6rem' }}>
      <button disabled=${!after} onClick=${() => setQuery({ after: '' })}>First page</button>
      <button disabled=${!data.next} onClick=${() => setQuery({ after: data.next })}>Next page</button>
      <button onClick=${() => download(`${name}.csv`, 'text/csv', csv(columns, rows))}>CSV</button>
      <button onClick=${() => download(`${name}.json`, 'application/json', JSON.stringify(rows, null, 2))}>JSON</button>
    </div>`;
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
    <h2 id="confirm-title" style=${{ marginTop: 0 }}>${title}</h2>${children}
    ${word && html`<label for="confirm-word">Type <strong>${word}</strong> to go on</label><input id="confirm-word" autocomplete="off" value=${typed} onInput=${(e) => setTyped(e.target.value)} />`}
    ${error && html`<${Failure} error=${error} />`}
    <div class="row" style=${{ marginTop: '1rem' }}><button type="submit" class=${danger ? 'danger' : 'main'} disabled=${busy || (word && typed !== word)}>${title}</button>
    <button type="button" onClick=${() => box.current.close()}>Keep things as they are</button></div></form></dialog>`;
}

// A button that asks first (confirm: what to say) or acts at once; failures are shown beside it.
export function Action({ label, run, confirm, word, danger, main, after }) {
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
    ${asking && html`<${Confirm} title=${label} word=${word} danger=${danger} onYes=${act} onDone=${() => setAsking(false)}>${confirm}<//>`}`;
}

// A time series. series: [{label, values, stroke}], times in seconds.
export function Plot({ title, times, series, format }) {
  const box = useRef(null);
  useEffect(() => {
    if (!box.current || !window.uPlot || !times || times.length < 2) return undefined;
    const style = getComputedStyle(document.documentElement), of = (v) => style.getPropertyValue(v).trim();
    const axis = { stroke: of('--soft'), grid: { stroke: of('--line'), width: 1 }, ticks: { stroke: of('--line') } };
    const plot = new window.uPlot({
      width: Math.max(200, box.current.clientWidth), height: 150, cursor: { y: false }, legend: { live: false },
      series: [{}, ...series.map((s) => ({ label: s.label, stroke: of(s.stroke), width: 2, spanGaps: true }))],
      axes: [axis, { ...axis, size: 60, values: (u, v) => v.map((x) => (format ? format(x) : x.toLocaleString('en'))) }],
      scales: { y: { range: (u, lo, hi) => [Math.min(0, lo), hi > 0 ? hi * 1.1 : 1] } },
    }, [times, ...series.map((s) => s.values)], box.current);
    return () => plot.destroy();
  }, [times, series]);
  const last = series.map((s) => `${s.label} ${format ? format(s.values.at(-1) ?? 0) : s.values.at(-1) ?? '–'}`).join(', ');
  return html`<figure class="card" style=${{ margin: 0 }}><figcaption class="l">${title}</figcaption>
    <div ref=${box} role="img" aria-label=${`${title}: now ${last}`}>${(!times || times.length < 2) && html`<p class="l">Not enough history yet.</p>`}</div></figure>`;
}

export function Progress({ parts, total, label }) {
  const share = (n) => `${total > 0 ? Math.max(0, (100 * n) / total) : 0}%`;
  return html`<div class="bar" role="img" aria-label=${label}>${parts.map(([tone, n]) => html`<i class=${tone} style=${{ width: share(n) }}></i>`)}</div>`;
}
