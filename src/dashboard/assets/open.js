// Opening a server that does not answer yet: starts it, shows what it says, and leads there once it is ready.

import { get, post } from './api.js';
import { addressOf, drawIcon, el, icon, visible } from './dom.js';
import { LogView } from './log.js';

export async function openServer(id) {
  document.body.className = 'alone';
  document.title = 'devrun';
  const title = el('h1', { role: 'status' }, 'Looking for the server…');
  const text = el('p');
  const card = el('main', { class: 'card wide' }, icon('s-starting', 'mark large'), title, text);
  const symbols = document.querySelector('svg[hidden]');
  document.body.replaceChildren(symbols, card, el('div', { id: 'toasts', class: 'toasts' }));
  let log = null;
  try {
    const server = await get(`/api/servers/${id}`);
    const name = visible(server.name);
    document.title = `Starting ${name}`;
    title.textContent = `Starting ${name}…`;
    text.textContent = 'It opens here as soon as it answers.';
    log = new LogView(server, name);
    card.append(log.element);
    const ready = await post(`/api/servers/${id}/start`);
    const address = addressOf(ready);
    if (!address) throw new Error('it has no address that a browser can open');
    title.textContent = `${name} is ready`;
    log.close();
    location.replace(address);
  } catch (problem) {
    card.dataset.state = 'crashed';
    drawIcon(card.querySelector('.mark'), 's-crashed');
    title.textContent = 'It could not be opened';
    text.textContent = visible(problem.message);
    if (problem.hint) text.after(el('pre', { class: 'command' }, el('code', {}, visible(problem.hint))));
    const again = el('button', { type: 'button', class: 'primary' }, 'Try again');
    again.addEventListener('click', () => location.reload());
    card.append(el('div', { class: 'choices' }, el('a', { class: 'button', href: '/' }, 'All servers'), again));
  }
}
