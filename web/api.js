// Talking to the server: one place for requests, errors, the session and the stream of live numbers. See API.md.
let csrf = '', role = '', keyed = false;
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
    throw new ApiError(0, 'unreachable', 'the server does not answer: check that it runs and that the network is up');
  }
}

async function result(reply) {
  if (reply.status === 401) dispatchEvent(new Event('dugnad-out')); // the session has ended: back to the login page
  if (!reply.ok) throw await failure(reply);
  const text = await reply.text();
  return text ? JSON.parse(text) : null;
}

async function request(method, path, body) {
  const json = body === undefined ? [{}] : [{ 'Content-Type': 'application/json' }, JSON.stringify(body)];
  return result(await send(method, path, ...json));
}

// The local page has no session: its key goes with every request, also with those that only read.
export function useKey(key) {
  csrf = key;
  keyed = true;
}

export const get = (path) => request('GET', path);
export const post = (path, body = {}) => request('POST', path, body);
export const patch = (path, body) => request('PATCH', path, body);
export const remove = (path) => request('DELETE', path);
export const postLines = async (path, list) => result(await send('POST', path, { 'Content-Type': 'application/x-ndjson' }, list.map((x) => `${JSON.stringify(x)}\n`).join('')));

// May who is logged in do what a `least` (viewer, scientist, operator) may? The server decides; this only hides what it would refuse.
export const may = (least) => ROLES.indexOf(role) >= ROLES.indexOf(least);

function entered(s) {
  ({ csrf, role } = s);
  return s;
}

// The session, or null where there is none.
export async function session() {
  const reply = await send('GET', '/v1/session', {});
  if (reply.status === 401) return null;
  if (!reply.ok) throw await failure(reply);
  return entered(await reply.json());
}

export async function login(token) {
  const reply = await send('POST', '/v1/session', { 'Content-Type': 'application/json' }, JSON.stringify({ token }));
  if (!reply.ok) throw await failure(reply);
  return entered(await reply.json());
}

/* One stream of live numbers for the page, while it is seen: a browser has six connections to a server, and a page that is hidden or kept
 * for going back would hold one of them. The browser reconnects and resumes by itself, but for an answer that is an error: then this asks
 * again, and learns whether the session has ended. */
export function live(onStats, onDown) {
  let source, timer;
  const stop = () => { clearTimeout(timer); source?.close(); };
  const start = () => {
    stop();
    if (document.hidden) return;
    source = new EventSource('/v1/events');
    source.addEventListener('stats', (e) => onStats(JSON.parse(e.data)));
    source.onerror = () => {
      onDown();
      if (source.readyState !== EventSource.CLOSED) return;
      timer = setTimeout(start, 3000 + 4000 * Math.random());
      session().then((s) => { if (!s) dispatchEvent(new Event('dugnad-out')); }, () => {});
    };
  };
  start();
  document.addEventListener('visibilitychange', start);
  addEventListener('pagehide', stop);
  addEventListener('pageshow', start);
  return () => {
    document.removeEventListener('visibilitychange', start);
    removeEventListener('pagehide', stop);
    removeEventListener('pageshow', start);
    stop();
  };
}

// Uploads a file as a content-addressed blob, resuming where an earlier try ended; returns its digest.
export async function upload(file, onProgress) {
  const bytes = await file.arrayBuffer();
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  const digest = [...hash].map((b) => b.toString(16).padStart(2, '0')).join('');
  const path = `/v1/blobs/${digest}`, done = { sha256: digest, bytes: bytes.byteLength };
  const head = await send('HEAD', path, {});
  if (head.ok) return done;
  for (let offset = Number(head.headers.get('Upload-Offset') || 0), complete = false; !complete;) {
    const headers = { 'Upload-Offset': String(offset), 'Upload-Length': String(bytes.byteLength), 'Content-Type': 'application/octet-stream' };
    const reply = await send('PATCH', path, headers, bytes.slice(offset, offset + (4 << 20)));
    if (!reply.ok) throw await failure(reply);
    complete = reply.status === 201;
    offset = Number(reply.headers.get('Upload-Offset') || bytes.byteLength);
    onProgress?.(complete ? 1 : offset / bytes.byteLength);
  }
  return done;
}
