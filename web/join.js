// For people with a join link: the exact command, made from the address of this page.
const byId = (id) => document.getElementById(id);

// Only what has the form of wire/link.h goes into a command that somebody will paste into a shell.
function joinLink() {
  const found = /^#k=([0-9a-f]{64})(?:&i=([A-Za-z0-9_.~-]{1,64}))?$/.exec(location.hash);
  return found && `${location.origin}/join#k=${found[1]}${found[2] ? `&i=${found[2]}` : ''}`;
}

function trouble(text) {
  byId('trouble').textContent = text;
  byId('trouble').hidden = false;
}

function showCommand() {
  const link = joinLink();
  byId('trouble').hidden = true;
  byId('copy').hidden = !link;
  byId('command').textContent = `dugnad-client join '${link || 'THE WHOLE LINK'}'`;
  if (!link) trouble(location.hash ? 'This link is damaged: ask for it again, and copy the whole of it.' : 'The part of the link after # is missing: open the whole link that you were given, or paste it into the command below.');
  return link;
}

// navigator.clipboard is missing where the page is not trusted by the browser; a selection can always be copied.
async function copy() {
  try {
    await navigator.clipboard.writeText(byId('command').textContent);
    byId('copy').textContent = 'Copied';
  } catch {
    getSelection().selectAllChildren(byId('command'));
    byId('copy').textContent = 'Press Ctrl+C';
  }
}

async function showProject() {
  const reply = await fetch('/v1/project');
  if (!reply.ok) return;
  const p = await reply.json();
  document.title = `Join ${p.name}`;
  byId('name').textContent = `Lend ${p.name} your computer’s spare time`;
  if (p.summary) byId('summary').textContent = p.summary;
  if (joinLink() && p.project_key && !location.hash.startsWith(`#k=${p.project_key}`)) trouble('This link names another project than the one at this address: do not use it, and tell whoever gave it to you.');
  else if (joinLink() && p.invitation_needed && !location.hash.includes('&i=')) trouble('This project wants an invitation, and this link holds none: ask for one.');
}

showCommand();
addEventListener('hashchange', () => { showCommand(); showProject(); });
byId('copy').addEventListener('click', copy);
showProject().catch(() => {});
