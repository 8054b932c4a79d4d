// The page of a search.
const UNITS = { footprint_bytes: "B", model_bytes: "B", energy_j: "J", latency_s: "s", power_w: "W" };
const OBJECTIVE_UNITS = { footprint: "B", model: "B", energy: "J", latency: "s", power: "W", edp: "J s" };
const ENOUGH = Math.min(1000, data.images);

/** The last look at each setting of a run that rests on enough images. */
function looked(run) {
  const last = new Map();
  run.steps.filter((step) => step.images >= ENOUGH && step.accuracy_drop !== null)
    .forEach((step) => last.set(step.setting, step));
  return [...last.values()];
}

/** Says which setting was chosen, and puts its bits into the column of its run. */
function chooseRun(run, step) {
  const figures = Object.keys(UNITS).map((key) => `${key.split("_")[0]} ${quantity(step[key], UNITS[key])}`);
  const accuracy = quantity(data.accuracy - step.accuracy_drop, "%");
  const columns = run.fronts[step.setting];
  const bits = columns ? "its bits are marked below" : "bits are kept of settings on a front, and this is on none";
  by("front-chosen").textContent = `${run.name}, setting ${step.setting}: ${accuracy} on ${step.images} images, ${figures.join(", ")}; ${bits}`;
  document.querySelectorAll("#bits table").forEach((table, number) => {
    const column = [...table.tHead.rows[0].cells].findIndex((cell) => cell.textContent.trim() === run.name);
    [...table.rows].forEach((row) => [...row.cells].forEach((cell, i) =>
      cell.classList.toggle("marked", i === column && columns !== undefined)));
    if (!columns) return;
    [...table.tBodies[0].rows].forEach((row, layer) => {
      const cell = row.cells[column];
      if (!cell) return;
      const [text, shade] = columns[number][layer];
      cell.textContent = text;
      cell.style.setProperty("--shade", `${shade ?? 0}%`);
    });
  });
}

function fronts() {
  const key = by("front-quantity").value;
  const place = (run, number) => looked(run).map((step) => ({
    x: step[key], y: data.accuracy - step.accuracy_drop, part: LINES[number % 12], run, step, choose: () => chooseRun(run, step),
    text: `${run.name}: ${quantity(data.accuracy - step.accuracy_drop, "%")}, ${quantity(step[key], UNITS[key])}`,
  }));
  const all = data.runs.map(place);
  const best = all.map(front);
  const shown = by("front-all").checked ? all : best;
  plot(by("front-chart"), {
    points: shown.flat(), lines: best.map((points, number) => ({ points, part: LINES[number % 12] })), label: "Fronts of the runs",
    x: { name: key.split("_")[0], logarithmic: true, base: baseOf(UNITS[key]), text: tick(UNITS[key]) },
    y: { name: "accuracy on validation images", text: (v) => `${(100 * v).toFixed(1)} %` },
  });
  by("front-chart").prepend(lineLegend(data.runs.map((run) => run.name)));
}

function trace() {
  const lines = data.runs.map((run, number) => ({
    part: LINES[number % 12],
    points: run.trace.flatMap((step, i) => {
      const next = run.trace[i + 1] || step;
      return [{ x: step.evaluations, y: step.objective }, { x: next.evaluations, y: step.objective }];
    }),
  })).filter((line) => line.points.length);
  if (!lines.length) {
    by("trace-chart").replaceChildren("No run accepted a setting.");
    return;
  }
  plot(by("trace-chart"), {
    points: [], lines, label: "Objective of the best setting so far", height: 300,
    x: { name: "evaluations, in validation sets executed", zero: true, text: short },
    y: {
      name: `${data.objective} of the best so far`, base: baseOf(OBJECTIVE_UNITS[data.objective]),
      text: tick(OBJECTIVE_UNITS[data.objective]),
    },
  });
  by("trace-chart").prepend(lineLegend(data.runs.map((run) => run.name)));
}

by("front-quantity").addEventListener("change", fronts);
by("front-all").addEventListener("change", fronts);
fronts();
trace();
redrawn(() => (fronts(), trace()));
