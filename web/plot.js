// A time series as SVG: line, axes, and the values under the pointer.
import { html, useState, useEffect, useRef } from './view.js';
import { clock, ago } from './format.js';

const HIGH = 150, LEFT = 46, RIGHT = 8, TOP = 10, BOTTOM = 22;

// Up to four round numbers from 0 to at least max.
function ticks(max) {
  const rough = max / 3, size = 10 ** Math.floor(Math.log10(rough)), step = [1, 2, 5, 10].map((m) => m * size).find((s) => s >= rough);
  const list = [];
  for (let i = 0; i * step < max + step; i++) list.push(i * step);
  return list;
}

const short = (v) => (v >= 1e6 ? `${+(v / 1e6).toFixed(1)} M` : v >= 1e4 ? `${+(v / 1e3).toFixed(1)} k` : String(+v.toFixed(v < 1 ? 3 : 1)));

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
