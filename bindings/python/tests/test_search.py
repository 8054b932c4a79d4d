import inspect
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

import spiq

SMALL = """Model(
    name: "small",
    family: SpikeDrivenV1(dim: 16, depth: 1, heads: 2, mlp_ratio: 2, pooling: (true, true, false, false)),
    input: Image(shape: (1, 16, 16), mean: [0.5], std: [0.5], bits: 8),
    timesteps: 2,
    classes: 3,
    weights: Seeded(1),
)"""
SHORT = dict(
    max_accuracy_drop=0.9,
    strategies=["ratio-greedy", "random"],
    weight_bits=[8, 4],
    power_of_two_bits=[],
    membrane_bits=[16, 4],
    max_evaluations=8,
    limit=8,
    progress=False,
)


def timeless(value):
    if isinstance(value, dict):
        return {name: timeless(part) for name, part in value.items() if name != "seconds"}
    return [timeless(part) for part in value] if isinstance(value, list) else value


def test_a_search_finds_what_the_command_line_finds(tmp_path):
    (tmp_path / "small.ron").write_text(SMALL)
    small = SHORT | {"model": tmp_path / "small.ron", "data": "noise"}
    found = spiq.search(out=tmp_path / "here", **small)
    flags = "--model small.ron --data noise --max-accuracy-drop 0.9 --strategy ratio-greedy,random --weight-bits 8,4 --power-of-two-bits 0"
    flags += " --membrane-bits 16,4 --max-evaluations 8 --limit 8 --quiet --out there"
    run = subprocess.run(
        [sys.executable, "-m", "spiq", "search", *flags.split()], cwd=tmp_path, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    there = json.loads((tmp_path / "there/search.json").read_text())
    # A model is called what was asked for: its path there, its name here.
    assert there["request"]["model"] == "small.ron"
    there["request"]["model"] = "small"
    assert timeless(found.to_dict()) == timeless(there)
    assert found.json == (tmp_path / "here/search.json").read_text()
    assert (tmp_path / "there/setting.ron").read_text() == (tmp_path / "here/setting.ron").read_text()
    assert found.setting.name == spiq.Setting(tmp_path / "here/setting.ron").name
    assert found.closest is None and found.final["accuracy"] is not None
    with pytest.raises(spiq.Error, match="resume=True"):
        spiq.search(out=tmp_path / "here", **small)
    with pytest.raises(spiq.Error, match="asks for something else"):
        spiq.search(out=tmp_path / "here", resume=True, **small | {"slack": 2.0})
    again = spiq.search(out=tmp_path / "here", resume=True, **small)
    assert timeless(again.to_dict()) == timeless(there)


def test_defaults_are_those_of_the_command_line():
    run = subprocess.run([sys.executable, "-m", "spiq", "search", "--help"], capture_output=True, text=True)
    defaults = {name: p.default for name, p in inspect.signature(spiq.search).parameters.items()}
    for name, flag in dict(strategies="strategy", seeds="seed", hardware="hw").items():
        defaults[flag] = defaults[name]
    flags = "model hw data minimize strategy seed granularity drift slack weight_bits power_of_two_bits membrane_bits"
    for name in flags.split():
        value = defaults[name]
        value = value if isinstance(value, tuple) else (value,)
        flag = run.stdout.split(f"--{name.replace('_', '-')} ", 1)[1].split("\n      --", 1)[0]
        assert f"[default: {','.join(map(str, value))}]" in flag, name
    assert defaults["max_evaluations"] == 60


def test_an_interrupt_stops_within_a_second_and_loses_nothing(tmp_path):
    out = tmp_path / "out"
    log = out / "log.jsonl"
    sent = []

    def interrupt():
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and not (log.exists() and log.read_bytes().count(b"\n") > 1):
            time.sleep(0.01)
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    # Whoever runs in the background is started without one.
    own = signal.signal(signal.SIGINT, signal.default_int_handler)
    long = SHORT | {"limit": 100, "max_evaluations": 400}
    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        spiq.search(out=out, **long)
    assert time.monotonic() - sent[0] < 1.0
    signal.signal(signal.SIGINT, own)
    thread.join()
    kept = log.read_bytes()
    assert kept.count(b"\n") > 1
    with pytest.raises(spiq.Error, match="can only be extended"):
        spiq.search(out=out, resume=True, **SHORT)
    # Nothing that was known is asked for again: the log only grows.
    assert log.read_bytes().startswith(kept)


@pytest.mark.parametrize(
    "arguments, field",
    [
        (dict(max_energy="6 apples"), "max_energy"),
        (dict(minimize="memory"), "minimize"),
        (dict(max_evaluations=0), "max_evaluations"),
        (dict(strategies=["ilp", "ilp"]), "strategies"),
        (dict(seeds=[]), "seeds"),
        (dict(limit=0), "limit"),
        (dict(max_area="0.001mm2"), "max_area"),
        (dict(max_peak={"nowhere": "1KiB"}), "max_peak"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, field, tmp_path):
    with pytest.raises(spiq.Error) as caught:
        spiq.search(out=tmp_path / "out", **SHORT | arguments)
    assert caught.value.field == field, caught.value
    assert not (tmp_path / "out/log.jsonl").exists()
