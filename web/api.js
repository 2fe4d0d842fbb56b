// Talking to the server: one place for requests, errors, the session and the stream of live numbers.
let csrf = '';

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

export async function request(method, path, body) {
  const headers = {};
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (method !== 'GET') headers['X-CSRF-Token'] = csrf;
  let reply;
  try {
    reply = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), credentials: 'same-origin' });
  } catch {
    throw new ApiError(0, 'unreachable', 'the server does not answer: check that it runs and that the network is up');
  }
  if (!reply.ok) throw await failure(reply);
  const text = await reply.text();
  return text ? JSON.parse(text) : null;
}

export const get = (path) => request('GET', path);
export const post = (path, body = {}) => request('POST', path, body);
export const patch = (path, body) => request('PATCH', path, body);
export const remove = (path) => request('DELETE', path);

export async function session() {
  try {
    const s = await get('/v1/session');
    csrf = s.csrf;
    return s;
  } catch (e) {
    if (e.status === 401) return null;
    throw e;
  }
}

export async function login(body) {
  const s = await post('/v1/session', body);
  csrf = s.csrf;
  return s;
}

// One stream of live numbers for the whole page; the browser reconnects and resumes by Last-Event-ID.
export function live(onStats, onDown) {
  const source = new EventSource('/v1/events');
  source.addEventListener('stats', (e) => onStats(JSON.parse(e.data)));
  source.onerror = () => onDown();
  return () => source.close();
}

// Uploads a file as a content-addressed blob, resuming where an earlier try ended; returns its digest.
export async function upload(file, onProgress) {
  const bytes = await file.arrayBuffer();
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  const digest = [...hash].map((b) => b.toString(16).padStart(2, '0')).join('');
  const path = `/v1/blobs/${digest}`;
  const head = await fetch(path, { method: 'HEAD', credentials: 'same-origin' });
  let offset = head.ok ? bytes.byteLength : Number(head.headers.get('Upload-Offset') || 0);
  const empty = bytes.byteLength === 0 && !head.ok;
  while (offset < bytes.byteLength || empty) {
    const reply = await fetch(path, {
      method: 'PATCH', credentials: 'same-origin', body: bytes.slice(offset, offset + (4 << 20)),
      headers: { 'X-CSRF-Token': csrf, 'Upload-Offset': String(offset), 'Upload-Length': String(bytes.byteLength), 'Content-Type': 'application/octet-stream' },
    });
    if (!reply.ok) throw await failure(reply);
    offset = reply.status === 201 ? bytes.byteLength : Number(reply.headers.get('Upload-Offset'));
    onProgress?.(offset / (bytes.byteLength || 1));
    if (reply.status === 201) break;
  }
  return { sha256: digest, bytes: bytes.byteLength };
}
