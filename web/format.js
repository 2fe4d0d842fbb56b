// Numbers, times and states as people read them.
export function count(n) {
  return n === null || n === undefined ? '–' : Number(n).toLocaleString('en');
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

export function ago(ms) {
  if (!ms) return 'never';
  const d = Date.now() - ms;
  return d < 0 ? `in ${duration(-d)}` : `${duration(d)} ago`;
}

export function time(ms) {
  return ms ? new Date(ms).toISOString().replace('T', ' ').replace(/\.\d+Z$/, ' UTC') : '–';
}

// The time of day; the day too when the span shown is longer than one.
export function clock(ms, span_ms) {
  const d = new Date(ms), hour = d.toTimeString().slice(0, 5);
  return span_ms > 36 * 3600e3 ? `${d.toLocaleDateString('en', { day: 'numeric', month: 'short' })}${span_ms > 4 * 86400e3 ? '' : ` ${hour}`}` : hour;
}

export const percent = (share, digits = 1) => (Number.isFinite(share) ? `${(share * 100).toFixed(digits)} %` : '–');

// How an attempt failed, with the number that its kind has.
export const failing = (f) => (f.signal ? `signal ${f.signal}` : f.exit_code ? `${f.error} status ${f.exit_code}` : f.error);

// A state has one word, one colour and one sign everywhere, so that colour is never the only hint.
const STATES = {
  loading: ['busy', '⇣'], running: ['busy', '▸'], paused: ['warn', '‖'], done: ['good', '✓'], cancelled: ['idle', '✕'],
  open: ['busy', '○'], provisional: ['busy', '◔'], judging: ['busy', '⇄'], accepted: ['good', '✓'], failed: ['bad', '✕'], delivered: ['good', '✓'],
  unsent: ['idle', '○'], leased: ['busy', '▸'], reported: ['busy', '⇡'], valid: ['good', '✓'], invalid: ['bad', '✕'],
  errored: ['bad', '!'], expired: ['warn', '◷'], banned: ['bad', '⊘'], active: ['good', '✓'], gone: ['idle', '–'], left: ['idle', '←'],
  ok: ['good', '✓'], warn: ['warn', '!'], error: ['bad', '✕'], final: ['good', '✓'], provisional: ['warn', '…'],
  new: ['idle', '•'], trusted: ['good', '✓'], untrusted: ['bad', '✕'], disabled: ['idle', '✕'], revoked: ['idle', '✕'], retired: ['idle', '✕'],
};
export function stateOf(word) {
  const [tone, icon] = STATES[word] || ['idle', '•'];
  return { tone, icon };
}
