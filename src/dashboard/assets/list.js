// All servers: grouped, filtered, sorted. Rows are moved and never made anew.

import { isBusy } from './api.js';
import { latest, note } from './chart.js';
import { count, el, folderName, icon, isTrouble, setText, stateOf, visible } from './dom.js';
import { Row } from './row.js';

const kinds = [
  ['all', 'All', () => true],
  ['running', 'Running', (server) => server.running],
  ['trouble', 'In trouble', isTrouble],
];

const byName = (a, b) => a.server.name.localeCompare(b.server.name) || a.server.id.localeCompare(b.server.id);
const runningFirst = (a, b) => Number(b.server.running) - Number(a.server.running);
const costing = (key) => (a, b) => (latest(b.server.id)?.[key] ?? -1) - (latest(a.server.id)?.[key] ?? -1) || byName(a, b);
const orders = {
  project: (a, b) => runningFirst(a, b) || byName(a, b),
  name: byName,
  recent: (a, b) => b.server.changed_at_ms - a.server.changed_at_ms || byName(a, b),
  cpu: costing('cpu'),
  memory: costing('memory'),
};

export class List {
  constructor(select) {
    this.root = document.getElementById('list');
    this.search = document.getElementById('search');
    this.sort = document.getElementById('sort');
    this.select = select;
    this.rows = new Map();
    this.groups = new Map();
    this.kind = recall('kind', kinds.map(([kind]) => kind)) ?? 'all';
    this.sort.value = recall('sort', Object.keys(orders)) ?? 'project';
    this.chips = new Map();
    for (const [kind, word] of kinds) {
      const chip = el('button', { type: 'button', class: 'chip', 'data-kind': kind }, `${word} `, el('span', { class: 'number' }));
      chip.addEventListener('click', () => {
        this.kind = kind;
        keep('kind', kind);
        this.arrange();
      });
      this.chips.set(kind, chip);
      document.getElementById('filters').append(chip);
    }
    this.search.addEventListener('input', () => this.arrange());
    this.sort.addEventListener('change', () => {
      keep('sort', this.sort.value);
      this.arrange();
    });
  }

  server(id) {
    return this.rows.get(id)?.server ?? null;
  }

  replace(servers) {
    const there = new Set(servers.map((server) => server.id));
    for (const id of this.rows.keys()) if (!there.has(id)) this.rows.delete(id);
    for (const server of servers) this.put(server);
    this.root.setAttribute('aria-busy', 'false');
    this.arrange();
  }

  put(server) {
    const row = this.rows.get(server.id);
    if (row) row.update(server);
    else this.rows.set(server.id, new Row(server, this.select));
  }

  remove(id) {
    this.rows.delete(id);
  }

  cost(costs) {
    note(costs);
    for (const row of this.rows.values()) row.cost();
    if (this.sort.value === 'cpu' || this.sort.value === 'memory') this.arrange();
  }

  tick(now) {
    for (const row of this.rows.values()) row.tick(now);
  }

  wait(id) {
    this.rows.get(id)?.wait();
  }

  mark(id) {
    for (const row of this.rows.values()) row.element.classList.toggle('selected', row.server.id === id);
  }

  // Puts every row where it belongs.
  arrange() {
    const all = [...this.rows.values()];
    for (const [kind, , belongs] of kinds) {
      const chip = this.chips.get(kind);
      const number = all.filter((row) => belongs(row.server)).length;
      setText(chip.lastChild, String(number));
      chip.setAttribute('aria-pressed', String(kind === this.kind));
      chip.toggleAttribute('data-none', number === 0);
    }
    const belongs = kinds.find(([kind]) => kind === this.kind)[2];
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = all.filter((row) => belongs(row.server) && row.fits(words)).sort(orders[this.sort.value]);
    const focused = document.activeElement;
    this.place(this.sort.value === 'project' ? grouped(shown) : [['', shown]]);
    this.tellEmpty(all.length, shown.length);
    // Moving an element takes the focus from it.
    if (focused && focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
  }

  place(groups) {
    const wanted = groups.filter(([, rows]) => rows.length > 0);
    for (const [key, group] of this.groups) {
      if (!wanted.some(([folder]) => folder === key)) {
        group.section.remove();
        this.groups.delete(key);
      }
    }
    let before = null;
    for (const [folder, rows] of wanted) {
      const group = this.groups.get(folder) ?? this.group(folder, rows[0].server);
      inOrder(group.list, rows.map((row) => row.element));
      // Servers of one folder are on one branch, unless one was started on another.
      const branch = folder ? ((rows.find((row) => row.server.running) ?? rows[0]).server.branch ?? '') : '';
      if (group.branch) {
        group.branch.hidden = !branch;
        setText(group.branch.lastChild, visible(branch));
      }
      for (const row of rows) row.element.classList.toggle('branch-known', folder !== '' && row.server.branch === branch);
      const expected = before ? before.nextElementSibling : this.root.firstElementChild;
      if (expected !== group.section) this.root.insertBefore(group.section, expected);
      before = group.section;
    }
  }

  group(folder, server) {
    const list = el('ul', { class: 'rows', 'aria-label': folder ? folderName(server) : 'All servers' });
    const branch = folder ? el('span', { class: 'branch' }, icon('i-branch'), el('span')) : null;
    const head = folder
      ? el('header', { class: 'group' }, el('h2', {}, folderName(server)), branch, el('span', { class: 'path', title: visible(folder) }, el('bdi', {}, visible(folder))))
      : null;
    const group = { section: el('section', {}, head, list), list, branch };
    this.groups.set(folder, group);
    return group;
  }

  tellEmpty(all, shown) {
    this.root.querySelector('.empty')?.remove();
    if (shown > 0) return;
    if (all === 0) {
      this.root.append(
        el('div', { class: 'empty' },
          el('h2', {}, 'No server yet'),
          el('p', {}, 'Start one in a project’s folder. It shows up here by itself.'),
          el('pre', { class: 'command' }, el('code', {}, 'devrun npm run dev'))),
      );
      return;
    }
    const clear = el('button', { type: 'button' }, 'Show all');
    clear.addEventListener('click', () => {
      this.search.value = '';
      this.kind = 'all';
      keep('kind', 'all');
      this.arrange();
      this.search.focus();
    });
    const what = this.search.value ? `No server fits “${visible(this.search.value)}”` : this.kind === 'trouble' ? 'No server is in trouble' : 'No server is running';
    this.root.append(el('div', { class: 'empty' }, el('h2', {}, what), clear));
  }

  summary() {
    const servers = [...this.rows.values()].map((row) => row.server);
    return { running: servers.filter((server) => server.running), trouble: servers.filter(isTrouble) };
  }

  // The row with the focus, or the one after or before it.
  focused() {
    return this.rows.get(document.activeElement?.closest?.('.row')?.dataset.id)?.server ?? null;
  }

  step(by) {
    const names = [...this.root.querySelectorAll('.name')];
    if (names.length === 0) return;
    const at = names.indexOf(document.activeElement?.closest?.('.row')?.querySelector('.name'));
    const next = at < 0 ? (by > 0 ? 0 : names.length - 1) : Math.min(names.length - 1, Math.max(0, at + by));
    names[next].focus();
    names[next].closest('.row').scrollIntoView({ block: 'nearest' });
  }
}

// Groups by folder; those with something that runs come first.
function grouped(rows) {
  const groups = Map.groupBy ? Map.groupBy(rows, (row) => row.server.cwd) : byFolder(rows);
  const runs = (list) => list.some((row) => row.server.running || isBusy(row.server.id));
  return [...groups].sort(([a, one], [b, other]) => Number(runs(other)) - Number(runs(one)) || a.localeCompare(b));
}

function byFolder(rows) {
  const groups = new Map();
  for (const row of rows) groups.set(row.server.cwd, [...(groups.get(row.server.cwd) ?? []), row]);
  return groups;
}

function inOrder(parent, elements) {
  const wanted = new Set(elements);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  elements.forEach((element, index) => {
    if (parent.children[index] !== element) parent.insertBefore(element, parent.children[index] ?? null);
  });
}

function recall(key, known) {
  try {
    const value = localStorage.getItem(`devrun.${key}`);
    return known.includes(value) ? value : null;
  } catch {
    return null;
  }
}

function keep(key, value) {
  try {
    localStorage.setItem(`devrun.${key}`, value);
  } catch {
    // A browser that keeps nothing forgets the order of the list.
  }
}

export const countRunning = (number) => count(number, 'server');
export const announced = (server) => `${visible(server.name)} is ${stateOf(server)}`;
