"""One training run that continues where it was ended, at any time and by any means."""

import math
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from images import augment, to_input

STEPS_PER_CHECKPOINT = 50
WEIGHT_DECAY = 0.02
LABEL_SMOOTHING = 0.05
# Random choices are functions of seed, purpose and index: no generator has a state to be kept.
ORDER, VARIATION = 0, 1


@dataclass
class Recipe:
    """What, beside the description of the network, decides the weights that come out."""

    epochs: int
    batch: int
    peak_rate: float
    seed: int

    def rate(self, step: int, steps: int) -> float:
        """Learning rate: linear over the first twentieth of the steps, then half a cosine to 0."""
        warmup = steps // 20
        if step < warmup:
            return self.peak_rate * (step + 1) / warmup
        return self.peak_rate * 0.5 * (1.0 + math.cos(math.pi * (step - warmup) / (steps - warmup)))

    def rng(self, purpose: int, index: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, purpose, index))


class Training:
    """Network, optimizer, and how far they have come.

    `step` counts batches, `loss` is the sum over those of the current epoch, `seconds` is the time that the
    processor spent, `log` has the lines of the epochs that are over.
    """

    def __init__(
        self, network: nn.Module, description: dict, recipe: Recipe, data, shift: int, folder: Path
    ):
        self.network, self.description, self.recipe = network, description, recipe
        (self.images, self.labels), self.validation, self.test = data
        self.shift = shift
        self.folder, self.name = folder, description["name"]
        self.network.to(memory_format=torch.channels_last)
        self.compiled = torch.compile(self.network)
        self.optimizer = torch.optim.AdamW(network.parameters(), recipe.peak_rate, weight_decay=WEIGHT_DECAY)
        self.step, self.loss, self.seconds, self.log = 0, 0.0, 0.0, []
        self.steps_per_epoch = len(self.images) // recipe.batch
        self.steps = self.steps_per_epoch * recipe.epochs

    def path(self, suffix: str) -> Path:
        return self.folder / f"{self.name}.{suffix}"

    def run(self, last_step: int | None = None) -> None:
        """Trains to the end, or to `last_step`; the end writes the weights and their accuracy."""
        self.resume()
        while self.step < min(self.steps, last_step or self.steps):
            self.train_step()
            if self.step % self.steps_per_epoch == 0:
                self.end_epoch()
            if self.step % STEPS_PER_CHECKPOINT == 0 or self.step in (last_step, self.steps):
                self.save()
        if self.step == self.steps:
            self.export()

    def train_step(self) -> None:
        start = time.process_time()
        epoch, index = divmod(self.step, self.steps_per_epoch)
        order = self.recipe.rng(ORDER, epoch).permutation(len(self.images))
        batch = order[index * self.recipe.batch : (index + 1) * self.recipe.batch]
        images = augment(self.images[batch], self.shift, self.recipe.rng(VARIATION, self.step))
        x = to_input(images, self.description)
        targets = torch.from_numpy(self.labels[batch].astype(np.int64))
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.rate(self.step, self.steps)
        self.network.train()
        loss = self.loss_of(x, targets)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        self.loss += loss.item()
        self.seconds += time.process_time() - start

    def loss_of(self, x: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(self.compiled(x), targets, label_smoothing=LABEL_SMOOTHING)

    def end_epoch(self) -> None:
        epoch = self.step // self.steps_per_epoch
        self.report(
            f"epoch {epoch:2d}  loss {self.loss / self.steps_per_epoch:.4f}"
            f"  validation {self.accuracy(*self.validation):.4f}  {self.seconds:.0f} s"
        )
        self.loss = 0.0

    def report(self, line: str) -> None:
        """Adds a line to the log, whose file is that of the lines since the start, whatever ended in between."""
        self.log.append(line)
        print(self.name, line, flush=True)
        lines = "".join(f"{line}\n" for line in self.log)
        replace(self.path("log"), lambda file: file.write(lines.encode()))

    def header(self) -> str:
        recipe = "  ".join(f"{name} {value}" for name, value in asdict(self.recipe).items())
        parameters = sum(parameter.numel() for parameter in self.network.parameters())
        return f"parameters {parameters}  {recipe}  torch {torch.__version__}"

    def save(self) -> None:
        state = {
            "description": self.description,
            "recipe": asdict(self.recipe),
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "progress": {key: getattr(self, key) for key in ("step", "loss", "seconds", "log")},
        }
        replace(self.path("checkpoint"), lambda file: torch.save(state, file))

    def resume(self) -> None:
        """Continues from the checkpoint, if there is one.

        Raises ValueError if it is one of another description or recipe.
        """
        if not self.path("checkpoint").exists():
            self.report(self.header())
            return
        state = torch.load(self.path("checkpoint"), weights_only=True)
        for part, here in (("description", self.description), ("recipe", asdict(self.recipe))):
            if state[part] != here:
                raise ValueError(f"{self.path('checkpoint')}: its {part} is {state[part]}, here {here}")
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        for key, value in state["progress"].items():
            setattr(self, key, value)
        print(f"{self.name} continues at step {self.step} of {self.steps}", flush=True)

    def export(self) -> None:
        """Weights in bfloat16, all that normalizations and biases hold in single precision.

        Accuracy is measured on what was rounded; the test images are seen here for the first time.
        """
        weights = rounded(self.network)
        self.network.load_state_dict(weights, strict=False)
        validation, test = (self.accuracy(*part) for part in (self.validation, self.test))
        self.report(f"bfloat16  validation {validation:.4f}  test {test:.4f} on {len(self.test[0])} images")
        replace(self.path("safetensors"), lambda file: save_file(weights, file.name))

    @torch.no_grad()
    def accuracy(self, images: np.ndarray, labels: np.ndarray) -> float:
        """Share of the images whose class is right, in single precision and as it is written."""
        self.network.eval()
        correct = 0
        for start in range(0, len(images), 250):
            logits = self.network(to_input(images[start : start + 250], self.description))
            correct += int((logits.argmax(1).numpy() == labels[start : start + 250]).sum())
        return correct / len(images)


def rounded(network: nn.Module) -> dict[str, torch.Tensor]:
    """State of a network without counters of batches; matrices and kernels in bfloat16."""
    state = {key: value for key, value in network.state_dict().items() if value.is_floating_point()}
    types = {key: torch.bfloat16 if value.dim() > 1 else torch.float32 for key, value in state.items()}
    return {key: value.to(types[key]).contiguous() for key, value in state.items()}


def replace(path: Path, write) -> None:
    """Gives `write` a file to fill, which then takes the place of `path`: whole, or not at all."""
    pending = path.with_name(f"{path.name}.pending")
    with open(pending, "wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(pending, path)
