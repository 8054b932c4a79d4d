// The page of a report or a comparison.
let chosen = data.featured;
const names = data.settings.map((row) => row.name);
const machine = (row) => data.machines[Math.min(row, data.machines.length - 1)];
const cyclesOf = (row) => sum(row.cycles);

const COSTS = {
  energy: { unit: "J", labels: data.energy, of: (row) => row.energy },
  cycles: { unit: "cycles", labels: data.cycles, of: (row) => row.cycles },
  latency: {
    unit: "s", labels: data.cycles,
    of: (row) => row.cycles.map((part) => (part / (cyclesOf(row) || 1)) * row.latency_s),
  },
  footprint: { unit: "B", labels: data.footprint, of: (row) => row.footprint },
  power: { unit: "W", labels: ["power"], of: (row) => [row.power_w] },
};

function overview() {
  const { unit, labels, of } = COSTS[by("overview-quantity").value];
  bars(by("overview"), names, data.settings.map(of), labels, unit, by("overview-share").checked);
}

function tradeOff() {
  const place = by("trade");
  if (!place) return;
  const key = by("trade-quantity").value;
  const { unit, of } = COSTS[key];
  const points = data.settings.map((row, i) => ({
    x: sum(of(row)), y: row.accuracy, name: row.name, chosen: i === chosen, choose: () => choose(i),
    text: `${row.name}: ${quantity(row.accuracy, "%")}, ${quantity(sum(of(row)), unit)}`,
  })).filter((point) => point.y !== null);
  plot(place, {
    points, lines: [{ points: front(points), part: 3 }], label: `Accuracy against ${key}`,
    x: { name: key, logarithmic: true, base: baseOf(unit), text: tick(unit) },
    y: { name: "accuracy", text: (v) => `${(100 * v).toFixed(1)} %` },
  });
}

/** What opens below a layer. */
function facts(number) {
  const layer = data.settings[chosen].layers[number];
  const held = data.held.map((label, part) => [label, layer.held[part]]).filter(([, bytes]) => bytes > 0);
  const waits = layer.stalls.map((stall) => `${stall.memory} ${stall.direction} ${quantity(stall.cycles, "cycles")}`);
  const lines = [
    `${data.layers[number].kind}, ${layer.bits[0]} bits per weight, ${layer.bits[1]} per membrane`,
    `Mapping: ${layer.mapping}`,
    `Operations: ${quantity(layer.operations, "")} of ${quantity(layer.dense, "")}; ${quantity(layer.rates[0], "%")} of the inputs are not zero`,
    `On chip: ${held.map(([label, bytes]) => `${label} ${quantity(bytes, "B")}`).join(", ") || "nothing"}`,
    `Waits: ${waits.join(", ") || "none"}`,
  ];
  const block = element("div", { class: "layer-facts" }, ...lines.map((line) => element("div", {}, line)));
  if (layer.loops) block.append(element("pre", { tabindex: 0 }, layer.loops));
  return block;
}

/** A bar that opens. */
function opening(made, fill) {
  const summary = element("summary", {}, made);
  const details = element("details", { class: "block" }, summary);
  details.addEventListener("toggle", () => {
    if (details.open && !details.querySelector(":scope > div")) details.append(fill());
  });
  return details;
}

function layers() {
  const row = data.settings[chosen];
  const { labels, unit } = COSTS[by("layers-quantity").value];
  const values = (number) => row.layers[number][by("layers-quantity").value];
  const blocks = new Map();
  data.layers.forEach(({ block }, number) => blocks.set(block, [...(blocks.get(block) || []), number]));
  const added = (numbers) => labels.map((_, part) => sum(numbers.map((number) => values(number)[part])));
  const all = [...blocks].map(([name, numbers]) => ({ name, numbers, parts: added(numbers) }));
  const full = Math.max(...all.map(({ parts }) => sum(parts)), 0) || 1;
  const one = (number, within) => opening(
    bar(data.layers[number].name, values(number), labels, unit, within), () => facts(number));
  const made = all.map(({ name, numbers, parts }) => {
    if (numbers.length === 1) return one(numbers[0], full);
    const title = `${name} (${numbers.length} layers)`;
    const most = Math.max(...numbers.map((number) => sum(values(number)))) || 1;
    return opening(bar(title, parts, labels, unit, full), () => element("div", {}, ...numbers.map((n) => one(n, most))));
  });
  by("layers-chart").replaceChildren(legend(labels, all.map(({ parts }) => parts)), ...made);
}

function roofline() {
  const place = by("roofline-chart");
  if (!place) return;
  const { units, memories } = machine(chosen);
  const select = by("roofline-memory");
  const shown = memories.filter((memory) => memory.feeds_units.length);
  const before = select.value;
  select.replaceChildren(...shown.map((memory) => element("option", { value: memory.name }, memory.name)));
  if (shown.some((memory) => memory.name === before)) select.value = before;
  const memory = shown.find((candidate) => candidate.name === select.value);
  const lanes = units.filter((unit) => unit.takes_products && unit.lanes);
  if (!memory || !lanes.length) {
    place.replaceChildren("Its units have no lanes to compare operations with.");
    return;
  }
  const peak = Math.max(...lanes.map((unit) => unit.lanes));
  const bits = (layer) => sum(memory.feeds_units.map((o) => (layer.traffic[`${o}_read`] || 0) + (layer.traffic[`${o}_written`] || 0)));
  const points = data.settings[chosen].layers.map((layer, number) => ({
    x: layer.operations / bits(layer), y: layer.operations / (sum(layer.cycles) || 1), number,
  })).filter((p) => p.x > 0 && Number.isFinite(p.x) && p.y > 0).map((p) => ({
    ...p, part: 3,
    text: `${data.layers[p.number].name}: ${digits(p.x)} operations per bit, ${digits(p.y)} per cycle (${((100 * p.y) / peak).toFixed(1)} % of ${peak})`,
  }));
  const ridge = peak / memory.bits_per_cycle;
  const low = Math.min(ridge / 4, ...points.map((p) => p.x)), high = Math.max(ridge * 4, ...points.map((p) => p.x));
  const roof = [{ x: low, y: low * memory.bits_per_cycle }, { x: ridge, y: peak }, { x: high, y: peak }];
  plot(place, {
    points, lines: [{ points: roof, kind: "ceiling" }], label: `Roofline of ${memory.name}`,
    x: { name: `synaptic operations per bit of ${memory.name} (${memory.bits_per_cycle} bits per cycle)`, logarithmic: true, text: short },
    y: { name: `operations per cycle (${peak} lanes)`, logarithmic: true, text: short },
  });
}

function occupancy() {
  const place = by("occupancy");
  if (!place) return;
  const { memories, layers: all } = data.settings[chosen];
  const starts = [0];
  all.forEach((layer) => starts.push(starts[starts.length - 1] + sum(layer.cycles)));
  const lines = memories.filter((memory) => memory.held_bytes.length === all.length).map((memory, part) => ({
    memory: part, part: LINES[part % 12], points: memory.held_bytes.flatMap((bytes, i) => [starts[i], starts[i + 1]].map((x) => ({ x, y: bytes / memory.capacity_bytes }))),
  }));
  if (!lines.length) {
    place.replaceChildren("This file does not say what memories hold over time.");
    return;
  }
  const points = lines.flatMap(({ memory, part, points: line }) => line.filter((_, i) => i % 2 === 0).map((p, i) => ({
    ...p, part, small: true,
    text: `${memories[memory].name}: ${quantity(memories[memory].held_bytes[i], "B")} while ${data.layers[i].name} runs`,
  })));
  plot(place, {
    points, lines, label: "What memories hold over time", height: 300,
    x: { name: "cycles", zero: true, text: (v) => (v >= 1e6 ? `${short(v / 1e6)} M` : v >= 1e3 ? `${short(v / 1e3)} k` : short(v)) },
    y: { name: "share of the capacity", zero: true, text: (v) => `${Math.round(100 * v)} %` },
  });
  place.prepend(lineLegend(memories.map((memory) => memory.name)));
}

/** Shows row number `row` wherever one is shown. */
function choose(row) {
  chosen = row;
  document.querySelectorAll("select.choose-row").forEach((select) => (select.value = row));
  document.querySelectorAll("#rows tbody tr").forEach((line) =>
    line.classList.toggle("chosen", line.cells[0].textContent === names[row]));
  [tradeOff, layers, roofline, occupancy].forEach((draw) => draw());
}

/** Leaves the rows of tables that hold what is looked for. */
function filtering() {
  const wanted = by("constants-filter").value.toLowerCase();
  document.querySelectorAll("#constants tbody tr").forEach((line) =>
    (line.hidden = !line.textContent.toLowerCase().includes(wanted)));
}

if (data.settings.length) {
  document.querySelectorAll("select.choose-row").forEach((select) => {
    select.append(...names.map((name, row) => element("option", { value: row }, name)));
    select.addEventListener("change", () => choose(Number(select.value)));
  });
  by("overview-quantity").addEventListener("change", overview);
  by("overview-share").addEventListener("change", overview);
  by("trade-quantity")?.addEventListener("change", tradeOff);
  by("layers-quantity").addEventListener("change", layers);
  by("layers-open").addEventListener("click", () =>
    document.querySelectorAll("#layers-chart > details").forEach((block) => (block.open = true)));
  by("roofline-memory")?.addEventListener("change", roofline);
  by("constants-filter")?.addEventListener("input", filtering);
  overview();
  choose(chosen);
  redrawn(() => choose(chosen));
}
