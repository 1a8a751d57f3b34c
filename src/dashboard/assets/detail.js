// One server in full: what is known of it, what can be done, its output.

import { act, isBusy } from './api.js';
import { chart, draw, latest } from './chart.js';
import {
  addressOf, ask, bytes, comparedStart, copy, count, drawIcon, el, howItEnded, icon, percent, setAttribute, setText, stateOf, took, visible,
} from './dom.js';
import { LogView } from './log.js';
import { actionButtons, told, why } from './row.js';

export class Detail {
  constructor(server, close) {
    this.server = server;
    this.root = document.getElementById('detail');
    const name = visible(server.name);
    this.log = new LogView(server, name);
    this.mark = icon('s-stopped', 'mark');
    this.state = el('span', { class: 'word' });
    this.told = el('span', { class: 'told' });
    this.why = el('p', { class: 'why' });
    this.link = el('a', { class: 'address', target: '_blank', rel: 'noopener noreferrer' });
    this.title = el('h2', { id: 'detail-title', tabindex: '-1' }, name);
    this.actions = actionButtons(() => this.server);
    this.actions.open.classList.add('primary');
    this.forget = el('button', { type: 'button', class: 'danger' }, 'Forget');
    this.forget.addEventListener('click', () => this.askForget());
    this.facts = el('dl', { class: 'facts' });
    this.cpu = meter('CPU', 'cpu');
    this.memory = meter('Memory', 'memory');
    this.starts = el('div', { class: 'meter starts' });
    const shut = el('button', { type: 'button', class: 'quiet', 'aria-label': 'Close', title: 'Close (Esc)' }, icon('i-close'));
    shut.addEventListener('click', close);
    this.root.setAttribute('aria-labelledby', 'detail-title');
    this.root.replaceChildren(
      el('header', { class: 'head' },
        el('div', { class: 'line' }, this.mark, this.title, shut),
        el('div', { class: 'line under' }, this.state, this.told, this.link),
        this.why,
        el('div', { class: 'do' }, this.actions.open, this.actions.toggle, this.actions.restart, this.forget)),
      el('div', { class: 'meters' }, this.cpu.element, this.memory.element, this.starts),
      this.facts,
      this.log.element,
    );
    this.root.hidden = false;
    this.update(server);
  }

  update(server) {
    this.server = server;
    const state = stateOf(server);
    this.root.dataset.state = state;
    drawIcon(this.mark, `s-${state}`);
    setText(this.state, state);
    setText(this.why, visible(why(server) ?? ''));
    const address = addressOf(server);
    setText(this.link, address ? visible(address) : '');
    setAttribute(this.link, 'href', server.running ? address : null);
    this.fill();
    this.drawStarts();
    this.wait();
    this.cost();
    this.tick(Date.now());
  }

  fill() {
    const { server } = this;
    const ports = Object.entries(server.extra_ports).map(([name, port]) => `${visible(name)} ${port}`);
    const command = visible(server.argv.join(' '));
    const rows = [
      ['Command', command, command],
      ['Folder', visible(server.cwd), server.cwd],
      ['Branch', server.branch && visible(server.branch)],
      ['Port', [server.port, ...ports].join(', ')],
      ['Processes', server.running && server.pid ? `${server.pid} (devrun ${server.devrun_pid})` : null],
      ['Restarts', server.restarts > 0 ? String(server.restarts) : null],
      ['Ended', server.running ? null : howItEnded(server.exit)],
      ['Runs', server.running ? (server.detached ? 'in the background' : 'in the foreground') : null],
      ['Id', server.id],
    ].filter(([, text]) => text);
    const key = JSON.stringify(rows);
    if (key === this.filled) return;
    this.filled = key;
    this.facts.replaceChildren(...rows.map(([label, text, copied]) =>
      el('div', { class: copied && 'long' }, el('dt', {}, label), el('dd', {}, el('bdi', {}, text), copied ? copier(copied, label) : null))));
  }

  drawStarts() {
    const { server } = this;
    const starts = server.startups_ms.slice(-12);
    this.starts.hidden = server.ready_ms === null;
    if (this.starts.hidden) return;
    const top = Math.max(...starts, 1);
    const bars = starts.map((ms, index) => {
      const bar = el('span', { class: index === starts.length - 1 ? 'bar last' : 'bar', title: took(ms) });
      bar.style.height = `${Math.max(6, (ms / top) * 100)}%`;
      return bar;
    });
    const compared = comparedStart(server);
    const note = compared
      ? Math.abs(compared.change) < 10 ? `as usual, of ${count(starts.length, 'start')}` : `usually ${took(compared.usual)}`
      : starts.length < 2 ? 'the first one' : null;
    this.starts.replaceChildren(
      el('div', { class: 'label' }, 'Start-up', el('strong', {}, took(server.ready_ms))),
      el('div', { class: 'bars', role: 'img', 'aria-label': `The last starts took ${starts.map(took).join(', ')}`, hidden: starts.length < 2 }, ...bars),
      el('div', { class: 'note' }, note ?? ''));
  }

  cost() {
    const cost = this.server.running ? latest(this.server.id) : null;
    for (const [meter, key, least, text] of [
      [this.cpu, 'cpu', 20, cost && percent(cost.cpu)],
      [this.memory, 'memory', 64 * 1048576, cost && bytes(cost.memory)],
    ]) {
      meter.element.hidden = !cost;
      if (!cost) continue;
      setText(meter.value, text);
      draw(meter.chart, this.server.id, key, least);
    }
    if (cost) setText(this.memory.note, count(cost.processes, 'process', 'processes'));
  }

  tick(now) {
    setText(this.told, told(this.server, now));
  }

  wait() {
    this.actions.update();
    this.forget.hidden = this.server.running;
    this.forget.disabled = isBusy(this.server.id);
  }

  async askForget() {
    const name = visible(this.server.name);
    if (await ask(`Forget ${name}?`, 'Its record and its log are deleted, and its port is nobody’s. The project stays as it is.', 'Forget')) {
      await act(this.server, 'forget');
    }
  }

  close() {
    this.log.close();
    this.root.hidden = true;
    this.root.replaceChildren();
  }
}

function meter(label, key) {
  const value = el('strong');
  const line = chart(key);
  const note = el('div', { class: 'note' });
  return { element: el('div', { class: 'meter' }, el('div', { class: 'label' }, label, value), line, note), value, chart: line, note };
}

function copier(text, what) {
  const button = el('button', { type: 'button', class: 'quiet', 'aria-label': `Copy ${what.toLowerCase()}`, title: 'Copy' }, icon('i-copy'));
  button.addEventListener('click', () => copy(text, what));
  return button;
}
