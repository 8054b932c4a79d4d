"""Executes quantized spiking vision transformers bit for bit, and charges a described accelerator for exactly that.

    import spiq

    model = spiq.Model("sdtv1_2-64_fashion")
    report = spiq.simulate(model, "fashion-mnist", settings=["fp32", "w8", "w4"], hardware="edge-28")
    found = spiq.search(model, "fashion-mnist", max_accuracy_drop=0.015, max_energy="6uJ", minimize="model")

:mod:`spiq.torch` takes networks from PyTorch and verifies settings there.
"""

from . import torch
from ._error import Error
from ._report import Found, Report
from ._run import search, simulate
from ._spiq import __version__
from ._subject import Data, Hardware, Model, Setting

__all__ = [
    "Data", "Error", "Found", "Hardware", "Model", "Report", "Setting", "__version__", "search", "simulate", "torch",
]
