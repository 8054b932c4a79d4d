"""Simulations and searches."""

import json
import os
from pathlib import Path

from . import _spiq
from ._error import Error
from ._progress import Bars
from ._report import Found, Report
from ._subject import Data, Hardware, Model, Setting

# The defaults of `spiq search`.
_ASKED = json.loads(_spiq.search_defaults())
_PROBLEM, _WIDTHS = _ASKED["problem"], _ASKED["widths"]

_SETTINGS = ("fp32", "w8", "w6", "w4", "w3", "pot3", "w4u8", "mixed")


def _listed(value):
    return [value] if isinstance(value, (str, dict, os.PathLike, Setting)) else list(value)


def simulate(
    model="sdtv1_2-64_fashion",
    data=None,
    settings=_SETTINGS,
    hardware="edge-28",
    *,
    rates=None,
    tables=(),
    threads=None,
    progress=None,
):
    """Runs a model at several settings on a described accelerator, as ``spiq simulate`` does.

    Args:
        model: A :class:`Model`, or what makes one.
        data: A :class:`Data`, or what makes one; without, Fashion-MNIST, which is built in.
        settings: Settings, or what makes them.
        hardware: A :class:`Hardware`, or what makes one.
        rates: A file of firing rates, in the place of data: nothing is executed.
        tables: Tables of energies to charge, beside one another; without, the hardware's own.
        threads: Threads to run on; the results do not depend on it.
        progress: True or False for a bar of tqdm, None for one in a terminal or notebook.

    Returns:
        A :class:`Report`, whose ``json`` is to the byte what the command line writes.

    Raises:
        Error: If something does not load or does not fit.
        KeyboardInterrupt: Within a second of Ctrl-C.
    """
    model, hardware = Model._of(model), Hardware._of(hardware)
    settings = [Setting._of(setting)._inner for setting in _listed(settings)]
    if not settings:
        raise Error("settings: there is none", field="settings")
    if rates is None:
        data = Data._of("fashion-mnist" if data is None else data)._for(model)
    else:
        rates = os.fspath(rates)
        data = None if data is None else Data._of(data)._for(model)
    with Bars(progress) as bars:
        inner = _spiq.simulate(
            model._inner, data, rates, settings, hardware._inner, _listed(tables), threads, bars
        )
    return Report(inner)


def search(
    model=_ASKED["model"],
    data=_ASKED["data"],
    hardware=_ASKED["hardware"],
    *,
    max_accuracy_drop=None,
    max_model=None,
    max_footprint=None,
    max_peak=None,
    max_energy=None,
    max_power=None,
    max_latency=None,
    max_area=None,
    minimize=_PROBLEM["objective"],
    strategies=tuple(_ASKED["strategies"]),
    accelerated=_ASKED["accelerated"],
    seeds=tuple(_ASKED["seeds"]),
    max_evaluations=_PROBLEM["max_evaluations"],
    max_seconds=None,
    granularity=_PROBLEM["granularity"],
    drift=_PROBLEM["metric"],
    slack=_PROBLEM["slack"],
    audit=_PROBLEM["audit"],
    weight_bits=tuple(_WIDTHS["uniform"]),
    power_of_two_bits=tuple(_WIDTHS["power_of_two"]),
    schemes=(),
    membrane_bits=tuple(_WIDTHS["membranes"]),
    calibrated=_WIDTHS["calibrated"],
    limit=None,
    validation_images=None,
    confidence=None,
    out="spiq-search",
    resume=False,
    threads=None,
    progress=None,
):
    """Searches the setting of each layer that meets budgets, as ``spiq search`` does.

    It looks at validation images only; what it finds is measured on the test images once.

    Args:
        model: A :class:`Model`, or what makes one.
        data: A :class:`Data` with a validation part, or what makes one.
        hardware: A :class:`Hardware`, or what makes one.
        max_accuracy_drop: Largest drop against the float network, as a fraction; 0.015 where it is None.
        max_model: Largest model (weights, biases, thresholds, requantizers), as ``"48KiB"``.
        max_footprint: Largest footprint (the model and all state), as ``"160KiB"``.
        max_peak: Most that on-chip memories may hold, as ``{"weight SRAM": "64KiB"}``.
        max_energy: Largest energy of an inference, as ``"6uJ"``.
        max_power: Largest energy divided by time, as ``"20mW"``.
        max_latency: Largest time of an inference, as ``"2ms"``.
        max_area: Largest area of the machine, as ``"0.5mm2"``.
        minimize: ``"model"``, ``"footprint"``, ``"energy"``, ``"latency"``, ``"power"``, ``"edp"`` or
            ``"edap"``.
        strategies: Who looks (``docs/search.md``).
        accelerated: Give the papers' strategies scales per channel, membranes and tests that stop when decided.
        seeds: Seeds of random choices.
        max_evaluations: Images that each strategy may execute, in validation sets.
        max_seconds: Time that each strategy may take before it verifies what it found.
        granularity: What is chosen together, where the strategy leaves it open.
        drift: Which drift of membranes a gate looks at.
        slack: How many times as far as the farthest that kept its accuracy a candidate may drift.
        audit: Run what a gate rejects, too, and count how often it was wrong.
        weight_bits: Widths of uniform weights that are tried.
        power_of_two_bits: Widths of power-of-two weights that are tried.
        schemes: Further schemes of weights that are tried, by their shorthands, as ``["apot4", "e2m1"]``.
        membrane_bits: Widths of membranes that are tried.
        calibrated: Round weights by calibration images, and match thresholds to firing rates.
        limit: Only the first validation and the first test images.
        validation_images: Only the first validation images.
        confidence: Chance with which the allowed drop is kept on unseen images, too, told from half of the validation
            images, which are held out; 0 promises nothing, None stands for 0.95 where there are images enough.
        out: Folder of the results and of the log, which keeps every answer at once.
        resume: Go on with the search whose log is in ``out``; strategies, seeds and max_evaluations may be more.
        threads: Threads to run on; the results do not depend on it.
        progress: True or False for a bar of tqdm, None for one in a terminal or notebook.

    Returns:
        A :class:`Found`; its ``setting`` is None where no setting meets the budgets.

    Raises:
        Error: If something does not load or does not fit.
        KeyboardInterrupt: Within a second of Ctrl-C; ``resume=True`` goes on where it was.
    """
    model, hardware, out = Model._of(model), Hardware._of(hardware), Path(out)
    data = Data._of(data)
    log = out / "log.jsonl"
    if not resume and log.is_file() and b"\n" in log.open("rb").readline():
        message = "holds an earlier search: resume=True goes on with it, out= names another folder"
        raise Error(f"{log}: {message}", file=str(log), field="out")
    budgets = {
        "max_accuracy_drop": max_accuracy_drop,
        "max_model": max_model,
        "max_footprint": max_footprint,
        "max_peak": max_peak,
        "max_energy": max_energy,
        "max_power": max_power,
        "max_latency": max_latency,
        "max_area": max_area,
    }
    wanted = {
        "limit": limit,
        "validation_images": validation_images,
        "confidence": confidence,
        "minimize": minimize,
        "strategies": _listed(strategies),
        "accelerated": accelerated,
        "seeds": list(seeds),
        "max_evaluations": max_evaluations,
        "max_seconds": max_seconds,
        "granularity": granularity,
        "drift": drift,
        "slack": slack,
        "audit": audit,
        "widths": {
            "uniform": list(weight_bits),
            "power_of_two": list(power_of_two_bits),
            "schemes": list(schemes),
            "membranes": list(membrane_bits),
            "calibrated": calibrated,
        },
    }
    given = {name: value for name, value in budgets.items() if value is not None}
    with Bars(progress) as bars:
        inner = _spiq.search(
            model._inner,
            data._for(model),
            hardware._inner,
            json.dumps(given),
            json.dumps(wanted),
            out,
            resume,
            threads,
            bars,
        )
    return Found(inner, out, (model, data))
