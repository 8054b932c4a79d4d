from collections.abc import Callable, Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from . import torch as torch

__version__: str

_Path = str | PathLike[str]
# Rows of a table: a pandas.DataFrame, or a list of dicts where pandas is not installed.
_Rows = Any
# numpy.ndarray, torch.Tensor, or what numpy.asarray takes.
_Array = Any
_Layout = Literal["NHW", "NCHW", "NHWC", "NTCHW"]
_Minimize = Literal["model", "footprint", "energy", "latency", "power", "edp", "edap"]

class Error(ValueError):
    file: str | None
    field: str | None
    layer: str | None
    def __init__(
        self, message: str, file: str | None = None, field: str | None = None, layer: str | None = None
    ) -> None: ...

class Model:
    def __init__(
        self,
        spec: _Path | dict[str, Any] = "sdtv1_2-64_fashion",
        *,
        weights: _Path | Mapping[str, _Array] | None = None,
        key: str | None = None,
        ignore_extra: bool = False,
        timesteps: int | None = None,
    ) -> None: ...
    @classmethod
    def family(
        cls,
        family: str,
        *,
        input: dict[str, Any],
        timesteps: int,
        classes: int,
        state_dict: Mapping[str, _Array] | None = None,
        seed: int = 1,
        name: str | None = None,
        neurons: Iterable[dict[str, Any]] = (),
        ignore_extra: bool = False,
        **hyperparameters: Any,
    ) -> Model: ...
    @classmethod
    def from_torch(
        cls,
        module: Any,
        *,
        timesteps: int,
        input_shape: tuple[int, int, int] | None = None,
        mean: Iterable[float] | None = None,
        std: Iterable[float] | None = None,
        family: str | None = None,
        input: dict[str, Any] | None = None,
        classes: int | None = None,
        neurons: Iterable[dict[str, Any]] | None = None,
        samples: Data | _Path | None = "noise",
        limit: int = 2,
        forward: Callable[[Any, Any], Any] | None = None,
        name: str | None = None,
        ignore_extra: bool = False,
        **hyperparameters: Any,
    ) -> Model: ...
    @classmethod
    def from_nir(
        cls,
        source: Any,
        *,
        timesteps: int | None = None,
        dt: float = 1e-4,
        input: Literal["events", "integers"] | None = None,
        input_shape: tuple[int, int, int] | None = None,
        max: int = 1,
        fire: Literal["above", "at"] = "above",
        reset: Literal["zero", "subtract", "subtract-delayed", "none"] = "zero",
        readout: Literal["last", "mean", "max"] | None = None,
        name: str | None = None,
    ) -> Model: ...
    @property
    def name(self) -> str: ...
    @property
    def family_name(self) -> str: ...
    @property
    def timesteps(self) -> int: ...
    @property
    def classes(self) -> int: ...
    @property
    def input_shape(self) -> tuple[int, int, int]: ...
    @property
    def parameters(self) -> dict[str, tuple[int, ...]]: ...
    @property
    def layers(self) -> dict[str, tuple[int, int, int]]: ...
    @property
    def notes(self) -> list[str]: ...
    @property
    def sha256(self) -> str: ...

class Data:
    def __init__(
        self,
        images: _Path | _Array,
        labels: _Array | None = None,
        *,
        validation: tuple[_Array, _Array] | None = None,
        name: str = "arrays",
        layout: _Layout | None = None,
        scale: float | None = None,
        classes: int | None = None,
        limit: int | None = None,
    ) -> None: ...
    @property
    def name(self) -> str: ...
    @property
    def sha256(self) -> str | None: ...
    @property
    def notes(self) -> list[str]: ...
    @property
    def classes(self) -> int | None: ...
    def __len__(self) -> int: ...

class Setting:
    def __init__(self, spec: _Path | dict[str, Any]) -> None: ...
    @property
    def name(self) -> str: ...
    def to_ron(self) -> str | None: ...
    def apply_to(
        self,
        module: Any,
        data: Data | _Path | None = None,
        *,
        model: Model | _Path | dict[str, Any] | None = None,
        forward: Callable[[Any, Any], Any] | None = None,
    ) -> torch.Applied: ...
    def save(self, path: _Path) -> None: ...

class Hardware:
    def __init__(self, spec: _Path | dict[str, Any] = "edge-28") -> None: ...
    @property
    def name(self) -> str: ...
    def to_ron(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def sha256(self) -> str: ...

class Report:
    @property
    def files(self) -> dict[str, bytes]: ...
    @property
    def json(self) -> str: ...
    def to_dict(self) -> dict[str, Any]: ...
    @property
    def settings(self) -> _Rows: ...
    @property
    def layers(self) -> _Rows: ...
    @property
    def memories(self) -> _Rows: ...
    @property
    def tables(self) -> _Rows: ...
    @property
    def plots(self) -> dict[str, str]: ...
    def write(self, dir: _Path) -> None: ...

class Found:
    dir: Path
    @property
    def setting(self) -> Setting | None: ...
    @property
    def closest(self) -> str | None: ...
    @property
    def final(self) -> dict[str, Any] | None: ...
    @property
    def json(self) -> str: ...
    def to_dict(self) -> dict[str, Any]: ...
    @property
    def plots(self) -> dict[str, str]: ...

def simulate(
    model: Model | _Path | dict[str, Any] = "sdtv1_2-64_fashion",
    data: Data | _Path | None = None,
    settings: Setting | _Path | dict[str, Any] | Iterable[Setting | _Path | dict[str, Any]] = ...,
    hardware: Hardware | _Path | dict[str, Any] = "edge-28",
    *,
    rates: _Path | None = None,
    tables: str | Iterable[str] = (),
    threads: int | None = None,
    progress: bool | None = None,
) -> Report: ...
def search(
    model: Model | _Path | dict[str, Any] = "sdtv1_2-64_fashion",
    data: Data | _Path = "fashion-mnist",
    hardware: Hardware | _Path | dict[str, Any] = "edge-28",
    *,
    max_accuracy_drop: float | None = None,
    max_model: str | None = None,
    max_footprint: str | None = None,
    max_peak: Mapping[str, str] | None = None,
    max_energy: str | None = None,
    max_power: str | None = None,
    max_latency: str | None = None,
    max_area: str | None = None,
    minimize: _Minimize = "footprint",
    strategies: str | Iterable[str] = ("ilp",),
    accelerated: bool = False,
    seeds: Iterable[int] = (1,),
    max_evaluations: int = 60,
    max_seconds: float | None = None,
    granularity: str = "tensor",
    drift: str = "relative",
    slack: float = 1.25,
    audit: bool = False,
    weight_bits: Iterable[int] = ...,
    power_of_two_bits: Iterable[int] = ...,
    schemes: Iterable[str] = (),
    membrane_bits: Iterable[int] = ...,
    calibrated: bool = False,
    limit: int | None = None,
    validation_images: int | None = None,
    confidence: float | None = None,
    out: _Path = "spiq-search",
    resume: bool = False,
    threads: int | None = None,
    progress: bool | None = None,
) -> Found: ...
