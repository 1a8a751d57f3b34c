// One server in the list. Made once, then only what changed is touched.

import { act, busyWith, isBusy, mayStop } from './api.js';
import { chart, draw, latest } from './chart.js';
import {
  addressOf, bytes, comparedStart, drawIcon, el, howItEnded, icon, percent, setAttribute, setText, span, stateOf, took, visible,
} from './dom.js';

const waiting = { start: 'starting', stop: 'stopping', restart: 'restarting', forget: 'forgetting' };

// Where "open" leads: to the server, or to a page that starts it first.
export const openLink = (server) =>
  (stateOf(server) === 'ready' || stateOf(server) === 'unhealthy') && addressOf(server)
    ? addressOf(server)
    : `/open/${server.id}`;

export function actionButtons(getServer) {
  const open = el('a', { class: 'button open', target: '_blank', rel: 'noopener noreferrer' }, icon('i-open'), el('span', {}, 'Open'));
  const toggle = el('button', { type: 'button', class: 'toggle' });
  const restart = el('button', { type: 'button', class: 'restart', title: 'Restart' }, icon('i-restart'), el('span', { class: 'unseen' }, 'Restart'));
  toggle.addEventListener('click', () => act(getServer(), getServer().running ? 'stop' : 'start'));
  restart.addEventListener('click', () => act(getServer(), 'restart'));
  const update = () => {
    const server = getServer();
    const name = visible(server.name);
    const busy = isBusy(server.id);
    const word = server.running ? 'Stop' : 'Start';
    if (toggle.dataset.word !== word) {
      toggle.dataset.word = word;
      toggle.title = word;
      toggle.replaceChildren(icon(server.running ? 'i-stop' : 'i-start'), el('span', { class: 'unseen' }, word));
    }
    setAttribute(toggle, 'aria-label', `${word} ${name}`);
    setAttribute(restart, 'aria-label', `Restart ${name}`);
    setAttribute(open, 'aria-label', server.running ? `Open ${name}` : `Start and open ${name}`);
    setAttribute(open, 'title', server.running ? addressOf(server) : 'Start it, then open it');
    setAttribute(open, 'href', openLink(server));
    const cannot = !server.running && (server.redacted || !server.folder_exists);
    setAttribute(open, 'aria-disabled', cannot);
    open.tabIndex = cannot ? -1 : 0;
    toggle.disabled = (server.running ? !mayStop(server.id) : busy) || cannot || server.state === 'stopping';
    restart.disabled = busy || !server.running || server.redacted || server.state === 'stopping';
    setAttribute(restart, 'data-hidden', !server.running);
  };
  return { open, toggle, restart, update };
}

// What stands behind the state: how long, or why.
export function told(server, now) {
  const state = stateOf(server);
  const since = span(now - server.changed_at_ms);
  switch (state) {
    case 'ready':
      return `for ${span(now - server.started_at_ms)}`;
    case 'starting':
    case 'stopping':
    case 'unhealthy':
      return `for ${since}`;
    case 'backoff':
      return server.next_start_at_ms ? `again in ${span(server.next_start_at_ms - now + 999)}` : 'starts again';
    default:
      return `${since} ago`;
  }
}

export const why = (server) => {
  const ended = stateOf(server) === 'crashed' ? howItEnded(server.exit) : null;
  const reason = ['ready', 'starting', 'stopped'].includes(stateOf(server)) ? null : server.reason;
  if (!server.folder_exists) return 'its folder is gone';
  return reason ?? ended;
};

export class Row {
  constructor(server, select) {
    this.server = server;
    const part = (name, ...children) => el('div', { class: name }, ...children);
    this.mark = icon('s-stopped', 'mark');
    this.name = el('button', { type: 'button', class: 'name', 'aria-haspopup': 'true' });
    this.branch = el('span', { class: 'branch', hidden: true }, icon('i-branch'), el('span'));
    this.command = el('div', { class: 'command-line' });
    this.port = el('a', { class: 'port', target: '_blank', rel: 'noopener noreferrer' });
    this.state = el('span', { class: 'word' });
    this.told = el('span', { class: 'told' });
    this.why = el('div', { class: 'why' });
    this.cpuChart = chart('cpu');
    this.cpu = el('span', { class: 'value' });
    this.memory = el('span', { class: 'value' });
    this.start = el('span', { class: 'value' });
    this.compared = el('span', { class: 'compared' });
    this.actions = actionButtons(() => this.server);
    this.element = el(
      'li',
      { class: 'row', 'data-id': server.id },
      part('who', this.mark, part('names', part('line', this.name, this.branch), this.command)),
      part('where', this.port),
      part('how', part('line', this.state, this.told), this.why),
      part('cost cpu', this.cpuChart, this.cpu),
      part('cost memory', this.memory),
      part('cost start', this.start, this.compared),
      part('do', this.actions.open, this.actions.toggle, this.actions.restart),
    );
    this.name.addEventListener('click', () => select(this.server.id));
    this.element.addEventListener('click', (event) => {
      if (!event.target.closest('a, button') && !getSelection().toString()) select(this.server.id);
    });
    this.update(server);
  }

  update(server) {
    this.server = server;
    const state = stateOf(server);
    this.element.dataset.state = state;
    drawIcon(this.mark, `s-${state}`);
    setText(this.name, visible(server.name));
    this.branch.hidden = !server.branch;
    if (server.branch) setText(this.branch.lastChild, visible(server.branch));
    const command = visible(server.argv.join(' '));
    setText(this.command, command);
    setAttribute(this.command, 'title', command);
    const address = addressOf(server);
    setText(this.port, `:${address ? new URL(address).port || server.port : server.port}`);
    const answers = (state === 'ready' || state === 'unhealthy') && address;
    setAttribute(this.port, 'href', answers ? address : null);
    setAttribute(this.port, 'title', answers ? address : null);
    setText(this.why, visible(why(server) ?? ''));
    setAttribute(this.why, 'title', this.why.textContent || null);
    setText(this.start, server.ready_ms === null ? '' : took(server.ready_ms));
    const compared = server.running ? comparedStart(server) : null;
    const notable = compared && Math.abs(compared.change) >= 10;
    setText(this.compared, notable ? `${compared.change > 0 ? '+' : '−'}${Math.abs(compared.change)}%` : '');
    setAttribute(this.compared, 'data-slower', notable && compared.change > 0);
    setAttribute(this.compared, 'title', notable ? `usually ${took(compared.usual)}` : null);
    this.tick(Date.now());
    this.cost();
    this.wait();
  }

  tick(now) {
    setText(this.told, told(this.server, now));
  }

  wait() {
    const busy = isBusy(this.server.id);
    setText(this.state, busy && !['starting', 'stopping'].includes(this.server.state) ? `${waiting[busyWith(this.server.id)]}…` : stateOf(this.server));
    setAttribute(this.element, 'aria-busy', busy);
    this.actions.update();
  }

  cost() {
    const cost = this.server.running ? latest(this.server.id) : null;
    setText(this.cpu, cost ? percent(cost.cpu) : '');
    setText(this.memory, cost ? bytes(cost.memory) : '');
    draw(this.cpuChart, cost ? this.server.id : '', 'cpu', 20);
  }

  // Whether it is among what is searched for.
  fits(words) {
    const { name, cwd, argv, port, branch } = this.server;
    const text = [name, cwd, ...argv, `:${port}`, branch ?? '', stateOf(this.server)].join(' ').toLowerCase();
    return words.every((word) => text.includes(word));
  }
}
