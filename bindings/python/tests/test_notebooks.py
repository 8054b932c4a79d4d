"""Executes the notebooks cell by cell, in a folder of their own; what the last line of a cell yields is shown."""

import ast
import json
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def execute(path):
    """The texts that the cells of a notebook show."""
    space, shown = {"__name__": "__main__"}, []
    for number, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
        if cell["cell_type"] != "code":
            continue
        tree = ast.parse("".join(cell["source"]), f"{path.name}, cell {number}")
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, f"{path.name}, cell {number}", "exec"), space)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), f"{path.name}, cell {number}", "eval"), space)
            shown.append(value._repr_html_() if hasattr(value, "_repr_html_") else repr(value))
    return shown, space


def test_there_are_three():
    assert [path.name for path in sorted(NOTEBOOKS.glob("*.ipynb"))] == [
        "from_pth_to_3_bits.ipynb",
        "layers_choose_their_bits.ipynb",
        "reading_a_report.ipynb",
    ]


def test_from_pth_to_3_bits(tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    shown, space = execute(NOTEBOOKS / "from_pth_to_3_bits.ipynb")
    assert (tmp_path / "w3u4.ron").exists() and (tmp_path / "net_w3u4.pth").exists()
    assert space["found"].values > 0 and any("w3u4" in text for text in shown)
    assert shown[-1].count("<table>") == 2
    accuracy = space["report"].to_dict()["settings"][0]["accuracy"]
    assert accuracy > 0.6, "what is shown is a network that has learned"


def test_layers_choose_their_bits(tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    _, space = execute(NOTEBOOKS / "layers_choose_their_bits.ipynb")
    assert space["chosen"].keys() == {"conv1", "conv2", "head"} and (tmp_path / "chosen.ron").exists()
    (trained,) = space["trained"].to_dict()["settings"]
    widest = next(setting for setting in space["settings"] if setting["name"] == "w4")
    assert trained["accuracy"] > 0.6 and trained["model_bytes"] < widest["model_bytes"]


def test_reading_a_report(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shown, _ = execute(NOTEBOOKS / "reading_a_report.ipynb")
    assert "<table>" in shown[0] and "<svg" in shown[-1]
    assert "edge" not in capsys.readouterr().err
