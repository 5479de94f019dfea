// The class's pages. The server has written them whole; this keeps them up to date and sends what is clicked.

const LOOK_MS = 4000, LONGEST_LOOK_MS = 30000;
const find = id => document.getElementById(id);
const isClass = document.body.classList.contains('class-page');

// The same figures as the server's: cents, and less than a cent where there are few.
function dollars(usd) {
  const whole = Math.abs(usd - Number(usd.toFixed(2))) < 5e-5 || usd >= 0.1;
  return whole ? usd.toLocaleString('en-US', {style: 'currency', currency: 'USD'}) : `$${Number(usd.toPrecision(3))}`;
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Looking again and again, while somebody looks.

let pause = LOOK_MS, timer = 0, looking = false;

async function look(refresh) {
  clearTimeout(timer);
  if (document.hidden || looking) return;
  looking = true;
  try {
    await refresh();
    pause = LOOK_MS;
  } catch {
    pause = Math.min(LONGEST_LOOK_MS, 2 * pause);
    const notice = find('notice');
    if (notice) write(notice, 'The gateway does not answer. This page tries again by itself.');
  } finally {
    looking = false;
    timer = setTimeout(look, pause, refresh);
  }
}

async function ask(url) {
  const answer = await fetch(url, {headers: {'x-vidu-page': '1'}, cache: 'no-store'});
  if (answer.status === 401 || answer.status === 403) location.reload();
  if (!answer.ok) throw new Error(String(answer.status));
  return answer;
}

async function send(url, body) {
  const headers = {'content-type': 'application/json', 'x-vidu-page': '1'};
  const answer = await fetch(url, {method: 'POST', headers, body: JSON.stringify(body ?? {})});
  if (answer.status === 401) location.reload();
  const facts = await answer.json();
  if (!answer.ok) throw new Error(facts.error ?? String(answer.status));
  return facts;
}

// The wall and a person's own page: what the server writes anew takes the place of what was there.

const written = new Map();

async function refreshLive() {
  const text = await (await ask(location.href)).text();
  const fresh = new DOMParser().parseFromString(text, 'text/html');
  if (fresh.body.className !== document.body.className) location.reload();
  for (const part of fresh.querySelectorAll('[data-live]')) {
    const before = written.get(part.id), old = find(part.id);
    written.set(part.id, part.innerHTML);
    if (before === part.innerHTML || (before === undefined && old.innerHTML === part.innerHTML)) continue;
    const focused = old.contains(document.activeElement) && document.activeElement.dataset.clip;
    old.replaceChildren(...part.childNodes);
    if (focused) old.querySelector(`[data-clip="${CSS.escape(focused)}"]`)?.focus();
  }
}

// The class.

let facts = null, sortedBy = 'name', descending = false;
const rows = new Map();

function rowOf(name) {
  if (!rows.has(name)) {
    const row = find('row').content.firstElementChild.cloneNode(true);
    row.dataset.name = name;
    row.querySelector('[data-manage]').setAttribute('aria-label', `Manage ${name}`);
    rows.set(name, row);
  }
  return rows.get(name);
}

function showPerson(person) {
  const row = rowOf(person.name), cell = name => row.querySelector(`[data-cell="${name}"]`);
  row.dataset.state = person.state;
  write(cell('name'), person.name);
  write(cell('state'), person.state === 'active' ? '' : person.state);
  write(cell('left'), dollars(person.left_usd));
  write(cell('usd'), dollars(person.usd));
  write(cell('spent'), dollars(person.spent_usd));
  write(cell('calls'), String(person.calls));
  write(cell('running'), person.running ? String(person.running) : '–');
  const bar = row.querySelector('progress');
  bar.max = person.usd || 1;
  bar.value = person.left_usd;
  showClips(cell('clips'), person);
  return row;
}

function showClips(cell, person) {
  const shown = [...cell.children].map(one => one.dataset.clip).join();
  if (shown === person.clips.map(clip => clip.id).join()) return;
  cell.replaceChildren(...person.clips.map(clip => {
    const button = document.createElement('button'), image = document.createElement('img');
    button.className = 'clip';
    button.setAttribute('aria-label', `${person.name}: ${clip.prompt || clip.kind}`);
    Object.assign(button.dataset, {clip: clip.id, url: clip.url, kind: clip.kind, title: person.name, prompt: clip.prompt});
    Object.assign(image, {alt: '', loading: 'lazy', src: clip.poster});
    button.append(image);
    return button;
  }));
}

function order() {
  const by = (a, b) => sortedBy === 'name' ? a.name.localeCompare(b.name) : a[sortedBy] - b[sortedBy] || a.name.localeCompare(b.name);
  const people = [...facts.people].sort(by);
  if (descending) people.reverse();
  const wanted = find('find').value.trim().toLocaleLowerCase(), body = find('people');
  let shown = 0;
  people.forEach((person, place) => {
    const row = rows.get(person.name);
    row.hidden = !person.name.toLocaleLowerCase().includes(wanted);
    shown += !row.hidden;
    if (body.children[place] !== row) body.insertBefore(row, body.children[place] ?? null);
  });
  find('nobody').hidden = shown > 0 || !wanted;
}

async function refreshClass() {
  facts = await (await ask('class.json')).json();
  const running = facts.people.reduce((sum, person) => sum + person.running, 0);
  write(find('left'), dollars(facts.left_usd));
  write(find('total'), dollars(facts.total_usd));
  find('bar').value = facts.left_usd;
  write(find('count'), `${facts.people.length} people · ${running} ${running === 1 ? 'call' : 'calls'} running`);
  write(find('pause'), facts.paused ? 'Resume the class' : 'Pause the class');
  find('pause').dataset.paused = String(facts.paused);
  write(find('notice'), facts.notice);
  showTroubles(facts.troubles.map(one => one.text));
  facts.people.forEach(showPerson);
  order();
}

function showTroubles(texts) {
  const list = find('troubles');
  if ([...list.children].map(one => one.textContent).join('\n') === texts.join('\n')) return;
  list.replaceChildren(...texts.map(text => Object.assign(document.createElement('li'), {textContent: text})));
}

function startClass() {
  for (const row of find('people').rows) rows.set(row.dataset.name, row);
  const refresh = () => look(refreshClass);
  find('find').addEventListener('input', () => facts && order());
  document.querySelectorAll('[data-sort]').forEach(button => button.addEventListener('click', () => {
    descending = button.dataset.sort === sortedBy ? !descending : button.dataset.sort !== 'name';
    sortedBy = button.dataset.sort;
    document.querySelectorAll('th[aria-sort]').forEach(one => one.removeAttribute('aria-sort'));
    button.closest('th').setAttribute('aria-sort', descending ? 'descending' : 'ascending');
    if (facts) order();
  }));
  find('pause').addEventListener('click', async event => {
    event.target.disabled = true;
    try {
      await send(event.target.dataset.paused === 'true' ? 'class/resume' : 'class/pause');
    } catch (error) {
      write(find('notice'), error.message);
    }
    event.target.disabled = false;
    refresh();
  });
  startPerson(refresh);
  startNew(refresh);
  return refresh;
}

function startPerson(refresh) {
  const dialog = find('person'), revoke = find('person-revoke');
  let person = null;
  const show = () => {
    write(find('person-name'), person.name);
    write(find('person-facts'), `${dollars(person.left_usd)} left of ${dollars(person.usd)}, ${dollars(person.spent_usd)} spent in ${person.calls} ${person.calls === 1 ? 'call' : 'calls'}${person.state === 'active' ? '' : `, ${person.state}`}`);
    write(find('person-pause'), person.state === 'paused' ? 'Resume' : 'Pause');
    find('person-pause').hidden = revoke.hidden = person.state === 'revoked';
    write(revoke, 'Revoke the token');
    write(find('person-problem'), '');
  };
  const change = async body => {
    try {
      const answer = await send('class/people', {name: person.name, ...body});
      person = {...person, ...answer.person};
      show();
      if (answer.token) { dialog.close(); showToken(person.name, answer.token); }
    } catch (error) {
      write(find('person-problem'), error.message);
    }
    refresh();
  };
  find('people').addEventListener('click', event => {
    const button = event.target.closest('[data-manage]');
    person = button && facts?.people.find(one => one.name === button.closest('tr').dataset.name);
    if (person) { show(); dialog.showModal(); }
  });
  find('top-up').addEventListener('submit', event => {
    event.preventDefault();
    change({action: 'top_up', usd: Number(find('amount').value)});
  });
  find('person-pause').addEventListener('click', () => change({action: person.state === 'paused' ? 'resume' : 'pause'}));
  find('person-token').addEventListener('click', () => change({action: 'token'}));
  revoke.addEventListener('click', () => {
    if (revoke.textContent === 'Revoke the token') write(revoke, 'Revoke it? Click again');
    else change({action: 'revoke'});
  });
}

function startNew(refresh) {
  const dialog = find('new'), name = find('new-name'), usd = find('new-usd');
  find('add').addEventListener('click', () => {
    find('new-form').reset();
    write(find('new-problem'), '');
    dialog.showModal();
    name.focus();
  });
  find('new-form').addEventListener('submit', async event => {
    event.preventDefault();
    try {
      const body = {action: 'add', name: name.value, ...(usd.value ? {usd: Number(usd.value)} : {})};
      const answer = await send('class/people', body);
      dialog.close();
      showToken(answer.person.name, answer.token);
    } catch (error) {
      write(find('new-problem'), error.message);
    }
    refresh();
  });
  find('copy').addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(find('token-text').textContent);
      write(find('copied'), 'Copied.');
    } catch {  // a browser allows it only on https and on this machine
      getSelection().selectAllChildren(find('token-text'));
      write(find('copied'), 'Selected: copy it with Ctrl+C or ⌘C.');
    }
  });
  find('token').addEventListener('close', () => write(find('token-text'), ''));
}

function showToken(name, token) {
  write(find('token-title'), `The new token of ${name}`);
  write(find('token-text'), token);
  write(find('copied'), '');
  find('token').showModal();
}

// Clips: one plays where it lies while it is pointed at, and with sound and its controls when clicked.

function startClips() {
  const player = find('player'), place = find('player-media');
  const media = (button, kind) => Object.assign(document.createElement(kind === 'image' ? 'img' : 'video'), {src: button.dataset.url});
  document.addEventListener('click', event => {
    const button = event.target.closest?.('[data-clip]');
    if (!button) return;
    write(find('player-title'), button.dataset.title);
    write(find('player-prompt'), button.dataset.prompt);
    const shown = media(button, button.dataset.kind);
    if (button.dataset.kind === 'image') shown.alt = button.dataset.prompt;
    else Object.assign(shown, {controls: true, autoplay: true, loop: true, playsInline: true});
    place.replaceChildren(shown);
    player.showModal();
  });
  player.addEventListener('close', () => place.replaceChildren());
  if (matchMedia('(prefers-reduced-motion: reduce)').matches || !matchMedia('(hover: hover)').matches) return;
  document.addEventListener('pointerover', event => {
    const tile = event.target.closest?.('.tile');
    if (!tile || tile.dataset.kind === 'image' || tile.querySelector('video')) return;
    const video = Object.assign(media(tile, 'video'), {muted: true, loop: true, playsInline: true});
    tile.querySelector('.picture').append(video);
    video.play().catch(() => video.remove());
    tile.addEventListener('pointerleave', () => video.remove(), {once: true});
  });
}

find('sign-out')?.addEventListener('click', async () => {
  await send('sign-out').catch(() => {});
  location.assign('./');
});
if (find('player')) {
  startClips();
  const refresh = isClass ? startClass() : () => look(refreshLive);
  document.addEventListener('visibilitychange', refresh);
  refresh();
}
