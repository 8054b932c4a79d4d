"""A run that trains integers: continued, it ends in the bytes of one that never stopped, and the library agrees.

    OMP_NUM_THREADS=1 python -m unittest test_qat
"""

import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

import spiq
from images import to_input
from qat import QatRecipe, QuantizedTraining, build, ron
from training import rounded

MODEL = """Model(
    name: "tiny",
    family: SpikeDrivenV1(dim: 16, depth: 1, heads: 2, mlp_ratio: 2, pooling: (true, true, true, false)),
    input: Image(shape: (1, 28, 28), mean: [0.286], std: [0.353], bits: 8),
    timesteps: 2,
    classes: 10,
    weights: File("tiny.safetensors"),
)
"""


class Quantized(unittest.TestCase):
    def training(self, folder, **changed):
        folder = Path(folder)
        path, weights = folder / "tiny.ron", folder / "tiny.safetensors"
        if not path.exists():
            path.write_text(MODEL)
            torch.manual_seed(1)
            save_file(rounded(build(ron.read(path))), weights)
        rng = np.random.default_rng(1)
        part = rng.integers(0, 256, (24, 28, 28), np.uint8), rng.integers(0, 10, 24, np.uint8)
        asked = dict(setting="w3u6", calibrated=False, distil=0.0)
        recipe = QatRecipe(**dict(epochs=2, batch=8, peak_rate=1e-2, seed=3) | asked | changed)
        return QuantizedTraining(path, weights, recipe, (part, part, part), folder, "tiny-w3u6", compiled=False)

    def test_ended_and_continued_at_any_step(self):
        with tempfile.TemporaryDirectory() as whole, tempfile.TemporaryDirectory() as parts:
            self.training(whole).run()
            for last in (1, 4, None):
                self.training(parts).run(last)
            for suffix in ("safetensors", "ron"):
                found = [(Path(folder) / f"tiny-w3u6.{suffix}").read_bytes() for folder in (whole, parts)]
                self.assertEqual(found[0], found[1])
            log = (Path(parts) / "tiny-w3u6.log").read_text().splitlines()
            self.assertEqual(len(log), 4)
            self.assertIn("0 spikes differ", log[-1])
            written = [str(Path(parts) / name) for name in ("tiny.ron", "tiny-w3u6.safetensors", "tiny-w3u6.ron")]
            model = spiq.Model(written[0], weights=written[1])
            report = spiq.simulate(model, spiq.Data("fashion-mnist", limit=24), settings=[written[2]], progress=False)
            (row,) = report.settings if isinstance(report.settings, list) else report.settings.to_dict("records")
            self.assertIn(f"test {row['accuracy']:.4f}", log[-1])

    def test_a_loss_of_the_float_network_alone_is_least_for_its_own_logits(self):
        """Labels do not count; calibrated at 8 bits, the loss is hardly above the entropy of what the teacher says."""
        with tempfile.TemporaryDirectory() as folder:
            training = self.training(folder, setting="w8", calibrated=True, distil=1.0)
            training.network.eval()
            x = to_input(training.images[:8], training.description)
            likely = training.teacher(x).softmax(1)
            entropy = -(likely * likely.log()).sum(1).mean()
            losses = [float(training.loss_of(x, torch.full((8,), label))) for label in (0, 9)]
            self.assertEqual(*losses)
            self.assertTrue(-1e-6 < losses[0] - entropy < 0.05, (losses, entropy))

    def test_a_loss_that_is_not_finite_says_layer_and_step(self):
        with tempfile.TemporaryDirectory() as folder:
            self.training(folder).run(2)
            before = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
            training = self.training(folder)
            training.loss_of = lambda x, targets: training.network(x).sum() * float("nan")
            with self.assertRaisesRegex(spiq.Error, "training step 3: .* gradient of its weights is not finite"):
                training.run()
            self.assertEqual(before, {path.name: path.read_bytes() for path in Path(folder).iterdir()})


if __name__ == "__main__":
    unittest.main()
