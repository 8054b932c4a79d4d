"""Hand-worked neurons and gradients; a run that is ended and continued is the run that was not.

    OMP_NUM_THREADS=1 python -m unittest test_training
"""

import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import torch

import images
from neurons import Lif, MultiSpike
from train import build
from training import Recipe, Training

DESCRIPTION = {
    "name": "tiny",
    "family": {
        "": "Spikformer",
        **{"dim": 8, "depth": 1, "heads": 2, "mlp_ratio": 2, "pooling": [True, False, True, False]},
        **{"layers": "Linear", "order": "QueryKeyFirst", "scale": 0.125},
    },
    "input": {"": "Image", "shape": [1, 28, 28], "mean": [0.286], "std": [0.353]},
    "timesteps": 2,
    "classes": 10,
}
RECIPE = Recipe(epochs=2, batch=8, peak_rate=1e-2, seed=3)


class Neurons(unittest.TestCase):
    def test_lif_by_hand(self):
        # Potentials 0.75, 0.375 + 0.75 = 1.125 (fires, resets), 0.75.
        x = torch.full((3, 1), 1.5)
        self.assertEqual(Lif()(x).flatten().tolist(), [0, 1, 0])
        # The threshold itself fires.
        self.assertEqual(Lif(0.75)(x).flatten().tolist(), [1, 1, 1])

    def test_gradient_by_hand(self):
        # Potentials 0.5 and 0.25 + 0.5; derivatives of the step 1 / (1 + pi^2 / 4) and 1 / (1 + pi^2 / 16).
        x = torch.ones(2, 1, requires_grad=True)
        Lif()(x).sum().backward()
        first, second = 1 / (1 + np.pi**2 / 4), 1 / (1 + np.pi**2 / 16)
        np.testing.assert_allclose(x.grad.flatten(), [first / 2 + second / 4, second / 2], rtol=1e-6)

    def test_reset_carries_no_gradient(self):
        x = torch.tensor([[2.0], [1.0]], requires_grad=True)
        Lif()(x)[1].sum().backward()
        self.assertEqual(x.grad[0].item(), 0)

    def test_integer_spikes_by_hand(self):
        x = torch.tensor([-1.0, 0.5, 1.5, 2.6, 9.0], requires_grad=True)
        spikes = MultiSpike(4, norm=4)(x)
        self.assertEqual(spikes.tolist(), [0, 0, 0.5, 0.75, 1])
        spikes.sum().backward()
        self.assertEqual(x.grad.tolist(), [0, 0.25, 0.25, 0.25, 0])


class Images(unittest.TestCase):
    def test_variations_are_flips_and_shifts_over_black(self):
        image = np.zeros((400, 28, 28), np.uint8)
        image[:, 14, 10] = 7
        _, y, x = np.nonzero(images.augment(image, 2, np.random.default_rng(1)))
        # Column 10, or 17 where it was flipped; moved by -2 to 2.
        self.assertEqual(set(y), set(range(12, 17)))
        self.assertEqual(set(x), {*range(8, 13), *range(15, 20)})


class Continued(unittest.TestCase):
    def training(self, folder):
        rng = np.random.default_rng(1)
        part = rng.integers(0, 256, (24, 28, 28), np.uint8), rng.integers(0, 10, 24, np.uint8)
        torch.manual_seed(1)
        with mock.patch("torch.compile", lambda network: network):
            return Training(build(DESCRIPTION), DESCRIPTION, RECIPE, (part, part, part), 2, Path(folder))

    def test_ended_and_continued_at_any_step(self):
        with tempfile.TemporaryDirectory() as whole, tempfile.TemporaryDirectory() as parts:
            self.training(whole).run()
            for last in (1, 3, 4, None):
                self.training(parts).run(last)
            weights = [(Path(folder) / "tiny.safetensors").read_bytes() for folder in (whole, parts)]
            self.assertEqual(weights[0], weights[1])
            logs = [(Path(folder) / "tiny.log").read_text().splitlines() for folder in (whole, parts)]
            self.assertEqual([len(log) for log in logs], [4, 4])
            self.assertEqual(logs[0][-1], logs[1][-1])

    def test_another_recipe_does_not_continue(self):
        with tempfile.TemporaryDirectory() as folder:
            self.training(folder).run(1)
            other = self.training(folder)
            other.recipe = Recipe(epochs=3, batch=8, peak_rate=1e-2, seed=3)
            with self.assertRaisesRegex(ValueError, "its recipe is .*'epochs': 2"):
                other.run()


if __name__ == "__main__":
    unittest.main()
