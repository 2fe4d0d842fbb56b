// The few parts that every screen is made of.
import { html, useState, useEffect, useRef } from './view.js';
import { beats, get } from './api.js';
import { ago, clock, count, failing, stateOf, time, timesAre } from './format.js';

export function State({ word, text }) {
  const { tone, icon } = stateOf(word);
  return html`<span class="state ${tone}" data-icon=${icon}>${text || word}</span>`;
}

export function When({ ms }) {
  if (!ms) return html`<span>never</span>`;
  const [shown, more] = timesAre() === 'ago' ? [ago(ms), time(ms)] : [time(ms), ago(ms)];
  return html`<time datetime=${new Date(ms).toISOString()} title=${more}>${shown}</time>`;
}

export function Card({ label, value, tone, note }) {
  return html`<div class="card"><div class="l">${label}</div><div class="n ${tone || ''}">${value}</div>${note && html`<div class="l">${note}</div>`}</div>`;
}

// What a program said of a failed attempt. `children` is what stands before the error, `act` what can be done.
export function Said({ f, act, children }) {
  return html`<article class="card said">${children}<strong class="bad">${failing(f)}</strong>${f.message ? html`: ${f.message}` : ''} ${act}${f.stderr ? html`<pre>${f.stderr.trim()}</pre>` : ''}</article>`;
}

export function Failure({ error }) {
  return html`<div class="note bad" role="alert"><strong>That did not work:</strong> ${error.message}</div>`;
}

// A sentence of the server's, with its `commands` as such.
export function Sentence({ text }) {
  return text.split('`').map((t, i) => (i % 2 ? html`<code key=${i}>${t}</code>` : t));
}

// A screen that has no data yet, or none.
export function Waiting({ title, error }) {
  return html`<h1>${title}</h1>${error ? html`<${Failure} error=${error} />` : html`<p role="status">Loading…</p>`}`;
}

export function Cli({ children }) {
  return html`<p class="cli">The same from a terminal: <code>${children}</code></p>`;
}

/* Loads what `path` gives: at once, when `path` changes, and as the live stream beats: when the server says that something has happened,
 * not more often than every `every` milliseconds; when nothing has, now and then. */
export function useData(path, every) {
  const [data, setData] = useState(null), [error, setError] = useState(null), [turn, setTurn] = useState(0);
  useEffect(() => {
    let live = true, busy = false, at, seen;
    const load = async () => {
      busy = true;
      try {
        seen = beats.changes;
        const d = path ? await get(path) : null;
        if (live) { setData(d); setError(null); }
      } catch (e) {
        if (live) { setError(e); seen = null; }
      }
      at = Date.now();
      busy = false;
    };
    const beat = () => { if (every && !busy && Date.now() - at > (beats.changes === seen ? 8 : 1) * every - 1000) load(); };
    load();
    addEventListener('dugnad-beat', beat);
    return () => { live = false; removeEventListener('dugnad-beat', beat); };
  }, [path, every, turn]);
  return { data, error, reload: () => setTurn(turn + 1) };
}

export function go(path, replace) {
  history[replace ? 'replaceState' : 'pushState'](null, '', path);
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

export function download(name, type, parts) {
  const a = document.createElement('a');
  a.href = URL.createObjectURL(new Blob(parts, { type }));
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(a.href), 1000);
}

// --- tables ---

/* A column is {key, label, num, wrap, show(row, reload), raw(row)}; raw is what CSV and the order have. These are the common ones. */
export const text = (key, label) => ({ key, label, wrap: true, show: (r) => r[key] || '–' });
export const num = (key, label) => ({ key, label, num: true, show: (r) => count(r[key]) });
export const bad = (key, label) => ({ key, label, num: true, show: (r) => (r[key] ? html`<span class="bad">${count(r[key])}</span>` : '0') });
export const when = (key, label) => ({ key, label, raw: (r) => (r[key] ? new Date(r[key]).toISOString() : ''), show: (r) => html`<${When} ms=${r[key]} />` });
export const to = (kind, key, label) => ({ key, label, show: (r) => (r[key] ? html`<a href="/admin/${kind}/${r[key]}">${r[key]}</a>` : '–') });
export const state = (word, said = word) => ({ key: 'state', label: 'State', raw: said, show: (r) => html`<${State} word=${word(r)} text=${said(r)} />` });
const raw = (c, r) => (c.raw ? c.raw(r) : r[c.key]);

function csv(columns, rows) {
  // A spreadsheet would run a text that starts like a formula.
  const cell = (v) => { const t = String(v ?? '').replace(/^[=+@\t\r]|^-(?!\d)/, "'$&"); return /[",\n]/.test(t) ? `"${t.replace(/"/g, '""')}"` : t; };
  return [columns.map((c) => c.label), ...rows.map((r) => columns.map((c) => raw(c, r)))].map((r) => r.map(cell).join(',')).join('\r\n');
}

function ordered(rows, columns, by) {
  const c = columns.find((x) => x.key === by.replace('-', '')), sign = by[0] === '-' ? -1 : 1;
  return c ? [...rows].sort((x, y) => { const a = raw(c, x) ?? '', b = raw(c, y) ?? ''; return a > b ? sign : a < b ? -sign : 0; }) : rows;
}

/* A table of rows that are all here, or of one page. `bulk(ids, clear)` makes rows selectable and gives what stands in the bar then. The
 * order is in the address under `order`; `sorts`: the columns that the server sorts by, else all, here. all(): every row, for CSV and JSON. */
export function Rows({ rows, columns, name, id = (r) => rows.indexOf(r), bulk, empty, order = `${name}-sort`, sorts, cursor, all = () => rows, reload, children }) {
  const [query, setQuery] = useQuery(), [picked, setPicked] = useState(new Set()), [error, setError] = useState(null);
  const by = query.get(order) || '', list = sorts ? rows : ordered(rows, columns, by), chosen = rows.map(id).filter((r) => picked.has(r));
  const toggle = (key) => { const next = new Set(picked); next.has(key) ? next.delete(key) : next.add(key); setPicked(next); };
  const clear = () => { setPicked(new Set()); reload?.(); };
  const save = (type, ending, print) => async () => {
    setError(null);
    try { download(`${name}.${ending}`, type, [print(await all())]); } catch (e) { setError(e); }
  };
  const sortable = (c) => c.label && (sorts || columns.map((x) => x.key)).includes(c.key);
  const turn = (c) => setQuery({ [order]: by === `-${c.key}` ? c.key : by === c.key ? '' : `-${c.key}`, ...(cursor && { [cursor]: '' }) });
  const way = (c) => (by === c.key ? 'ascending' : by === `-${c.key}` ? 'descending' : undefined);
  const sign = { ascending: ' ▲', descending: ' ▼' };
  const head = (c) => html`<th scope="col" key=${c.key} class=${c.num ? 'num' : ''} aria-sort=${way(c)}>${sortable(c) ? html`<button class="sort" onClick=${() => turn(c)}>${c.label}${sign[way(c)]}</button>` : c.label || html`<span class="sr">Actions</span>`}</th>`;
  const cell = (r) => (c) => html`<td key=${c.key} class="${c.num ? 'num' : ''} ${c.wrap ? 'wrap' : ''}">${c.show ? c.show(r, reload) : r[c.key] ?? '–'}</td>`;
  return html`${error && html`<${Failure} error=${error} />`}
    ${bulk && chosen.length > 0 && html`<div class="row note" role="region" aria-label="Selected"><strong>${chosen.length} selected</strong>${bulk(chosen, clear)}<button onClick=${() => setPicked(new Set())}>Clear</button></div>`}
    <div class="scroll" tabindex="0" role="region" aria-label=${name}>
    ${rows.length === 0 ? html`<div class="empty">${empty || 'Nothing here yet.'}</div>` : html`<table>
      <thead><tr>${bulk && html`<th scope="col"><input type="checkbox" aria-label="Select all on this page" checked=${chosen.length === rows.length} onChange=${(e) => setPicked(new Set(e.target.checked ? rows.map(id) : []))} /></th>`}${columns.map(head)}</tr></thead>
      <tbody>${list.map((r) => html`<tr key=${id(r)}>${bulk && html`<td><input type="checkbox" aria-label="Select ${id(r)}" checked=${picked.has(id(r))} onChange=${() => toggle(id(r))} /></td>`}${columns.map(cell(r))}</tr>`)}</tbody></table>`}
    </div>
    <div class="row pager">${children}${rows.length > 0 && html`<button onClick=${save('text/csv', 'csv', (l) => csv(columns.filter((c) => c.label), l))}>CSV</button>
      <button onClick=${save('application/json', 'json', (l) => JSON.stringify(l, null, 2))}>JSON</button>`}</div>`;
}

const PAGE = 50, ROWS_MAX = 20000;

// Every item of a keyset-paged list from the server, up to ROWS_MAX of them.
export async function pages(path) {
  const list = [];
  for (let after = ''; list.length < ROWS_MAX;) {
    const d = await get(`${path}${path.includes('?') ? '&' : '?'}limit=1000${after && `&after=${encodeURIComponent(after)}`}`);
    list.push(...d.items);
    if (!d.next || d.items.length === 0) break;
    after = d.next;
  }
  return list;
}

// A keyset-paged list from the server. Its cursor is in the address, under `cursor` where a screen has several tables. More goes to Rows.
export function Table({ path, every = 4000, cursor = 'after', empty, order = cursor === 'after' ? 'sort' : `${cursor}-sort`, sorts = [], ...more }) {
  const [query, setQuery] = useQuery(), after = query.get(cursor) || '', by = query.get(order);
  const whole = `${path}${by && sorts.length ? `${path.includes('?') ? '&' : '?'}sort=${by}` : ''}`;
  const { data, error, reload } = useData(`${whole}${whole.includes('?') ? '&' : '?'}limit=${PAGE}${after && `&after=${encodeURIComponent(after)}`}`, every);
  if (error && !data) return html`<${Failure} error=${error} />`;
  if (!data) return html`<p class="empty" role="status">Loading…</p>`;
  const next = data.complete === undefined || data.items.length === PAGE ? data.next : null;
  const none = next ? 'None among those looked through so far: the next page goes on.' : after ? 'Nothing more.' : empty;
  return html`${error && html`<${Failure} error=${error} />`}<${Rows} ...${more} rows=${data.items} cursor=${cursor} order=${order} sorts=${sorts} reload=${reload} all=${() => pages(whole)} empty=${none}>
    ${(after || next) && html`<button disabled=${!after} onClick=${() => setQuery({ [cursor]: '' })}>First page</button>`}
    ${(after || next) && html`<button disabled=${!next} onClick=${() => setQuery({ [cursor]: next })}>Next page</button>`}<//>`;
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
export function Confirm({ title, children, word, danger, cli, onDone, onYes }) {
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
    ${error && html`<${Failure} error=${error} />`}${cli && html`<${Cli}>${cli}<//>`}
    <div class="row pager"><button type="submit" class=${danger ? 'danger' : 'main'} disabled=${busy || (word && typed !== word)}>${title}</button>
    <button type="button" onClick=${() => box.current.close()}>Keep things as they are</button></div></form></dialog>`;
}

/* A button that asks first (confirm: what to say under the title) or acts at once; failures are shown beside it. cli: the command that does
 * the same, told under the button's pointer, in the question, and when it is done. */
export function Action({ label, title = label, run, confirm, word, danger, main, after, cli }) {
  const [asking, setAsking] = useState(false), [error, setError] = useState(null), [busy, setBusy] = useState(false);
  const act = async () => { await run(); after?.(); if (cli) dispatchEvent(new CustomEvent('dugnad-did', { detail: cli })); };
  const click = async () => {
    if (confirm) { setAsking(true); return; }
    setBusy(true); setError(null);
    try { await act(); } catch (e) { setError(e); }
    setBusy(false);
  };
  return html`<button class=${danger ? 'danger' : main ? 'main' : ''} title=${cli} disabled=${busy} onClick=${click}>${label}</button>
    ${error && html`<span class="bad" role="alert">${error.message}</span>`}
    ${asking && html`<${Confirm} title=${title} word=${word} danger=${danger} cli=${cli} onYes=${act} onDone=${() => setAsking(false)}>${confirm}<//>`}`;
}

export function Progress({ parts, total, label }) {
  const share = (n) => `${total > 0 ? Math.max(0, (100 * n) / total) : 0}%`;
  return html`<div class="bar" role="img" aria-label=${label} title=${label}>${parts.map(([tone, n]) => html`<i key=${tone} class=${tone} style=${{ width: share(n) }} />`)}</div>`;
}

// --- a time series as SVG: line, axes, and the values under the pointer ---

const HIGH = 150, LEFT = 46, RIGHT = 8, TOP = 10, BOTTOM = 22;

// Up to four round numbers from 0 to at least max.
function ticks(max) {
  const rough = max / 3, size = 10 ** Math.floor(Math.log10(rough)), step = [1, 2, 5, 10].map((m) => m * size).find((s) => s >= rough);
  const list = [];
  for (let i = 0; i * step < max + step; i++) list.push(i * step);
  return list;
}

const short = (v) => (v >= 1e6 ? `${+(v / 1e6).toFixed(1)} M` : v >= 1e4 ? `${+(v / 1e3).toFixed(1)} k` : String(v < 0.1 ? +v.toPrecision(2) : +v.toFixed(v < 1 ? 3 : 1)));

// A line is broken where there was no server: where more than three of the usual steps lie between two points.
function path(times, values, x, y) {
  const steps = times.slice(1).map((t, i) => t - times[i]).sort((a, b) => a - b), usual = steps[steps.length >> 1] || 1;
  let d = '', last = null;
  times.forEach((t, i) => {
    if (values[i] === null || values[i] === undefined) { last = null; return; }
    d += `${last !== null && t - last <= 3 * usual ? 'L' : 'M'}${x(t).toFixed(1)} ${y(values[i]).toFixed(1)}`;
    last = t;
  });
  return d;
}

function useWidth(box) {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const watch = new ResizeObserver(() => setWidth(Math.floor(box.current.clientWidth)));
    watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  return width;
}

// times: milliseconds, ascending; values: numbers or null; tone: a colour's name in style.css.
export function Plot({ title, times, values, tone, unit = '' }) {
  const box = useRef(null), width = useWidth(box), [at, setAt] = useState(-1);
  const ready = times && times.length > 1, known = (values || []).filter((v) => Number.isFinite(v));
  const now = known.at(-1), most = Math.max(0, ...known);
  const head = html`<figcaption class="l"><span>${title}</span> <b>${now === undefined ? '' : at >= 0 && ready ? html`<span class="soft">${ago(times[at])}:</span> ${values[at] === null ? '–' : short(values[at])}${unit}` : `${short(now)}${unit}`}</b></figcaption>`;
  if (!ready) return html`<figure class="card plot">${head}<div ref=${box} class="l">${times ? 'Not enough history yet.' : 'Loading…'}</div></figure>`;
  const rows = ticks(most || 1), top = rows.at(-1), from = times[0], to = times.at(-1);
  const x = (t) => LEFT + ((t - from) / (to - from || 1)) * (width - LEFT - RIGHT), y = (v) => HIGH - BOTTOM - (v / top) * (HIGH - TOP - BOTTOM);
  const line = width ? path(times, values, x, y) : '';
  const move = (e) => {
    const t = from + ((e.offsetX - LEFT) / (width - LEFT - RIGHT)) * (to - from);
    let best = 0;
    times.forEach((v, i) => { if (Math.abs(v - t) < Math.abs(times[best] - t)) best = i; });
    setAt(best);
  };
  const marks = [0, 1, 2, 3].map((i) => from + ((to - from) * (i + 0.5)) / 4);
  return html`<figure class="card plot">${head}<div ref=${box}>
    <svg class=${tone} width="100%" height=${HIGH} viewBox="0 0 ${width || 300} ${HIGH}" role="img" aria-label="${title}: now ${short(now ?? 0)}${unit}, at most ${short(most)}${unit} since ${clock(from, to - from)}"
      onPointerMove=${move} onPointerLeave=${() => setAt(-1)}>
      ${rows.map((v) => html`<g key=${v}><line class="grid" x1=${LEFT} x2=${width - RIGHT} y1=${y(v)} y2=${y(v)} /><text x=${LEFT - 6} y=${y(v) + 4} text-anchor="end">${short(v)}</text></g>`)}
      ${marks.map((t) => html`<text key=${t} x=${x(t)} y=${HIGH - 5} text-anchor="middle">${clock(t, to - from)}</text>`)}
      <path class="line" d=${line} />
      ${at >= 0 && html`<line class="at" x1=${x(times[at])} x2=${x(times[at])} y1=${TOP} y2=${HIGH - BOTTOM} />`}
      ${at >= 0 && values[at] !== null && html`<circle cx=${x(times[at])} cy=${y(values[at])} r="3.5" />`}
    </svg></div></figure>`;
}
