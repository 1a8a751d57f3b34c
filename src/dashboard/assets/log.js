// The output of one server: its end, then what is added; or what of it fits a search.

import { get } from './api.js';
import { count, el, setText } from './dom.js';

const most = 5000;
const shown = 1000;

export class LogView {
  constructor(server, name) {
    this.id = server.id;
    this.lines = el('div', { class: 'lines', role: 'log', 'aria-live': 'off', tabindex: '0', 'aria-label': `Output of ${name}` });
    this.partial = el('div', { class: 'entry partial' });
    this.search = el('input', { type: 'search', placeholder: 'Search output', 'aria-label': `Search the output of ${name}`, spellcheck: 'false', autocomplete: 'off' });
    this.status = el('span', { class: 'found', role: 'status' });
    this.follow = el('button', { type: 'button', class: 'chip', 'aria-pressed': 'true', title: 'Stay at the end' }, 'Follow');
    this.element = el('section', { class: 'log', 'aria-label': 'Output' },
      el('div', { class: 'tools' }, el('h3', {}, 'Output'), this.search, this.status, this.follow),
      this.lines);
    this.search.addEventListener('input', () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.show(), 150);
    });
    this.follow.addEventListener('click', () => this.setFollow(!this.following()));
    this.seen = () => this.turned();
    document.addEventListener('visibilitychange', this.seen);
    this.top = 0;
    this.lines.addEventListener('scroll', () => this.moved());
    this.show();
  }

  wanted() {
    return this.search.value.trim() ? this.search.value : '';
  }

  following() {
    return this.follow.getAttribute('aria-pressed') === 'true';
  }

  // Whoever scrolls up reads; whoever is back at the end follows. A line may come before the browser tells of the
  // scrolling, so this is asked before each.
  moved() {
    const { scrollTop, scrollHeight, clientHeight } = this.lines;
    const below = scrollHeight - scrollTop - clientHeight;
    if (scrollTop < this.top && below > 1) this.setFollow(false);
    else if (scrollTop > this.top && below < 24) this.setFollow(true, false);
    this.top = scrollTop;
  }

  setFollow(on, scroll = true) {
    this.follow.setAttribute('aria-pressed', String(on));
    if (on && scroll) this.toEnd();
  }

  toEnd() {
    this.lines.scrollTop = this.lines.scrollHeight;
    this.top = this.lines.scrollTop;
  }

  close() {
    clearTimeout(this.timer);
    document.removeEventListener('visibilitychange', this.seen);
    this.source?.close();
    this.closed = true;
  }

  show() {
    this.source?.close();
    this.source = null;
    const wanted = this.wanted();
    this.follow.disabled = wanted !== '';
    if (wanted) this.find(wanted);
    else this.stream();
  }

  // A stream keeps one of the browser's few connections: none for what nobody sees. It begins anew with the end, which
  // would move what somebody was reading further up.
  turned() {
    if (this.wanted()) return;
    if (document.hidden && this.following()) {
      this.source?.close();
      this.source = null;
    } else if (!document.hidden && !this.source) this.stream();
  }

  stream() {
    setText(this.status, '');
    if (document.hidden) return;
    this.source = new EventSource(`/api/servers/${this.id}/logs?follow=1&tail=${shown}`);
    this.source.addEventListener('tail', (event) => this.fill(JSON.parse(event.data)));
    this.source.addEventListener('lines', (event) => this.add(JSON.parse(event.data)));
  }

  async find(wanted) {
    try {
      const found = await get(`/api/servers/${this.id}/logs?tail=${shown}&search=${encodeURIComponent(wanted)}`);
      if (this.closed || this.wanted() !== wanted) return;
      setText(this.status, found.more ? `the last ${found.lines.length} lines` : count(found.lines.length, 'line'));
      this.lines.replaceChildren(...found.lines.map((line) => entry(line, wanted)));
      if (found.lines.length === 0) this.say('Nothing in the output fits.');
      this.toEnd();
    } catch (problem) {
      setText(this.status, problem.message);
    }
  }

  fill(part) {
    this.lines.replaceChildren(...part.lines.map((line) => entry(line)), this.partial);
    setText(this.partial, part.partial);
    if (!part.exists) this.say('Its output went to a terminal and was not kept. Start it with --log to read it here, too.');
    else if (part.lines.length === 0 && !part.partial) this.say('Nothing has been written yet.');
    if (this.following()) this.toEnd();
  }

  add(part) {
    this.moved();
    this.lines.querySelector('.nothing')?.remove();
    for (const line of part.lines) this.partial.before(entry(line));
    setText(this.partial, part.partial);
    while (this.lines.childElementCount > most) this.lines.firstChild.remove();
    if (this.following()) this.toEnd();
  }

  say(text) {
    this.lines.append(el('p', { class: 'nothing' }, text));
  }
}

function entry(line, wanted = '') {
  const element = el('div', { class: 'entry' });
  if (!wanted) {
    element.textContent = line || '\u200b';
    return element;
  }
  const low = line.toLowerCase();
  const low_wanted = wanted.toLowerCase();
  let at = 0;
  // Where lower case has another length, places can't be told.
  for (let next = low.length === line.length ? low.indexOf(low_wanted) : -1; next >= 0; next = low.indexOf(low_wanted, at)) {
    element.append(line.slice(at, next), el('mark', {}, line.slice(next, next + wanted.length)));
    at = next + wanted.length;
  }
  element.append(line.slice(at));
  return element;
}
