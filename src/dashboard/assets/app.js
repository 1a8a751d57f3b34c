// The page: listens for changes and puts them where they are shown.

import { act, listen, onBusy, post } from './api.js';
import { ask, count, el, stateOf, toast, visible } from './dom.js';
import { Detail } from './detail.js';
import { List, announced, countRunning } from './list.js';
import { openServer } from './open.js';
import { openLink } from './row.js';

const opened = location.pathname.match(/^\/open\/([0-9a-f]{16})$/);
// A link that was used by somebody who is in already.
if (location.hash.startsWith('#open=')) history.replaceState(null, '', location.pathname);
if (opened) openServer(opened[1]);
else showAll();

function showAll() {
  let detail = null;
  const select = (id) => {
    if (detail?.server.id === id) return close();
    detail?.close();
    detail = new Detail(list.server(id), close);
    list.mark(id);
    document.body.classList.add('with-detail');
    history.replaceState(null, '', `#${id}`);
    detail.title.focus({ preventScroll: true });
  };
  const close = () => {
    if (!detail) return;
    const { id } = detail.server;
    detail.close();
    detail = null;
    list.mark(null);
    document.body.classList.remove('with-detail');
    history.replaceState(null, '', location.pathname);
    document.querySelector(`[data-id="${id}"] .name`)?.focus({ preventScroll: true });
  };
  const list = new List(select);
  const arrange = later(() => {
    list.arrange();
    tellTitle(list);
  });

  listen({
    found: () => tellLost(null),
    lost: () => tellLost('The connection to the dashboard is lost. It is tried again; if the dashboard has ended, start it with “devrun dashboard”.'),
    events: {
      snapshot: ({ servers, problems }) => {
        list.replace(servers);
        tellProblems(problems);
        tellTitle(list);
        if (detail) list.server(detail.server.id) ? detail.update(list.server(detail.server.id)) : close();
        else if (list.server(location.hash.slice(1))) select(location.hash.slice(1));
        document.documentElement.dataset.live = 'true';
      },
      server: (server) => {
        const before = list.server(server.id);
        list.put(server);
        if (detail?.server.id === server.id) detail.update(server);
        if (before && stateOf(before) !== stateOf(server)) announce(announced(server));
        arrange();
      },
      gone: ({ id }) => {
        if (detail?.server.id === id) close();
        list.remove(id);
        arrange();
      },
      problems: tellProblems,
      usage: (costs) => {
        list.cost(costs);
        detail?.cost();
      },
    },
  });
  onBusy.push((id) => {
    list.wait(id);
    if (detail?.server.id === id) detail.wait();
  });
  setInterval(() => {
    if (document.hidden) return;
    list.tick(Date.now());
    detail?.tick(Date.now());
  }, 1000);
  forAll(list);
  keys(list, select, close, () => detail?.server ?? null);
}

function forAll(list) {
  document.getElementById('stop-all').addEventListener('click', async () => {
    const { running } = list.summary();
    const names = running.slice(0, 6).map((server) => visible(server.name)).join(', ');
    const more = running.length > 6 ? ` and ${running.length - 6} more` : '';
    if (!(await ask(`Stop ${countRunning(running.length)}?`, `${names}${more}`, 'Stop all'))) return;
    await report('/api/stop', (done) => `Stopped ${countRunning(done.stopped.length)}`);
  });
  document.getElementById('clean').addEventListener('click', () =>
    report('/api/clean', ({ ended_pids, forgotten }) => {
      const parts = [];
      if (ended_pids.length) parts.push(`ended ${count(ended_pids.length, 'process', 'processes')} that a crash had left`);
      if (forgotten.length) parts.push(`forgot ${forgotten.map(visible).join(', ')}`);
      return parts.length ? `Clean: ${parts.join('; ')}` : 'There is nothing to clean up';
    }));
}

async function report(path, tell) {
  try {
    const done = await post(path);
    toast(tell(done));
    done.failed.forEach((failure) => toast(failure, null, true));
  } catch (problem) {
    toast(problem.message, problem.hint, true);
  }
}

function keys(list, select, close, current) {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
    if (event.key === 'Escape') {
      if (event.target.matches('#search') && event.target.value) {
        event.target.value = '';
        return list.arrange();
      }
      return event.target.matches('input') ? event.target.blur() : close();
    }
    if (event.target.matches('#search') && ['ArrowDown', 'Enter'].includes(event.key)) {
      event.preventDefault();
      return list.step(1);
    }
    if (event.target.matches('input, select, textarea')) return;
    const server = list.focused() ?? current();
    const does = {
      '/': () => document.getElementById('search').focus(),
      '?': () => document.getElementById('help').showModal(),
      ArrowDown: () => list.step(1),
      ArrowUp: () => list.step(-1),
      j: () => list.step(1),
      k: () => list.step(-1),
      o: () => server && window.open(openLink(server), '_blank', 'noopener'),
      s: () => server && act(server, server.running ? 'stop' : 'start'),
      r: () => server?.running && act(server, 'restart'),
    }[event.key];
    if (!does || (event.key.startsWith('Arrow') && event.target.closest('#detail'))) return;
    event.preventDefault();
    does();
  });
}

function tellTitle(list) {
  const { running, trouble } = list.summary();
  document.getElementById('stop-all').disabled = running.length === 0;
  document.title = trouble.length ? `${trouble.length} in trouble – devrun` : running.length ? `${running.length} running – devrun` : 'devrun';
}

function tellLost(text) {
  const lost = document.getElementById('lost');
  lost.hidden = text === null;
  if (text) lost.textContent = text;
}

function tellProblems(problems) {
  const box = document.getElementById('problems');
  box.hidden = problems.length === 0;
  box.replaceChildren(...problems.map((text) => el('p', {}, visible(text))));
}

function announce(text) {
  document.getElementById('announce').textContent = text;
}

// Many changes at once are one new order.
function later(work) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    setTimeout(() => {
      asked = false;
      work();
    }, 16);
  };
}
