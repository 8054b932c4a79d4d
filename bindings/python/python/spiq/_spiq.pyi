from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__version__: str

_Held = tuple[str, list[int], NDArray[np.uint8]]
_Tensor = tuple[str, str, list[int], NDArray[np.uint8]]
_Listener = Callable[[int, str, int, int], Any]

class Model:
    @staticmethod
    def load(
        spec: str, weights: str | Path | None, key: str | None, ignore_extra: bool, timesteps: int | None
    ) -> Model: ...
    @staticmethod
    def described(text: str, path: str, tensors: list[_Tensor] | None, ignore_extra: bool) -> Model: ...
    def with_weights(self, tensors: list[_Tensor], ignore_extra: bool) -> Model: ...
    name: str
    family: str
    timesteps: int
    classes: int
    sha256: str
    notes: list[str]
    input_shape: tuple[int, int, int]
    parameters: list[tuple[str, list[int]]]
    input: dict[str, Any]
    nodes: list[dict[str, Any]]
    layers: list[tuple[str, tuple[int, int, int]]]

class Data:
    @staticmethod
    def load(spec: str, model: Model) -> Data: ...
    @staticmethod
    def of_arrays(
        name: str,
        test: tuple[_Held, _Held],
        validation: tuple[_Held, _Held] | None,
        layout: str,
        scale: float | None,
        classes: int | None,
    ) -> Data: ...
    def limited(self, limit: int) -> Data: ...
    def sha256(self) -> str: ...
    name: str
    classes: int
    notes: list[str]
    counts: tuple[int, int]
    shape: tuple[int, int, int, int]

class Hardware:
    @staticmethod
    def load(spec: str) -> Hardware: ...
    @staticmethod
    def parse(text: str, path: str) -> Hardware: ...
    def to_ron(self) -> str: ...
    name: str
    description: str
    sha256: str

class Setting:
    @staticmethod
    def load(spec: str) -> Setting: ...
    @staticmethod
    def parse(text: str, path: str) -> Setting: ...
    def to_ron(self) -> str | None: ...
    def trained(self, fraction_bits: list[tuple[str, int]], residual_fraction_bits: int) -> Setting | None: ...
    name: str

class Prepared:
    def __init__(
        self, model: Model, setting: Setting, data: Data, limit: int, images: Data | None = None
    ) -> None: ...
    def __len__(self) -> int: ...
    def sample(self, i: int) -> NDArray[np.int64]: ...
    def dump(self, dir: str | Path) -> None: ...
    def parameters(self) -> list[tuple[str, list[int], NDArray[np.float64]]]: ...
    def residual_fraction_bits(self) -> int: ...
    def integers(self) -> list[dict[str, Any]]: ...

class Simulation:
    def json(self) -> str: ...
    def table(self) -> str: ...
    def files(self) -> list[tuple[str, bytes]]: ...
    def write(self, dir: str | Path) -> None: ...

class Search:
    def json(self) -> str: ...
    def table(self) -> str: ...
    def setting(self) -> str | None: ...
    def closest(self) -> str | None: ...

def main(words: list[str]) -> int: ...
def simulate(
    model: Model,
    data: Data | None,
    rates: str | None,
    settings: list[Setting],
    hardware: Hardware,
    tables: list[str],
    threads: int | None,
    listener: _Listener | None,
) -> Simulation: ...
def search_defaults() -> str: ...
def search(
    model: Model,
    data: Data,
    hardware: Hardware,
    budgets: str,
    wanted: str,
    dir: str | Path,
    resume: bool,
    threads: int | None,
    listener: _Listener | None,
) -> Search: ...
