// What draws: html`...` makes a tree, render() makes the page equal to it, and components remember with use*(). The notation is in README.md.
const HOLE = '\u0001', SVG = 'http://www.w3.org/2000/svg';
const templates = new WeakMap();

// --- reading a template, once for each place in the source ---

function readAttributes(text, take) {
  const list = [];
  for (const [all, name, quoted, bare] of text.matchAll(/\.\.\.\u0001|([^\s=/"\u0001]+)(?:=(?:"([^"]*)"|([^\s"/]+)))?/g)) {
    if (all[0] === '.') { list.push({ spread: take() }); continue; }
    const value = quoted ?? bare;
    if (value === undefined) list.push({ name, parts: [true] });
    else if (value === HOLE) list.push({ name, parts: [{ hole: take() }] });
    else list.push({ name, parts: value.split(/(\u0001)/).filter(Boolean).map((p) => (p === HOLE ? { hole: take() } : p)) });
  }
  return list;
}

function read(strings) {
  const source = strings.join(HOLE), root = { children: [] }, open = [root];
  let holes = 0;
  const take = () => holes++;
  const text = (t) => {
    for (const part of t.replace(/^\s*\n\s*|\s*\n\s*$/g, '').split(/(\u0001)/))
      if (part) open.at(-1).children.push(part === HOLE ? { hole: take() } : part.replace(/\s*\n\s*/g, ' '));
  };
  let at = 0;
  for (const m of source.matchAll(/<(\/?)([^\s>/]*)((?:"[^"]*"|[^>"])*)>/g)) {
    text(source.slice(at, m.index));
    at = m.index + m[0].length;
    if (m[1]) { open.pop(); continue; }
    const node = { type: m[2] === HOLE ? { hole: take() } : m[2], children: [] };
    node.attributes = readAttributes(m[3], take);
    open.at(-1).children.push(node);
    if (!m[3].endsWith('/')) open.push(node);
  }
  text(source.slice(at));
  if (open.length !== 1 || holes !== strings.length - 1) throw new Error(`a template is not closed: ${source.slice(0, 80)}`);
  return root.children;
}

const fill = (part, values) => (typeof part === 'object' ? values[part.hole] : part);

function make(node, values) {
  if (typeof node === 'string') return node;
  if (node.hole !== undefined) return values[node.hole];
  const props = {};
  for (const a of node.attributes) {
    if (a.spread !== undefined) Object.assign(props, values[a.spread]);
    else props[a.name] = a.parts.length === 1 ? fill(a.parts[0], values) : a.parts.map((p) => fill(p, values)).join('');
  }
  return { type: fill(node.type, values), props, children: node.children.map((c) => make(c, values)) };
}

export function html(strings, ...values) {
  let tree = templates.get(strings);
  if (!tree) templates.set(strings, (tree = read(strings)));
  const made = tree.map((n) => make(n, values));
  return made.length === 1 ? made[0] : made;
}

// --- what a component remembers ---

let current = null, root = null, asked = false, effects = [];

function ask() {
  if (asked) return;
  asked = true;
  queueMicrotask(() => { asked = false; draw(); });
}

function slot(first) {
  const i = current.turn++;
  return (current.slots[i] ??= first());
}

const same = (a, b) => a && b && a.length === b.length && a.every((x, i) => Object.is(x, b[i]));

export function useState(first) {
  const s = slot(() => ({ value: first, set(v) { if (!Object.is(s.value, v)) { s.value = v; ask(); } } }));
  return [s.value, s.set];
}

export function useRef(first) {
  return slot(() => ({ current: first }));
}

// Runs `work` after the page is drawn, when `deps` have changed; a function that it returns is called before the next time and at the end.
export function useEffect(work, deps) {
  const s = slot(() => ({ effect: true }));
  if (same(s.deps, deps)) return;
  s.deps = deps;
  effects.push(() => {
    s.end?.();
    const end = work();
    s.end = typeof end === 'function' ? end : undefined;
  });
}

// --- making the page equal to the tree ---

// Lists children flat as [key, child], the key being the place in the tree, so that a part that comes or goes moves no other.
function flatten(children, path, out) {
  children.forEach((c, i) => {
    if (c === null || c === undefined || c === true || c === false || c === '') return;
    const key = c.props?.key;
    if (Array.isArray(c)) flatten(c, `${path}${i}.`, out);
    else out.push([key === undefined ? path + i : `${path}k${key}`, c]);
  });
  return out;
}

function forget(inst) {
  for (const s of inst.slots || []) if (s.effect) s.end?.();
  for (const kid of inst.kids.values()) forget(kid);
}

// Makes inst's kids fit `children`; returns their DOM nodes in order.
function fit(inst, children, svg) {
  const old = inst.kids, dom = [];
  inst.kids = new Map();
  for (const [key, child] of flatten(children, '', [])) {
    const type = child.type ?? '';
    let kid = old.get(key);
    if (kid && kid.type === type) old.delete(key);
    else kid = { type, props: {}, kids: new Map(), slots: [] };
    inst.kids.set(key, kid);
    dom.push(...update(kid, child, svg));
  }
  for (const gone of old.values()) forget(gone);
  return dom;
}

function update(inst, child, svg) {
  if (inst.type === '') {
    const text = String(child);
    if (!inst.dom) inst.dom = document.createTextNode(text);
    else if (inst.dom.data !== text) inst.dom.data = text;
    return [inst.dom];
  }
  if (typeof inst.type === 'function') return fit(inst, [compute(inst, child)], svg);
  const inSvg = svg || inst.type === 'svg';
  inst.dom ??= inSvg ? document.createElementNS(SVG, inst.type) : document.createElement(inst.type);
  place(inst.dom, fit(inst, child.children, inSvg));
  setAll(inst, child.props);
  return [inst.dom];
}

function compute(inst, child) {
  const outer = current;
  current = inst;
  inst.turn = 0;
  try {
    return inst.type({ ...child.props, children: child.children });
  } catch (e) {
    console.error(e);
    return html`<p class="note bad" role="alert">This part of the page is broken: ${e.message}</p>`;
  } finally {
    current = outer;
  }
}

// What goes is taken out first: moving what stays would take the focus from it.
function place(parent, nodes) {
  const stay = new Set(nodes);
  for (const n of [...parent.childNodes]) if (!stay.has(n)) n.remove();
  let at = parent.firstChild;
  for (const n of nodes) {
    if (n === at) at = at.nextSibling;
    else parent.insertBefore(n, at);
  }
}

function setAll(inst, props) {
  const before = inst.props;
  inst.props = props;
  for (const name of Object.keys(before)) if (!(name in props)) set(inst, name, before[name], undefined);
  for (const name of Object.keys(props)) if (!Object.is(before[name], props[name])) set(inst, name, before[name], props[name]);
}

function set(inst, name, before, value) {
  const dom = inst.dom;
  if (name === 'key') return;
  if (name === 'ref') { if (value) value.current = dom; return; }
  if (name.startsWith('on')) {
    inst.heard ??= new Set();
    if (!inst.heard.has(name)) dom.addEventListener(name.slice(2).toLowerCase(), (e) => inst.props[name]?.(e));
    inst.heard.add(name);
    return;
  }
  if (name === 'style') {
    for (const k of Object.keys(before || {})) if (!(k in (value || {}))) dom.style[k] = '';
    Object.assign(dom.style, value);
  } else if (name === 'value' || name === 'checked') {
    if (dom[name] !== value) dom[name] = value ?? '';
  } else if (value === undefined || value === null || (value === false && !name.startsWith('aria-'))) {
    dom.removeAttribute(name);
  } else {
    dom.setAttribute(name, value === true && !name.startsWith('aria-') ? '' : value);
  }
}

function draw() {
  place(root.into, fit(root, [root.tree()], false));
  const due = effects;
  effects = [];
  due.forEach((run) => run());
}

// Shows what `tree()` returns in the element `into`, from now on.
export function render(tree, into) {
  root = { tree, into, kids: new Map() };
  draw();
}
