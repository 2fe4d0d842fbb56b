// Numbers, times and states as people read them.
export function count(n) {
  return n === null || n === undefined ? '–' : Number(n).toLocaleString('en', Math.abs(n) < 10 ? { maximumSignificantDigits: 2 } : { maximumFractionDigits: 0 });
}

export function bytes(n) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let i = 0, v = Number(n);
  if (!Number.isFinite(v)) return '–';
  for (; v >= 1024 && i < units.length - 1; i++) v /= 1024;
  return `${i ? v.toFixed(1) : v} ${units[i]}`;
}

export function duration(ms) {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return '–';
  const s = Math.round(Math.abs(ms) / 1000);
  if (Math.abs(ms) < 10000) return `${(Math.abs(ms) / 1000).toFixed(1)} s`;
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
  if (s < 30 * 86400) return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
  return s < 730 * 86400 ? `${Math.floor(s / 86400)} d` : `${(s / 365.25 / 86400).toFixed(1)} years`;
}

// Bytes as the server writes them (base64url).
export const fromText = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));

// --- times: as 'ago' (how long ago), 'local' or 'UTC', as the person chose ---

let clocks = 'ago';
try { clocks = localStorage.getItem('dugnad-times') || clocks; } catch { /* storage may be off */ }
export const timesAre = () => clocks;
export function setTimes(word) {
  clocks = word;
  try { localStorage.setItem('dugnad-times', word); } catch { /* storage may be off */ }
}

export function ago(ms) {
  if (!ms) return 'never';
  const d = Date.now() - ms;
  return d < 0 ? `in ${duration(-d)}` : `${duration(d)} ago`;
}

const two = (n) => String(n).padStart(2, '0');
const local = (d) => `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${d.toTimeString().slice(0, 8)}`;
export function time(ms) {
  if (!ms) return '–';
  return clocks === 'local' ? local(new Date(ms)) : `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

// The time of day; the day too when the span shown is longer than one.
export function clock(ms, span_ms) {
  const zone = clocks === 'UTC' ? { timeZone: 'UTC' } : {}, d = new Date(ms), hour = d.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit', ...zone });
  return span_ms > 36 * 3600e3 ? `${d.toLocaleDateString('en', { day: 'numeric', month: 'short', ...zone })}${span_ms > 4 * 86400e3 ? '' : ` ${hour}`}` : hour;
}

export const percent = (share, digits = 1) => (Number.isFinite(share) ? `${(share * 100).toFixed(digits)} %` : '–');

// A share that may be very small, with two digits that count.
export const small = (share) => (!Number.isFinite(share) ? '–' : share === 0 ? '0 %' : `${Number((share * 100).toPrecision(2)).toLocaleString('en', { maximumSignificantDigits: 2 })} %`);

// How an attempt failed, with the number that its kind has.
export const failing = (f) => (f.signal ? `signal ${f.signal}` : f.exit_code ? `${f.error} status ${f.exit_code}` : f.error);

// A state has one word, one colour and one sign everywhere, so that colour is never the only hint.
const STATES = {
  busy: { loading: '⇣', running: '▸', open: '○', judging: '⇄', leased: '▸', reported: '⇡' },
  good: { done: '✓', accepted: '✓', delivered: '✓', valid: '✓', active: '✓', ok: '✓', final: '✓', trusted: '✓' },
  warn: { paused: '‖', expired: '◷', warn: '!', provisional: '◔' },
  bad: { failed: '✕', invalid: '✕', errored: '!', banned: '⊘', error: '✕', quarantined: '⊘' },
  idle: { cancelled: '✕', unsent: '○', waiting: '○', gone: '–', left: '←', new: '•', disabled: '✕', revoked: '✕', retired: '✕' },
};
export function stateOf(word) {
  const tone = Object.keys(STATES).find((t) => STATES[t][word]) || 'idle';
  return { tone, icon: STATES[tone][word] || '•' };
}
