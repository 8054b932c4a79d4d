"""NIR files and graphs, through the converter of the repository, which the package carries."""

import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from . import _spiq
from ._error import Error

_CONVERTER = Path(__file__).parent / "_convert" / "nir_import.py"


def model_of(source, name, options):
    """The compiled model of a NIR file or graph, and the converter's notes of it."""
    missing = [module for module in ("h5py", "nir", "safetensors") if find_spec(module) is None]
    if missing:
        needs = ", ".join(missing)
        raise ImportError(f"Model.from_nir needs {needs}, which is not installed: pip install 'spiq[nir]'")
    with tempfile.TemporaryDirectory() as folder:
        path = source
        if not isinstance(source, (str, os.PathLike)):
            path = _written(source, Path(folder) / "graph.nir")
        described = Path(folder) / f"{name or Path(path).stem}.ron"
        words = [f"--{key.replace('_', '-')}={value}" for key, value in options.items() if value is not None]
        # A process of its own: the converter is a command, and its modules have names that others have.
        command = [sys.executable, str(_CONVERTER), *words, "--", os.fspath(path), str(described)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        lines = run.stderr.splitlines()
        if run.returncode != 0:
            raise _refused(lines, path)
        return _spiq.Model.load(str(described), None, None, False, None), [
            line.removeprefix("note: ") for line in lines if line.startswith("note: ")
        ]


def _written(graph, path):
    """The file of a ``nir.NIRGraph``."""
    import nir

    if not isinstance(graph, nir.NIRGraph):
        raise Error(f"nir: {type(graph).__name__} is no path and no nir.NIRGraph", file="nir")
    try:
        nir.write(path, graph)
    except Exception as error:
        raise Error(f"nir: the graph can not be written: {error}", file="nir") from error
    return path


def _refused(lines, path):
    """The exception of the converter's last line: ``error: file: node name: field: message``, as far as it says so."""
    _, _, message = (lines[-1] if lines else "error: the converter ended").partition("error: ")
    parts = message.split(": ")
    node = next((part.removeprefix("node ") for part in parts if part.startswith("node ")), None)
    file = os.fspath(path) if message.startswith(os.fspath(path)) else "nir"
    field = parts[2] if node is not None and len(parts) > 3 else None
    return Error(message, file=file, field=field, layer=node)
