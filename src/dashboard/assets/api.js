// The dashboard's own API: requests, actions, and the stream of changes.

import { toast, visible } from './dom.js';

export class Problem extends Error {
  constructor(detail, hint = null, status = 0) {
    super(detail);
    this.hint = hint;
    this.status = status;
  }
}

async function request(method, path) {
  let answer;
  try {
    answer = await fetch(path, { method, headers: { accept: 'application/json' } });
  } catch {
    throw new Problem('The dashboard does not answer', 'devrun dashboard');
  }
  if (answer.status === 204) return null;
  const body = await answer.json().catch(() => null);
  if (answer.ok) return body;
  throw new Problem(body?.detail ?? `The dashboard answers with ${answer.status}`, body?.hint, answer.status);
}

export const get = (path) => request('GET', path);
export const post = (path) => request('POST', path);

// The action under way, by server: its buttons wait. Only a stop does not wait for a start that may take minutes.
const busy = new Map();
export const isBusy = (id) => busy.has(id);
export const busyWith = (id) => busy.get(id);
export const mayStop = (id) => [undefined, 'start', 'restart'].includes(busy.get(id));
export const onBusy = [];

export async function act(server, action) {
  const may = action === 'stop' ? mayStop(server.id) : !isBusy(server.id);
  if (!may) return null;
  busy.set(server.id, action);
  onBusy.forEach((tell) => tell(server.id));
  try {
    const now = await post(`/api/servers/${server.id}/${action}`);
    if (action === 'forget') toast(`Forgot ${visible(server.name)}`);
    return now;
  } catch (problem) {
    // A start that was stopped meanwhile has failed as it was to.
    if (busy.get(server.id) === action) toast(problem.message, problem.hint, true);
    return null;
  } finally {
    if (busy.get(server.id) === action) busy.delete(server.id);
    onBusy.forEach((tell) => tell(server.id));
  }
}

// Between two looks of a page that nobody sees, and how long each takes at least, in ms.
const unseen = 10_000;
const look = 1000;

// Listens for changes. What trees cost is asked for only while the page is seen. A browser has six connections for all
// tabs together, and a stream keeps one: a page that nobody sees only looks now and then, for its title.
export function listen(handlers) {
  let source = null;
  let next = null;
  let last = '';
  const open = () => {
    source?.close();
    clearTimeout(next);
    const query = new URLSearchParams({ usage: document.hidden ? '0' : '1' });
    if (last) query.set('last', last);
    source = new EventSource(`/api/events?${query}`);
    for (const [name, handle] of Object.entries(handlers.events)) {
      source.addEventListener(name, (event) => {
        if (event.lastEventId) last = event.lastEventId;
        handle(JSON.parse(event.data));
      });
    }
    source.onopen = () => {
      handlers.found();
      if (document.hidden) next = setTimeout(rest, look);
    };
    source.onerror = () => {
      handlers.lost();
      // A refusal ends the stream for good: perhaps this browser is not let in any more.
      if (source.readyState === EventSource.CLOSED) setTimeout(retry, 1000);
    };
  };
  const rest = () => {
    source.close();
    next = setTimeout(open, unseen);
  };
  const retry = async () => {
    try {
      await get('/api/session');
      open();
    } catch (problem) {
      if (problem.status === 403) location.reload();
      else setTimeout(retry, 2000);
    }
  };
  document.addEventListener('visibilitychange', open);
  open();
}
