"use strict";
// What every page draws with. Text enters the page as text alone, never as markup.
const data = JSON.parse(document.getElementById("data").textContent);

const by = (id) => document.getElementById(id);
const sum = (values) => values.reduce((a, b) => a + b, 0);

/** An element with attributes and children, which are elements or texts. */
function element(name, attributes = {}, ...children) {
  const svg = ["svg", "g", "line", "path", "circle", "text", "title"].includes(name);
  const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** `value` with four digits and the prefix of its unit. */
function quantity(value, unit) {
  if (value === null || value === undefined) return "–";
  if (unit === "%" || unit === "points") return `${(100 * value).toFixed(2)} ${unit}`;
  if (unit === "mm²") return `${digits(value)} ${unit}`;
  if (unit === "B") {
    const power = value >= 10485760 ? 2 : value >= 1024 ? 1 : 0;
    return `${digits(value / 1024 ** power)} ${["B", "KiB", "MiB"][power]}`;
  }
  const prefixes = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""], [1e-3, "m"], [1e-6, "µ"], [1e-9, "n"], [1e-12, "p"]];
  const counted = ["", "cycles", "bit", "/s"].includes(unit);
  const fits = ([scale]) => Math.abs(value) >= scale && (!counted || scale >= 1);
  const [scale, prefix] = prefixes.find(fits) || [counted || value === 0 ? 1 : 1e-15, counted || value === 0 ? "" : "f"];
  return `${digits(value / scale)} ${prefix}${unit}`.trim();
}

/** Round values of `unit`, without zeros behind their point. */
const tick = (unit) => (value) =>
  quantity(value, unit).replace(/(\.\d*?)0+(?= |$)/, "$1").replace(/\.(?= |$)/, "");

/** What round values of `unit` are multiples of. */
const baseOf = (unit) => (unit === "B" ? 1024 : 1);

function digits(value) {
  if (value === 0) return "0";
  const behind = Math.min(3, Math.max(0, 3 - Math.floor(Math.log10(Math.abs(value)))));
  return value.toFixed(behind);
}

/** What the pointer or the keyboard is at says `text`. */
function tells(target, text) {
  const tip = by("tip");
  const show = (x, y) => {
    tip.textContent = typeof text === "function" ? text() : text;
    tip.hidden = false;
    tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - tip.offsetWidth - 8))}px`;
    tip.style.top = `${Math.max(4, Math.min(y + 14, innerHeight - tip.offsetHeight - 8))}px`;
  };
  target.addEventListener("pointermove", (event) => show(event.clientX, event.clientY));
  target.addEventListener("pointerleave", () => (tip.hidden = true));
  target.addEventListener("focus", () => {
    const box = target.getBoundingClientRect();
    show(box.left + Math.min(box.width, 240), box.top + box.height / 2);
  });
  target.addEventListener("blur", () => (tip.hidden = true));
}
document.addEventListener("keydown", (event) => event.key === "Escape" && (by("tip").hidden = true));

/** A round value without zeros behind its point. */
const short = (value) => String(Number(value.toPrecision(3)));

// Colours of lines: those that are read on either background first.
const LINES = [0, 10, 8, 9, 3, 2, 7, 5, 6, 4, 1, 11];
const colour = (part) => `var(--p${part % 12})`;

/** Names with their colours. */
function swatches(items) {
  const item = ([name, background]) => {
    const swatch = element("i");
    swatch.style.background = background;
    return element("li", {}, swatch, name);
  };
  return element("ul", { class: "legend" }, ...items.map(item));
}

/** Labels of the parts that have any value in `rows`. */
const legend = (labels, rows) => swatches(labels.map((label, part) => [label, colour(part)])
  .filter((_, part) => rows.some((values) => values[part] > 0)));

/** Names of lines. */
const lineLegend = (names) => swatches(names.map((name, line) => [name, colour(LINES[line % 12])]));

/** Lengths of bars: one that is far longer than all others is cut, so that those can be read. */
function longest(totals) {
  const sorted = [...totals].sort((a, b) => b - a);
  return sorted.length > 2 && sorted[1] > 0 && sorted[0] > 2.5 * sorted[1] ? 1.25 * sorted[1] : sorted[0] || 1;
}

/** One bar: its name, its parts, its total. `full` is the value of the whole width. */
function bar(name, values, labels, unit, full, share) {
  const total = sum(values);
  const cut = !share && total > full;
  const parts = element("div", { class: cut ? "parts cut" : "parts" });
  values.forEach((value, part) => {
    if (value <= 0) return;
    const piece = element("i");
    piece.style.width = `${(100 * value) / (share || cut ? total : full)}%`;
    piece.style.background = colour(part);
    parts.append(piece);
  });
  const text = quantity(total, unit);
  const made = element("div", { class: "bar" }, element("span", { class: "name" }, name), parts,
    element("span", { class: "value" }, text));
  const lines = values.map((value, part) => [value, labels[part]]).filter(([value]) => value > 0)
    .sort((a, b) => b[0] - a[0]).map(([value, label]) => `${label}: ${quantity(value, unit)} (${((100 * value) / total).toFixed(1)} %)`);
  tells(made, [`${name}: ${text}`, ...lines].join("\n"));
  made.setAttribute("aria-label", [`${name}: ${text}`, ...lines.slice(0, 3)].join("; "));
  return made;
}

/** A chart of bars, one for each of `names`. */
function bars(place, names, rows, labels, unit, share = false) {
  const full = longest(rows.map(sum));
  const all = names.map((name, row) => {
    const made = bar(name, rows[row], labels, unit, full, share);
    made.tabIndex = 0;
    made.setAttribute("role", "img");
    return made;
  });
  place.replaceChildren(...(labels.length > 1 ? [legend(labels, rows)] : []), ...all);
}

/** About `most` round values between `low` and `high`. */
function ticks(low, high, logarithmic, most) {
  if (logarithmic) {
    const steps = Math.log10(high / low) < 1.6 ? [1, 2, 5] : [1];
    const found = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
      for (const step of steps) found.push(step * 10 ** power);
    }
    const inside = found.filter((value) => value >= low * 0.999 && value <= high * 1.001);
    return inside.filter((_, place) => place % Math.ceil(inside.length / most) === 0);
  }
  const raw = (high - low) / most;
  const decade = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * decade).find((s) => s >= raw);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high * (1 + 1e-12); value += step) found.push(value);
  return found;
}

/** Places of values along an axis of `pixels` that starts at `from`; round values are multiples of `base`. */
function axis(values, from, pixels, { logarithmic, zero, base = 1 }) {
  let low = Math.min(...values), high = Math.max(...values);
  if (!Number.isFinite(low)) [low, high] = [0, 1];
  const log = logarithmic && low > 0 && high > 6 * low;
  if (log) {
    const room = Math.max((high / low) ** 0.08, 1.1);
    [low, high] = [low / room, high * room];
  } else {
    const room = 0.08 * (high - low || Math.abs(high) || 1);
    [low, high] = [zero ? 0 : low >= 0 ? Math.max(0, low - room) : low - room, high + room];
  }
  const place = (v) => (log ? Math.log(v / low) / Math.log(high / low) : (v - low) / (high - low));
  const most = Math.min(7, Math.max(2, Math.floor(Math.abs(pixels) / 60)));
  return { ticks: ticks(low / base, high / base, log, most).map((value) => value * base), at: (v) => from + pixels * place(v) };
}

/**
 * A chart of points and lines. Points are {x, y, name, text, part, kind, small, aside, chosen, choose}, lines
 * {points, part, kind}. Tab leads to one point, and arrows from there to those that are not aside.
 */
function plot(place, { points, lines = [], x, y, label, height = 380 }) {
  const width = Math.max(320, Math.min(900, place.clientWidth || 700));
  // A long name of the axis goes on behind its bracket in a second line.
  const names = x.name.length * 6.5 > width - 86 ? x.name.split(/ (?=\()/) : [x.name];
  const [left, right, top, bottom] = [70, 16, 14, 34 + 14 * names.length];
  const inLines = lines.flatMap((line) => line.points);
  const xs = axis([...points, ...inLines].map((p) => p.x), left, width - left - right, x);
  const ys = axis([...points, ...inLines].map((p) => p.y), height - bottom, top + bottom - height, y);
  const svg = element("svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": label });
  svg.style.maxWidth = `${width}px`;
  for (const value of xs.ticks) {
    const at = xs.at(value);
    svg.append(element("line", { class: "grid", x1: at, x2: at, y1: top, y2: height - bottom }),
      element("text", { x: at, y: height - bottom + 17, "text-anchor": "middle" }, x.text(value)));
  }
  for (const value of ys.ticks) {
    const at = ys.at(value);
    svg.append(element("line", { class: "grid", x1: left, x2: width - right, y1: at, y2: at }),
      element("text", { x: left - 6, y: at + 4, "text-anchor": "end" }, y.text(value)));
  }
  const middle = (left + width - right) / 2;
  svg.append(...names.map((name, i) =>
    element("text", { x: middle, y: height - 8 - 14 * (names.length - 1 - i), "text-anchor": "middle" }, name)),
    element("text", { x: 0, y: 0, "text-anchor": "middle", transform: `translate(12 ${(top + height - bottom) / 2}) rotate(-90)` }, y.name));
  for (const line of lines) {
    const path = line.points.map((p, i) => `${i ? "L" : "M"}${xs.at(p.x).toFixed(1)} ${ys.at(p.y).toFixed(1)}`).join("");
    const drawn = element("path", { class: line.kind || "line", d: path });
    if (line.part !== undefined) drawn.style.stroke = colour(line.part);
    svg.append(drawn);
  }
  const places = points.map((point) => [xs.at(point.x), ys.at(point.y)]);
  const dots = points.map((point, i) => dot(point, ...places[i]));
  const focused = [...place.querySelectorAll(".point")].indexOf(document.activeElement);
  svg.append(...dots, ...labels(points, places, left, width));
  place.replaceChildren(svg);
  const reached = points.map((point, i) => [point, dots[i]]).filter(([point]) => !point.aside);
  arrows(reached.map(([, made]) => made), Math.max(0, reached.findIndex(([point]) => point.chosen)));
  dots[focused]?.focus();
}

/** Puts number `first` of `stops` into the order of Tab; arrows lead on from it. */
function arrows(stops, first) {
  stops.forEach((stop, i) => {
    stop.setAttribute("tabindex", i === first ? 0 : -1);
    stop.addEventListener("keydown", (event) => {
      const next = stops[i + ({ ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key] || NaN)];
      if (!next) return;
      event.preventDefault();
      stop.setAttribute("tabindex", -1);
      next.setAttribute("tabindex", 0);
      next.focus();
    });
  });
}

/** Names beside points, between `left` and `right`; one that has no room is said by its point alone. */
function labels(points, places, left, right) {
  const overlap = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
  const taken = places.map(([x, y]) => ({ x: x - 5, y: y - 5, width: 10, height: 10 }));
  const order = points.map((_, i) => i).filter((i) => points[i].name).sort((i, j) => Boolean(points[j].chosen) - Boolean(points[i].chosen));
  return order.flatMap((i) => {
    const [[x, y], width] = [places[i], 7 * points[i].name.length];
    const boxes = [[x + 7, y - 17], [x + 7, y + 4], [x - 7 - width, y - 17], [x - 7 - width, y + 4]]
      .map(([x, y]) => ({ x, y, width, height: 12 }));
    const box = boxes.find((box) => box.x >= left && box.x + width <= right && !taken.some((other) => overlap(box, other)));
    if (!box) return [];
    taken.push(box);
    const anchor = box.x < x ? "end" : "start";
    return [element("text", { x: anchor === "end" ? box.x + width : box.x, y: box.y + 10, "text-anchor": anchor }, points[i].name)];
  });
}

/** A point. */
function dot(point, cx, cy) {
  const kinds = ["point", ...(point.kind ? [point.kind] : []), ...(point.chosen ? ["chosen"] : [])];
  const made = element("circle", { class: kinds.join(" "), cx, cy, r: point.small && !point.chosen ? 3.5 : 5.5,
    tabindex: -1, role: point.choose ? "button" : "img", "aria-label": point.text });
  if (point.choose) made.setAttribute("aria-pressed", String(Boolean(point.chosen)));
  if (!point.kind) made.style.fill = colour(point.part || 0);
  tells(made, point.text);
  if (point.choose) {
    made.addEventListener("click", point.choose);
    made.addEventListener("keydown", (event) => ["Enter", " "].includes(event.key) && (event.preventDefault(), point.choose()));
  }
  return made;
}

/** The points that no other beats: small `x` and large `y` are better. */
function front(points) {
  const beaten = (p) => points.some((o) => o.x <= p.x && o.y >= p.y && (o.x < p.x || o.y > p.y));
  return points.filter((p) => !beaten(p)).sort((a, b) => a.x - b.x);
}

/** Headings of tables become buttons that sort. */
function sorting(table) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = element("button", { type: "button" });
    button.append(...heading.childNodes);
    heading.append(button);
    const numbers = [...table.tBodies[0].rows].some((row) => row.cells[column].dataset.value);
    if (numbers) heading.classList.add("number");
    button.addEventListener("click", () => {
      const down = heading.getAttribute("aria-sort") === "ascending";
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      const value = (row) => (numbers ? parseFloat(row.cells[column].dataset.value ?? "NaN") : row.cells[column].textContent);
      const order = (a, b) => {
        const [x, y] = [value(a), value(b)];
        if (!numbers) return x.localeCompare(y, "en", { numeric: true }) * (down ? -1 : 1);
        if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
        return (x - y) * (down ? -1 : 1);
      };
      table.tBodies[0].append(...[...table.tBodies[0].rows].sort(order));
    });
  });
}
document.querySelectorAll("table.sortable").forEach(sorting);

/** Draws anew what depends on the width of the window when that changes. */
function redrawn(draw) {
  let width = innerWidth;
  addEventListener("resize", () => innerWidth !== width && ((width = innerWidth), draw()));
}
