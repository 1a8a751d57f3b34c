// Elements and words. Text from outside only ever becomes a text node.

export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function icon(name, kind = 'icon') {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('class', kind);
  svg.setAttribute('aria-hidden', 'true');
  drawIcon(svg, name);
  return svg;
}

// A copy of the symbol: with <use>, each of thousands of icons would be a document of its own to the browser.
export function drawIcon(svg, name) {
  if (svg.dataset.icon === name) return;
  svg.dataset.icon = name;
  const symbol = document.getElementById(name);
  svg.setAttribute('viewBox', symbol.getAttribute('viewBox'));
  svg.replaceChildren(...symbol.cloneNode(true).childNodes);
}

// Touches the page only where something is new: a row is updated often and changes seldom.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setAttribute(element, name, value) {
  if (value === null || value === false) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
  } else if (element.getAttribute(name) !== String(value)) {
    element.setAttribute(name, value);
  }
}

// What moves a cursor or turns the direction of writing is shown as what it is.
const steering = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
export const visible = (text) =>
  text.replace(steering, (character) => `\\u{${character.codePointAt(0).toString(16)}}`);

export function span(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 && hours < 10 ? `${hours}h ${minutes % 60}m` : `${hours}h`;
  return `${Math.floor(hours / 24)}d`;
}

export const took = (ms) => (ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(ms < 10000 ? 1 : 0)} s`);

export const percent = (value) => (value > 0 && value < 10 ? `${value.toFixed(1)}%` : `${Math.round(value)}%`);

export function bytes(count) {
  const megabytes = count / 1048576;
  if (megabytes >= 1000) return `${(megabytes / 1024).toFixed(1)} GB`;
  return `${megabytes < 10 ? megabytes.toFixed(1) : Math.round(megabytes)} MB`;
}

export const count = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;

// The state as people see it: a server that is ready and does not answer is not ready to them.
export const stateOf = (server) =>
  server.state === 'ready' && server.healthy === false ? 'unhealthy' : server.state;

export const isTrouble = (server) => ['crashed', 'unhealthy', 'backoff'].includes(stateOf(server));

// Where it answers, if a browser may go there.
export const addressOf = (server) => (/^https?:\/\//.test(server.url ?? '') ? server.url : null);

export const folderName = (server) => visible(server.cwd.split(/[\\/]/).filter(Boolean).pop() ?? server.cwd);

export function howItEnded(exit) {
  if (!exit) return null;
  return 'code' in exit ? `exit status ${exit.code}` : `signal ${exit.signal}`;
}

// Against the middle one of the starts before: a single slow one says nothing.
export function comparedStart(server) {
  const before = server.startups_ms.slice(0, -1);
  if (before.length < 2 || server.ready_ms === null) return null;
  const sorted = [...before].sort((a, b) => a - b);
  const usual = sorted[Math.floor(sorted.length / 2)];
  const change = Math.round((server.ready_ms / Math.max(usual, 1) - 1) * 100);
  return { usual, change };
}

export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    toast(`${what} copied`);
  } catch {
    toast(`${what} can't be copied here`, null, true);
  }
}

export function toast(text, hint = null, isError = false) {
  const close = el('button', { type: 'button', 'aria-label': 'Dismiss', class: 'quiet' }, icon('i-close'));
  const box = el('div', { class: isError ? 'toast error' : 'toast' }, el('p', {}, visible(text)));
  if (hint) box.append(el('p', { class: 'hint' }, visible(hint)));
  box.append(close);
  close.addEventListener('click', () => box.remove());
  document.getElementById('toasts').append(box);
  setTimeout(() => box.remove(), isError ? 15000 : 4000);
}

export function ask(title, text, yes) {
  const dialog = document.getElementById('confirm');
  document.getElementById('confirm-title').textContent = title;
  document.getElementById('confirm-text').textContent = text;
  document.getElementById('confirm-yes').textContent = yes;
  dialog.returnValue = 'no';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}
