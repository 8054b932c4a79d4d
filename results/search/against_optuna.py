"""Optuna's TPE and NSGA-II beside `spiq search`, at equal numbers of executed images.

    pip install optuna
    python results/search/against_optuna.py --spiq target/release/spiq > results/search/optuna.md

All look for bits of weights and membranes, layer by layer, among the same widths, on the same validation images, within
the same drop of accuracy and the same budget, from several seeds. Optuna asks the resident mode of `spiq evaluate`, one
setting a line, and pays the whole validation set for each; it is given the uniform settings `w8` and `w4` as its first
two trials. What is found is measured once more on the images of the search, all of which are charged, and on test images.
"""

import argparse
import json
import re
import subprocess
import tempfile
from pathlib import Path

import optuna

WEIGHTS = [8, 7, 6, 5, 4, 3, 2]
MEMBRANES = [16, 12, 10, 8, 7, 6, 5, 4, 3, 2]
DROP = 0.015
# What is minimised: the figure, the unit it is shown in, and what is limited beside the accuracy: a constraint of
# `spiq evaluate` and the flags of `spiq search`.
OBJECTIVES = {
    "footprint": ("footprint_bytes", 1024, "KiB", "energy_j <= 10uJ", ["--max-energy", "10uJ"]),
    "energy": ("energy_j", 1e-6, "µJ", "footprint_bytes <= 330KiB", ["--max-footprint", "330KiB"]),
    "latency": ("latency_s", 1e-6, "µs", "footprint_bytes <= 330KiB", ["--max-footprint", "330KiB"]),
}
# The images of the search are test images here, too: `spiq evaluate` looks at those.
DATA = """DataSet(
    name: "validation",
    source: "validation images of Fashion-MNIST", licence: "MIT", classes: 10,
    test: Idx(images: "{folder}/validation-images-idx3-ubyte.gz", labels: "{folder}/validation-labels-idx1-ubyte.gz", range: (0, {images})),
    validation: Idx(images: "{folder}/validation-images-idx3-ubyte.gz", labels: "{folder}/validation-labels-idx1-ubyte.gz", range: (0, {images})),
)
"""


def scheme(bits):
    return f"Uniform(bits:{bits},scale:Free,granularity:Channel,clip:Max)"


class Network:
    """The layers of a network, and its settings as files."""

    def __init__(self, text):
        lines = re.findall(r'\("([^"]+)", Layer\((weights|membrane_bits)', text)
        self.units = []
        for name, kind in lines:
            if kind == "weights":
                self.units.append((name, []))
            else:
                self.units[-1][1].append(name)

    def knobs(self):
        """Names of knobs with their numbers of levels."""
        for name, neurons in self.units:
            yield f"{name} weights", len(WEIGHTS)
            if neurons:
                yield f"{name} membranes", len(MEMBRANES)

    def setting(self, levels):
        lines = []
        for name, neurons in self.units:
            lines.append(f'        ("{name}", Layer(weights: {scheme(WEIGHTS[levels[f"{name} weights"]])})),')
            for neuron in neurons:
                lines.append(f'        ("{neuron}", Layer(membrane_bits: {MEMBRANES[levels[f"{name} membranes"]]})),')
        head = f'    name: "trial",\n    weights: {scheme(8)},\n    membrane_bits: 16,\n    residual_bits: 16,\n'
        return f"Setting(\n{head}    layers: [\n" + "\n".join(lines) + "\n    ],\n)\n"

    def uniform(self, weights, membranes):
        levels = {"weights": WEIGHTS.index(weights), "membranes": MEMBRANES.index(membranes)}
        return {knob: levels[knob.split()[-1]] for knob, _ in self.knobs()}


class Evaluator:
    """`spiq evaluate --serve` with one objective and its constraints."""

    def __init__(self, spiq, flags):
        command = [spiq, "evaluate", "--serve", "--quiet", *flags]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **request):
        print(json.dumps(request), file=self.process.stdin, flush=True)
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


def with_optuna(sampler, network, evaluator, evaluations, folder):
    """The best feasible setting of a study, as a file; None where there is none."""
    study = optuna.create_study(sampler=sampler)
    study.enqueue_trial(network.uniform(8, 16))
    study.enqueue_trial(network.uniform(4, 16))

    def objective(trial):
        levels = {knob: trial.suggest_int(knob, 0, count - 1) for knob, count in network.knobs()}
        path = folder / f"trial{trial.number}.ron"
        path.write_text(network.setting(levels))
        answer = evaluator.ask(quant=str(path))
        trial.set_user_attr("constraints", answer["constraints"])
        trial.set_user_attr("meets", answer["meets"])
        return answer["objectives"][0]

    study.optimize(objective, n_trials=evaluations)
    feasible = [trial for trial in study.trials if trial.user_attrs["meets"]]
    if not feasible:
        return None
    best = min(feasible, key=lambda trial: trial.value)
    return (folder / f"trial{best.number}.ron").read_text()


def samplers(seed, evaluations):
    def constraints(trial):
        return trial.user_attrs["constraints"]

    yield "Optuna TPE", optuna.samplers.TPESampler(seed=seed, constraints_func=constraints)
    yield "Optuna NSGA-II", optuna.samplers.NSGAIISampler(
        seed=seed, constraints_func=constraints, population_size=max(4, evaluations // 4)
    )


def with_spiq(spiq, strategy, seed, minimize, budget, data, evaluations, folder):
    out = folder / f"{minimize}-{strategy}-{seed}"
    command = [
        *(spiq, "search", "--quiet", "--json", "--data", data, "--minimize", minimize, "--strategy", strategy),
        *("--seed", str(seed), "--max-accuracy-drop", str(DROP), "--confidence", "0", "--power-of-two-bits", "0"),
        *("--weight-bits", ",".join(map(str, WEIGHTS)), "--membrane-bits", ",".join(map(str, MEMBRANES))),
        *("--max-evaluations", str(evaluations), "--out", str(out), *budget),
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode == 2:
        raise RuntimeError("spiq search refused its flags")
    run = json.loads(done.stdout)["runs"][0]
    setting = out / "setting.ron"
    return setting.read_text() if setting.exists() else None, run["evaluations"]


def shown(values, digits):
    """Mean, and the range where there are several."""
    low, high = min(values), max(values)
    mean = f"{sum(values) / len(values):.{digits}f}"
    return mean if low == high else f"{mean} ({low:.{digits}f} to {high:.{digits}f})"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--spiq", default="target/release/spiq")
    parser.add_argument("--evaluations", type=int, default=25)
    parser.add_argument("--images", type=int, default=1500)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--strategies", nargs="+", default=["ilp", "ratio-greedy", "nsga2", "random"])
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    spiq = str(Path(arguments.spiq).resolve())
    folder = Path(tempfile.mkdtemp())
    data = folder / "validation.ron"
    data.write_text(DATA.format(folder=Path("data/fashion-mnist").resolve(), images=arguments.images))
    network = Network(Path("results/search/latency.ron").read_text())
    print("# Optuna beside `spiq search`\n")
    print("Written by [against_optuna.py](against_optuna.py): bits of weights and membranes of the bundled network on")
    print(f"`edge-28`, {arguments.images} validation images, {arguments.evaluations} evaluations of these each at the most,")
    print(f"seeds {', '.join(map(str, arguments.seeds))}, at most {100 * DROP} points lost on them. Optuna {optuna.__version__}, whose first two trials")
    print("are `w8` and `w4`. Figures are means over seeds (and ranges), measured on all images of the search and")
    print("charged for all of them; the drop on test images is that of all 10,000.\n")
    for minimize, (figure, unit, unit_name, constraint, budget) in OBJECTIVES.items():
        compare(arguments, spiq, data, network, folder, minimize, figure, unit, unit_name, constraint, budget)


def compare(arguments, spiq, data, network, folder, minimize, figure, unit, unit_name, constraint, budget):
    constraints = ["--constraint", f"accuracy_drop <= {DROP}", "--constraint", constraint]
    tuned = ["--data", str(data), "--objective", figure, *constraints]
    found = {}
    for seed in arguments.seeds:
        for name, sampler in samplers(seed, arguments.evaluations):
            with Evaluator(spiq, [*tuned, "--charged", "8"]) as evaluator:
                setting = with_optuna(sampler, network, evaluator, arguments.evaluations, folder)
            found.setdefault(name, []).append((setting, float(arguments.evaluations)))
        for strategy in arguments.strategies:
            result = with_spiq(spiq, strategy, seed, minimize, budget, str(data), arguments.evaluations, folder)
            found.setdefault(f"spiq {strategy}", []).append(result)
    print(f"### Least {minimize}, {constraint}\n")
    print(f"| strategy | {minimize}, {unit_name} | drop, points (search) | drop (test) | evaluations | found |")
    print("|---|---|---|---|---|---|")
    with Evaluator(spiq, tuned) as on_search, Evaluator(spiq, ["--charged", "1"]) as on_test:
        for name, results in found.items():
            path = folder / "found.ron"
            measured = []
            for setting, _ in results:
                if setting is not None:
                    path.write_text(setting)
                    answers = [evaluator.ask(quant=str(path))["figures"] for evaluator in (on_search, on_test)]
                    measured.append(answers)
            columns = ["-"] * 3
            if measured:
                columns = [
                    shown([searched[figure] / unit for searched, _ in measured], 2),
                    shown([100 * searched["accuracy_drop"] for searched, _ in measured], 2),
                    shown([100 * test["accuracy_drop"] for _, test in measured], 2),
                ]
            evaluations = shown([used for _, used in results], 1)
            print(f"| {name} | {' | '.join(columns)} | {evaluations} | {len(measured)} of {len(results)} |", flush=True)
    print(flush=True)


if __name__ == "__main__":
    main()
