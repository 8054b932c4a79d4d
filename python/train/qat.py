"""Trains a network with the integers of a setting, from its float weights or from calibrated integers on.

    OMP_NUM_THREADS=1 python qat.py --data FOLDER --out FOLDER --setting w3 MODEL.ron

Run again with the options it had, it continues where it was ended. Nothing is chosen on test images: the
integers are those of the last step.
"""

import argparse
import copy
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional

import spiq
import train  # Neurons of this folder, before the networks ask for any.
import ron
from build import build
from images import to_input
from training import LABEL_SMOOTHING, Recipe, Training, replace


@dataclass
class QatRecipe(Recipe):
    """`setting` is the name of one, or the text of its file.

    `distil` is the part of the loss that asks for the classes of the float network, as likely as that has them
    (Hinton et al., arXiv 1503.02531, at temperature 1), and not for the right one.
    """

    setting: str
    calibrated: bool
    distil: float


class QuantizedTraining(Training):
    """A training run whose every forward pass computes integers; what it writes is their network and setting."""

    def __init__(self, path: Path, weights: Path, recipe: QatRecipe, data, folder: Path, name: str, compiled=True):
        description = ron.read(path)
        network = build(description)
        network.load_state_dict(load_file(weights), strict=False)
        model = spiq.Model(str(path), weights=str(weights))
        self.shown = spiq.Data("fashion-mnist", limit=len(data[2][0]))
        self.teacher = teacher_of(network) if recipe.distil else None
        arguments = dict(data=self.shown, model=model, compiled=compiled, calibrated=recipe.calibrated)
        self.qat = spiq.torch.prepare_qat(network, recipe.setting, **arguments)
        super().__init__(network, description, recipe, data, train.fashion_mnist.SHIFT, folder)
        self.name = name
        self.compiled = self.network
        # Weights stay close to those that training starts from, and steps are not to shrink.
        self.optimizer = torch.optim.Adam(network.parameters(), recipe.peak_rate)

    def loss_of(self, x, targets):
        x = x.to(memory_format=torch.channels_last)
        reset(self.network)
        if self.teacher is None:
            return super().loss_of(x, targets)
        with torch.no_grad():
            likely = self.teacher(x).softmax(1)
        logits, distil = self.compiled(x), self.recipe.distil
        asked = functional.cross_entropy(logits, targets, label_smoothing=LABEL_SMOOTHING)
        return (1.0 - distil) * asked + distil * functional.cross_entropy(logits, likely)

    def accuracy(self, images, labels):
        self.network.eval()
        correct = 0
        for start in range(0, len(images), self.recipe.batch):
            reset(self.network)
            batch = slice(start, start + self.recipe.batch)
            with torch.no_grad():
                logits = self.network(to_input(images[batch], self.description))
            correct += int((logits.argmax(1).numpy() == labels[batch]).sum())
        return correct / len(images)

    def resume(self):
        super().resume()
        self.qat.steps = self.step
        if self.step:
            self.qat.calibrate()

    def end_epoch(self):
        self.qat.calibrate()
        super().end_epoch()

    def export(self):
        """Weights in single precision, on their grids, and the setting; accuracy is that of the library."""
        self.network.eval()
        model = self.qat.finish()
        found = spiq.torch.verify(self.network, self.qat.setting, limit=8)
        report = spiq.simulate(model, self.shown, settings=[self.qat.setting])
        (row,) = report.settings if isinstance(report.settings, list) else report.settings.to_dict("records")
        self.report(
            f"integers  {found.differing} spikes differ on 8 images"
            f"  test {row['accuracy']:.4f} on {len(self.test[0])} images"
        )
        state = self.network.state_dict().items()
        weights = {name: value.contiguous() for name, value in state if value.is_floating_point()}
        replace(self.path("safetensors"), lambda file: save_file(weights, file.name))
        replace(self.path("ron"), lambda file: file.write(self.qat.setting.to_ron().encode()))


def reset(network):
    """Membranes are what they are before the first timestep."""
    for part in network.modules():
        if hasattr(part, "surrogate_function"):
            part.reset()


def teacher_of(network):
    """The float network as it is, which learns nothing."""
    teacher = copy.deepcopy(network).eval().requires_grad_(False).to(memory_format=torch.channels_last)
    return torch.compile(teacher)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, metavar="MODEL.ron", help="models/*.ron, with its weights beside it")
    parser.add_argument("--weights", type=Path, help="float weights that training starts from")
    parser.add_argument("--setting", required=True, help="name of a setting, such as w3, or its file")
    parser.add_argument("--calibrated", action="store_true", help="start from the calibrated integers of the setting")
    parser.add_argument("--distil", type=float, default=0.0, help="part of the loss that is of the float network")
    parser.add_argument("--data", type=Path, required=True, help="folder of the images of Fashion-MNIST")
    parser.add_argument("--out", type=Path, required=True, help="folder of weights, logs and checkpoints")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--peak-rate", type=float, default=5e-4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--last-step", type=int, help="end there, to time a step or to try a setting")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    setting = Path(args.setting)
    text = setting.read_text() if setting.suffix == ".ron" else args.setting
    recipe = QatRecipe(args.epochs, args.batch, args.peak_rate, args.seed, text, args.calibrated, args.distil)
    weights = args.weights or args.model.with_suffix(".safetensors")
    name = f"{args.model.stem}-{setting.stem}-{args.seed}"
    data = train.fashion_mnist.load(args.data)
    training = QuantizedTraining(args.model, weights, recipe, data, args.out, name)
    if training.path("safetensors").exists():
        print(f"{name} is trained", flush=True)
    else:
        training.run(args.last_step)


if __name__ == "__main__":
    main()
