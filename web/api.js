// Talking to the server: one place for requests, errors, the session and the stream of live numbers. See API.md.
let csrf = '', role = '', keyed = false, silence = 'the server does not answer: check that it runs and that the network is up';
const ROLES = ['viewer', 'scientist', 'operator'];

export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

async function failure(reply) {
  let code = 'io', message = `the server answered ${reply.status}`;
  try {
    ({ code, message } = (await reply.json()).error);
  } catch { /* not JSON: the status says enough */ }
  return new ApiError(reply.status, code, message);
}

async function send(method, path, headers, body) {
  if (keyed || (method !== 'GET' && method !== 'HEAD')) headers['X-CSRF-Token'] = csrf;
  try {
    return await fetch(path, { method, headers, body, credentials: 'same-origin' });
  } catch {
    throw new ApiError(0, 'unreachable', silence);
  }
}

async function result(reply) {
  if (reply.status === 401 && !keyed) remember(false);
  if (reply.status === 401) dispatchEvent(new Event('dugnad-out')); // the session has ended: back to the login page
  if (!reply.ok) throw await failure(reply);
  const text = await reply.text();
  return text ? JSON.parse(text) : null;
}

// Shows a dialog to log in again, and gives whether that was done: what the server wants before a ban or a release.
let again = null;
export function onReauth(ask) { again = ask; }

async function request(method, path, body) {
  const json = () => (body === undefined ? [{}] : [{ 'Content-Type': 'application/json' }, JSON.stringify(body)]);
  try {
    return await result(await send(method, path, ...json()));
  } catch (e) {
    if (e.code !== 'reauth' || !again || !(await again())) throw e;
    return result(await send(method, path, ...json()));
  }
}

// The local page has no session: its key goes with every request, also with those that only read.
export function useKey(key, words) {
  csrf = key;
  silence = words;
  keyed = true;
}

export const get = (path) => request('GET', path);
export const post = (path, body = {}) => request('POST', path, body);
export const patch = (path, body) => request('PATCH', path, body);
export const remove = (path) => request('DELETE', path);
// The bytes of a blob.
export const bytesOf = async (digest) => { const r = await send('GET', `/v1/blobs/${digest}`, {}); if (!r.ok) throw await failure(r); return new Uint8Array(await r.arrayBuffer()); };
export const postLines = async (path, list) => result(await send('POST', path, { 'Content-Type': 'application/x-ndjson' }, list.map((x) => `${JSON.stringify(x)}\n`).join('')));

// May who is logged in do what a `least` (viewer, scientist, operator) may? The server decides; this only hides what it would refuse.
export const may = (least) => ROLES.indexOf(role) >= ROLES.indexOf(least);

/* Whether this browser was logged in last, so that one that was not need not be refused first. Where nothing can be kept it asks. */
function remember(is) {
  try { is ? localStorage.setItem('dugnad-in', '1') : localStorage.removeItem('dugnad-in'); } catch { /* storage may be off */ }
}

export const forget = () => remember(false);
function mayBeIn() {
  try { return localStorage.getItem('dugnad-in') === '1'; } catch { return true; }
}

function entered(s) {
  ({ csrf, role } = s);
  remember(true);
  return s;
}

// The session, or null where there is none.
export async function session() {
  if (!mayBeIn()) return null;
  const reply = await send('GET', '/v1/session', {});
  if (reply.status === 401) { remember(false); return null; }
  if (!reply.ok) throw await failure(reply);
  return entered(await reply.json());
}

// way: {token}, {name, password}, {name, recovery} or {passkey}. With a session it is the proof that it is still the same person.
export async function login(way) {
  const reply = await send('POST', '/v1/session', { 'Content-Type': 'application/json' }, JSON.stringify(way));
  if (!reply.ok) throw await failure(reply);
  return entered(await reply.json());
}

// What the live stream last said of how much has happened; 'dugnad-beat' is dispatched each time it says something.
export const beats = { changes: null };
const SILENCE_MS = 10000;

/* One stream of live numbers for the page, while it is seen: a browser has six connections to a server, and a page that is hidden or kept
 * for going back would hold one of them. The browser reconnects and resumes by itself, but for an answer that is an error: then this asks
 * again, and learns whether the session has ended. A stream that says nothing though it should each 2 s is dead, whatever its socket says. */
export function live(onStats, onDown) {
  let source, timer, heard;
  const beat = (changes) => { beats.changes = changes; dispatchEvent(new Event('dugnad-beat')); };
  const stop = () => { clearTimeout(timer); source?.close(); };
  const down = () => { onDown(); beat(null); };
  const start = () => {
    stop();
    if (document.hidden) return;
    heard = Date.now();
    source = new EventSource('/v1/events');
    source.addEventListener('stats', (e) => { heard = Date.now(); const s = JSON.parse(e.data); onStats(s); beat(s.changes); });
    source.onerror = () => {
      down();
      if (source.readyState !== EventSource.CLOSED) return;
      timer = setTimeout(start, 3000 + 4000 * Math.random());
      session().then((s) => { if (!s) dispatchEvent(new Event('dugnad-out')); }, () => {});
    };
  };
  const watch = setInterval(() => { if (!document.hidden && Date.now() - heard > SILENCE_MS) { down(); start(); } }, 2000);
  start();
  document.addEventListener('visibilitychange', start);
  addEventListener('pagehide', stop);
  addEventListener('pageshow', start);
  return () => {
    clearInterval(watch);
    document.removeEventListener('visibilitychange', start);
    removeEventListener('pagehide', stop);
    removeEventListener('pageshow', start);
    stop();
  };
}

const PIECE = 4 << 20;
export const hexOf = (bytes) => [...bytes].map((b) => b.toString(16).padStart(2, '0')).join('');

// Uploads a file as a content-addressed blob, resuming where an earlier try ended; returns its digest.
export async function upload(file, onProgress) {
  const bytes = await file.arrayBuffer();
  const digest = hexOf(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)));
  const path = `/v1/blobs/${digest}`, done = { sha256: digest, bytes: bytes.byteLength };
  // A small file is sent at once: that it is here already costs no more than asking.
  const head = bytes.byteLength > PIECE ? await send('HEAD', path, {}) : null;
  if (head?.ok) return done;
  for (let offset = Number(head?.headers.get('Upload-Offset') || 0), complete = false; !complete;) {
    const headers = { 'Upload-Offset': String(offset), 'Upload-Length': String(bytes.byteLength), 'Content-Type': 'application/octet-stream' };
    const reply = await send('PATCH', path, headers, bytes.slice(offset, offset + PIECE));
    if (!reply.ok) throw await failure(reply);
    complete = reply.status === 201;
    offset = Number(reply.headers.get('Upload-Offset') || bytes.byteLength);
    onProgress?.(complete ? 1 : offset / bytes.byteLength);
  }
  return done;
}
