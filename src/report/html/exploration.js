// The page of an exploration.
const points = data.points.map(([number, network, setting, levels, exceeded, figures], place) =>
  ({ place, number, network, setting, levels, exceeded, figures }));
let network = 0;
let chosenPoint = null;

const told = (point, figure) => quantity(point.figures[figure], data.figures[figure].unit);
const isShare = (unit) => unit === "%" || unit === "points";
const varied = (point) => data.axes.map((axis, i) => [axis, point.levels[i]]).filter(([axis]) => axis.varies)
  .map(([axis, level]) => [axis.name, axis.levels[level]]);

/** An axis of a chart that shows figure number `figure`. */
const axisOf = (figure) => {
  const { title, unit, gain } = data.figures[figure];
  const name = `${title} (${gain ? "more" : "less"} is better)`;
  return { name, logarithmic: !isShare(unit), base: baseOf(unit), text: tick(unit) };
};

/** One chart of two objectives. */
function pair(place, { objectives: [x, y], points: best }) {
  const onFront = new Set(best);
  const point = (p) => ({
    x: p.figures[x], y: p.figures[y], chosen: p.place === chosenPoint, choose: () => choosePoint(p.place),
    text: [`Point ${p.number}: ${told(p, x)}, ${told(p, y)}`, ...varied(p).map((words) => words.join(" ")), data.settings[p.setting]].join(", "),
    ...(onFront.has(p.place) ? {} : { small: true, aside: true, kind: p.exceeded.length ? "exceeding" : "faint" }),
  });
  const known = points.filter((p) => p.network === network && p.figures[x] !== null && p.figures[y] !== null);
  const others = known.filter((p) => !onFront.has(p.place));
  const front = best.map((i) => points[i]);
  const label = `${data.figures[x].title} and ${data.figures[y].title}`;
  const chart = element("div", { class: "chart" });
  if (!place.firstChild) place.append(element("h3", {}, label), chart);
  plot(place.lastChild, {
    points: [...others, ...front].map(point), label: `${label}: ${front.length} points on the front`, x: axisOf(x), y: axisOf(y),
    lines: [{ points: front.map(point), part: LINES[0] }],
  });
}

function fronts() {
  const place = by("front-charts");
  if (!place) return;
  const pairs = data.fronts.filter((front) => front.network === network && front.objectives.length === 2);
  if (place.dataset.network !== String(network)) {
    place.dataset.network = network;
    place.replaceChildren(...pairs.map(() => element("div")));
  }
  pairs.forEach((front, i) => pair(place.children[i], front));
  const exceeds = points.some((p) => p.network === network && p.exceeded.length);
  const items = [["on the front", colour(LINES[0])], ["beaten", "var(--quiet)"], ...(exceeds ? [["exceeds a constraint", "var(--p10)"]] : [])];
  by("front-legend").replaceChildren(...(pairs.length ? [swatches(items)] : []));
}

/** A word as a shell reads it. */
const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);

/** What to type for the whole report of a point. */
function command(point) {
  const [hardware, table] = data.axes.map((axis, i) => axis.levels[point.levels[i]]);
  const hw = hardware + data.axes.map((axis, i) => axis.suffixes[point.levels[i]]).join("");
  const charged = table === "own" ? [] : ["--table", table];
  const words = [...data.flags[point.network], "--hw", hw, ...charged, "--quant", data.specs[point.setting]];
  return ["spiq simulate", ...words.map(quoted)].join(" ");
}

const list = (pairs) => element("dl", { class: "facts" },
  ...pairs.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));

/** All that is known of the point that was chosen. */
function facts(point) {
  const of = data.fronts.filter((front) => front.points.includes(point.place));
  const named = of.map((front) => front.objectives.map((figure) => data.figures[figure].title).join(", "));
  const limits = point.exceeded.map((number) => data.constraints[number]);
  const charged = data.charged[point.network];
  return [
    element("h3", {}, `Point ${point.number}`),
    list([["network", data.networks[point.network]], ["setting", data.settings[point.setting]], ...varied(point)]),
    list(data.figures.map((figure, i) => [figure.title, told(point, i)])),
    element("p", {}, named.length ? `On the fronts of: ${named.join("; ")}.` : "On no front."),
    ...(limits.length ? [element("p", {}, `Exceeds ${limits.join("; ")}.`)] : []),
    element("p", {}, `Its whole report${charged === null ? "" : `, of all images where the exploration charged ${charged}`}:`),
    element("pre", { tabindex: 0 }, command(point)),
  ];
}

/** Shows point number `place` of the page wherever it is. */
function choosePoint(place) {
  chosenPoint = place;
  const point = points[place];
  if (point.network !== network) chooseNetwork(point.network);
  by("chosen").replaceChildren(...facts(point));
  document.querySelectorAll("#points tbody tr").forEach((row) =>
    row.classList.toggle("chosen", row.firstChild.textContent === String(point.number)));
  fronts();
}

function effects() {
  const place = by("effects-chart");
  if (!place) return;
  const shown = data.effects.filter((effects) => effects.network === data.networks[network])[by("effects-objective").value];
  place.replaceChildren(...(shown ? shown.parameters : []).map(({ name, share, means }) => {
    const chart = element("div");
    bars(chart, means.map(([value]) => value), means.map(([, mean]) => [mean]), [shown.title], shown.unit);
    return element("div", {}, element("h3", {}, `${name} decides ${(100 * share).toFixed(1)} %`), chart);
  }));
}

/** Shows network number `number` wherever one is shown. */
function chooseNetwork(number) {
  network = number;
  document.querySelectorAll("select.choose-network").forEach((select) => (select.value = number));
  fronts();
  effects();
}

document.querySelectorAll("select.choose-network").forEach((select) => {
  select.append(...data.networks.map((name, number) => element("option", { value: number }, name)));
  select.addEventListener("change", () => chooseNetwork(Number(select.value)));
});
document.querySelectorAll("#points tbody th").forEach((heading) => {
  const place = points.findIndex((point) => String(point.number) === heading.textContent);
  const button = element("button", { type: "button", "aria-label": `Show point ${heading.textContent}` }, ...heading.childNodes);
  button.addEventListener("click", () => {
    choosePoint(place);
    by("chosen").scrollIntoView({ block: "nearest" });
  });
  heading.append(button);
});
by("effects-objective")?.append(...data.effects.filter((effects) => effects.network === data.networks[0])
  .map(({ title }, i) => element("option", { value: i }, title)));
by("effects-objective")?.addEventListener("change", effects);
chooseNetwork(0);
redrawn(fronts);
