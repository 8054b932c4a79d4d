from collections.abc import Callable, Iterable
from os import PathLike
from typing import Any

from . import Data, Model, Setting

_Path = str | PathLike[str]
# numpy.ndarray, torch.Tensor, or what numpy.asarray takes.
_Array = Any
# A function of a torch.nn.Module and an image that yields logits.
_Forward = Callable[[Any, Any], Any]

class Applied:
    module: Any
    setting: Setting
    @property
    def distance(self) -> float: ...
    def undo(self) -> None: ...
    def __enter__(self) -> Applied: ...
    def __exit__(self, *_: object) -> None: ...

class Verification:
    setting: str
    images: int
    layers: list[dict[str, Any]]
    first: dict[str, Any] | None
    logits_differing: int
    classes_differing: int
    logit_difference: float
    distance: float | None
    @property
    def differing(self) -> int: ...
    @property
    def values(self) -> int: ...
    @property
    def equal(self) -> bool: ...

class Training(Applied):
    model: Model
    @property
    def steps(self) -> int: ...
    @steps.setter
    def steps(self, steps: int) -> None: ...
    def calibrate(self) -> None: ...
    def finish(self) -> Model: ...

class Choosing(Applied):
    model: Model
    choices: list[str]
    temperature: float
    @property
    def steps(self) -> int: ...
    @property
    def chosen(self) -> dict[str, str]: ...
    def expected(self, column: str = "energy_j") -> Any: ...
    def finish(self) -> Setting: ...

def prepare_choice(
    module: Any,
    settings: Iterable[Setting | _Path | dict[str, Any]],
    costs: _Path | list[dict[str, Any]],
    data: Data | _Path | None = None,
    *,
    model: Model | _Path | dict[str, Any] | None = None,
    surrogate: Callable[[Any], Any] | None = None,
    forward: _Forward | None = None,
    compiled: bool = False,
) -> Choosing: ...
def prepare_qat(
    module: Any,
    setting: Setting | _Path | dict[str, Any],
    data: Data | _Path | None = None,
    *,
    model: Model | _Path | dict[str, Any] | None = None,
    surrogate: Callable[[Any], Any] | None = None,
    forward: _Forward | None = None,
    compiled: bool = False,
    calibrated: bool = False,
) -> Training: ...
def apply_to(
    module: Any,
    setting: Setting | _Path | dict[str, Any],
    data: Data | _Path | None = None,
    *,
    model: Model | _Path | dict[str, Any] | None = None,
    forward: _Forward | None = None,
) -> Applied: ...
def verify(
    module: Any,
    setting: Setting | _Path | dict[str, Any],
    images: Data | _Path | _Array | None = None,
    *,
    data: Data | _Path | None = None,
    model: Model | _Path | dict[str, Any] | None = None,
    limit: int = 8,
    forward: _Forward | None = None,
    dtype: Any = None,
) -> Verification: ...
