// Every rule of client.conf as a form, in the file's own words.
import { html, useState, useEffect } from '../view.js';
import { get, post } from '../api.js';
import { Failure } from '../parts.js';

const TITLES = { cores_in_use: 'Share of cores while in use', cores_away: 'Share of cores while away', load_in_use: 'Load of others, while in use', load_away: 'Load of others, while away', ca_file: 'Certificate file' };
const title = (name) => TITLES[name] || name.replace(/_bytes_s$/, ' speed').replace(/_bytes$/, '').replace(/_/g, ' ').replace(/^./, (c) => c.toUpperCase());

function Field({ o, value, set }) {
  const id = `p-${o.name}`, with_ = { id, 'aria-describedby': `${id}-help` };
  if (o.type === 'bool') {
    return html`<select ...${with_} onChange=${(e) => set(e.target.value)}>${['yes', 'no'].map((v) => html`<option key=${v} value=${v} selected=${v === value}>${v}</option>`)}</select>`;
  }
  return html`<input ...${with_} type="text" autocomplete="off" spellcheck="false" value=${value} placeholder=${o.fallback} onInput=${(e) => set(e.target.value)} />`;
}

function Rule({ o, value, set }) {
  return html`<div class="rule"><label for="p-${o.name}">${title(o.name)}</label><div><${Field} o=${o} value=${value} set=${set} /></div>
    <p id="p-${o.name}-help">${o.help.replace(/\n/g, ' ')}${o.fallback ? ` Default: ${o.fallback}.` : ''}</p></div>`;
}

export function Preferences() {
  const [options, setOptions] = useState(null), [draft, setDraft] = useState({}), [error, setError] = useState(null), [saved, setSaved] = useState(false);
  useEffect(() => { get('/v1/settings').then(setOptions, setError); }, []);
  if (!options) return html`<h2 id="preferences">Preferences</h2>${error && html`<${Failure} error=${error} />`}`;
  const changed = options.filter((o) => o.name in draft && draft[o.name] !== o.value), groups = [];
  for (const o of options) o.group ? groups.push([o.group, [o]]) : groups.at(-1)[1].push(o);
  const save = async (e) => {
    e.preventDefault();
    try {
      setOptions(await post('/v1/settings', Object.fromEntries(changed.map((o) => [o.name, draft[o.name].trim() || (o.type === 'text' ? '' : null)]))));
      setDraft({});
      setError(null);
      setSaved(true);
    } catch (x) { setError(x); setSaved(false); }
  };
  return html`<h2 id="preferences">Preferences</h2><form class="prefs" onSubmit=${save}>
    ${groups.map(([name, list]) => html`<fieldset key=${name}><legend>${name}</legend>${list.map((o) => html`<${Rule} key=${o.name} o=${o} value=${draft[o.name] ?? o.value} set=${(v) => { setDraft({ ...draft, [o.name]: v }); setSaved(false); }} />`)}</fieldset>`)}
    <div class="save row"><button type="submit" class="main" disabled=${changed.length === 0}>Save and use now</button>${changed.length > 0 && html`<button type="button" onClick=${() => setDraft({})}>Undo ${changed.length} ${changed.length === 1 ? 'change' : 'changes'}</button>`}
      <span role="status">${saved ? 'Saved; in use now.' : ''}</span>${error && html`<span class="bad" role="alert">${error.message}</span>`}</div></form>`;
}
