"""What was found out, as tables, pictures and files."""

import csv
import html
import io
import json

from ._subject import Setting


def _rows(text):
    """A CSV table as a list of dicts: numbers as numbers, nothing as None."""
    return [{name: _number(value) for name, value in row.items()} for row in csv.DictReader(io.StringIO(text))]


def _frame(text):
    """A CSV table as a DataFrame where pandas is installed, else as a list of dicts."""
    rows = _rows(text)
    try:
        import pandas
    except ImportError:
        return rows
    rows = [{name: float("nan") if value is None else value for name, value in row.items()} for row in rows]
    return pandas.DataFrame(rows, columns=next(csv.reader(io.StringIO(text))))


# Columns that a notebook shows.
_OF_SETTING = (
    "setting accuracy average_weight_bits model_bytes footprint_total_bytes latency_s energy_total_j power_w spikes "
    "saturations"
).split()
_OF_LAYER = (
    "setting layer kind weight_bits membrane_bits weight_bytes synaptic_operations spike_rate saturations cycles_total "
    "cycles_ideal stall_cycles energy_total_j"
).split()


def _html(rows, columns):
    """Columns of a table, as a notebook shows them; fractions to four digits."""
    head = "".join(f"<th>{name}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(f'<td>{_cell(row[name])}</td>' for name in columns)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value):
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else html.escape(str(value))


def _number(text):
    if text == "":
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


class Plots(dict):
    """Pictures by name, as SVG text; a notebook shows them."""

    def _repr_html_(self):
        return "".join(f"<figure>{svg}</figure>" for svg in self.values())


class Report:
    """What :func:`spiq.simulate` found out. ``str`` of it is the table of the command line."""

    def __init__(self, inner):
        self._inner = inner
        self._files = None

    @property
    def files(self):
        """Bytes of every file of the report, by its path inside the folder."""
        if self._files is None:
            self._files = dict(self._inner.files())
        return self._files

    def _table(self, name):
        return _frame(self.files[name].decode())

    @property
    def json(self):
        """``report.json``, to the byte."""
        return self._inner.json()

    def to_dict(self):
        """``report.json`` as a dict."""
        return json.loads(self.json)

    @property
    def settings(self):
        """One row per setting: accuracy, bytes, cycles, seconds, joules, each with its unit in its name."""
        return self._table("settings.csv")

    @property
    def layers(self):
        """One row per setting and layer."""
        return self._table("layers.csv")

    @property
    def memories(self):
        """One row per setting and on-chip memory."""
        return self._table("memories.csv")

    @property
    def tables(self):
        """One row per table of energies and setting."""
        return self._table("tables.csv")

    @property
    def plots(self):
        """Pictures by name, as SVG text."""
        inside = ((path, data) for path, data in self.files.items() if path.endswith(".svg"))
        return Plots((path.removeprefix("plots/").removesuffix(".svg"), data.decode()) for path, data in inside)

    def write(self, dir):
        """Writes every file into the folder ``dir``, all or nothing, as ``spiq simulate --out`` does."""
        self._inner.write(dir)

    def __str__(self):
        return self._inner.table()

    def __repr__(self):
        return str(self)

    def _repr_html_(self):
        """The settings; the layers of all of them, folded; the energy of each setting. The tables have all columns."""
        settings = _html(_rows(self.files["settings.csv"].decode()), _OF_SETTING)
        layers = _html(_rows(self.files["layers.csv"].decode()), _OF_LAYER)
        figure = self.plots.get("energy", "")
        return f"{settings}<details><summary>layers</summary>{layers}</details><figure>{figure}</figure>"


class Found:
    """What :func:`spiq.search` found. ``str`` of it is the table of the command line.

    Attributes:
        dir: The folder with ``setting.ron``, ``search.json``, ``fronts/``, ``plots/`` and the log.
    """

    def __init__(self, inner, dir, searched):
        self._inner = inner
        self.dir = dir
        self._searched = searched

    @property
    def setting(self):
        """The setting that meets all budgets on the validation images; None where there is none.

        It knows the model and the data that the search looked at, as ``setting.apply_to(net)`` needs them.
        """
        text = self._inner.setting()
        if text is None:
            return None
        setting = Setting(text)
        setting._searched = self._searched
        return setting

    @property
    def closest(self):
        """Where no setting meets all budgets, what the closest one lacks; else None."""
        return self._inner.closest()

    @property
    def final(self):
        """What the setting does on the test images: accuracy, bytes, joules, seconds, watts; or None."""
        return self.to_dict()["final"]

    @property
    def json(self):
        """``search.json``, to the byte."""
        return self._inner.json()

    def to_dict(self):
        """``search.json`` as a dict."""
        return json.loads(self.json)

    @property
    def plots(self):
        """Pictures by name, as SVG text."""
        files = sorted((self.dir / "plots").glob("*.svg"))
        return Plots((file.stem, file.read_text(encoding="utf-8")) for file in files)

    def __str__(self):
        return self._inner.table()

    def __repr__(self):
        return str(self)

    def _repr_html_(self):
        return f"<pre>{html.escape(str(self))}</pre>"
