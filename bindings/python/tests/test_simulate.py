import json
import subprocess
import sys

import numpy as np
import pytest

import spiq

DESCRIPTION = """DataSet(name: "held", source: "", licence: "", classes: 10,
    test: Npy(images: "x.npy", labels: "y.npy", layout: Nchw),
    validation: Npy(images: "v.npy", labels: "w.npy", layout: Nchw))"""


def command(*words, cwd):
    words = [sys.executable, "-m", "spiq", *map(str, words)]
    return subprocess.run(words, cwd=cwd, capture_output=True, text=True)


def figures(text):
    """A report without the command line that it is of, which a call from Python has not."""
    report = json.loads(text)
    del report["command"]
    return report


def test_a_report_is_that_of_the_command_line(samples, tmp_path):
    """Arrays here, their files there; every file of the report, byte by byte where no command line is repeated."""
    images, labels = samples
    seen, classes = 255 - images, labels[::-1].copy()
    for name, array in {"x": images, "y": labels, "v": seen, "w": classes}.items():
        np.save(tmp_path / f"{name}.npy", array)
    (tmp_path / "held.ron").write_text(DESCRIPTION)
    run = command(
        "simulate", "--data", "held.ron", "--quant", "fp32", "--quant", "w4", "--out", "out", cwd=tmp_path
    )
    assert run.returncode == 0, run.stderr
    # Neither the order in memory nor the type of labels matters to what is computed.
    data = spiq.Data(np.asfortranarray(images), labels, validation=(seen, classes), name="held")
    report = spiq.simulate(data=data, settings=["fp32", "w4"], threads=1, progress=False)
    assert figures(report.json) == figures((tmp_path / "out/report.json").read_text())
    report.write(tmp_path / "again")
    for path, contents in report.files.items():
        assert (tmp_path / "again" / path).read_bytes() == contents
        if path not in ("report.json", "report.html"):
            assert (tmp_path / "out" / path).read_bytes() == contents
    assert column(report.settings, "setting") == ["fp32", "w4"]
    assert report.to_dict()["settings"][1]["accuracy"] == column(report.settings, "accuracy")[1]
    assert set(column(report.layers, "setting")) == {"fp32", "w4"}
    assert report.plots["energy"].lstrip().startswith("<svg")
    assert str(report) in run.stdout


def test_settings_are_names_dicts_and_text_and_a_notebook_shows_them(samples):
    scheme = {"Uniform": {"bits": 4, "scale": "Free", "granularity": "Channel", "clip": "Max"}}
    described = {"name": "<mine>", "weights": scheme, "membrane_bits": 8, "residual_bits": 16}
    text = spiq.Setting("w3u4").to_ron()
    data = spiq.Data(*samples, validation=samples)
    report = spiq.simulate(data=data, settings=["fp32", described, text], progress=False)
    assert list(column(report.settings, "setting")) == ["fp32", "<mine>", "w3u4"]
    shown = report._repr_html_()
    assert shown.count("<tr>") == 5 + len(report.layers) and "&lt;mine&gt;" in shown and "<svg" in shown
    assert "energy_total_j" in shown and "traffic_dram_read_bits" not in shown
    assert len(column(report.settings, "traffic_dram_read_bits")) == 3


def column(table, name):
    return [row[name] for row in table] if isinstance(table, list) else list(table[name])


def test_rates_execute_nothing():
    report = spiq.simulate(rates="sdtv1_2-64_fashion", settings="w8", progress=False)
    assert report.to_dict()["settings"][0]["accuracy"] is None


def test_the_command_says_what_is_wrong(tmp_path):
    run = command("simulate", "--hw", "nowhere", cwd=tmp_path)
    assert run.returncode == 2 and run.stderr.startswith("error: ")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(settings=[]), "settings: there is none"),
        (dict(settings=["w4", "w4"]), "settings: two are named w4"),
        (dict(threads=0), "threads: 0 is not in 1..=1024"),
        (dict(data="noise", rates="sdtv1_2-64_fashion"), "one of both"),
        (dict(tables=["sop-45", "sop-45"]), "tables: sop-45 is given twice"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(spiq.Error, match=message):
        spiq.simulate(**{"settings": "w4", "progress": False} | arguments)
