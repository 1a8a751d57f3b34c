// Small charts of what a tree costs: a line over the last two minutes.

const points = 60;
const histories = new Map();

export function note(costs) {
  for (const [id, cost] of Object.entries(costs)) {
    const history = histories.get(id) ?? [];
    history.push({ cpu: cost.cpu_percent, memory: cost.memory_bytes, processes: cost.processes });
    if (history.length > points) history.shift();
    histories.set(id, history);
  }
  for (const id of histories.keys()) if (!(id in costs)) histories.delete(id);
}

export const latest = (id) => histories.get(id)?.at(-1) ?? null;

const svg = (tag, attributes) => {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
};

export function chart(kind) {
  const element = svg('svg', { class: `chart ${kind}`, viewBox: `0 0 ${points - 1} 20`, preserveAspectRatio: 'none', 'aria-hidden': 'true' });
  element.append(svg('path', { class: 'area' }), svg('path', { class: 'line' }));
  return element;
}

// The scale begins at zero and has a least height, so that an idle server is a flat line and no mountain range.
export function draw(element, id, key, least) {
  const values = (histories.get(id) ?? []).map((entry) => entry[key]);
  const [area, line] = element.children;
  if (values.length < 2) {
    if (line.hasAttribute('d')) [area, line].forEach((path) => path.removeAttribute('d'));
    return;
  }
  const top = Math.max(least, ...values) * 1.1;
  const start = points - values.length;
  const at = values.map((value, index) => `${start + index} ${(19.5 - (value / top) * 19).toFixed(2)}`);
  line.setAttribute('d', `M${at.join('L')}`);
  area.setAttribute('d', `M${start} 20L${at.join('L')}L${points - 1} 20Z`);
}
