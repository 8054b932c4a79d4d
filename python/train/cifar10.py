"""CIFAR-10 from a folder of JPEG files, `train/CLASS/NUMBER.jpg` and `test/CLASS/NUMBER.jpg`."""

from pathlib import Path

import numpy as np
from PIL import Image

# The last files of every class, held out of training as those of Fashion-MNIST are.
VALIDATION_IMAGES_OF_A_CLASS = 500
# Variations shift an image by up to so many pixels.
SHIFT = 4


def read_part(folder: Path):
    """(images uint8 [N, 32, 32, 3], labels uint8 [N]); classes take turns, as in `spiq`."""
    classes = sorted(path for path in folder.iterdir() if path.is_dir())
    files = [sorted(path.glob("*.jpg")) for path in classes]
    turns = [(path, label) for turn in zip(*files, strict=True) for label, path in enumerate(turn)]
    images = np.stack([np.asarray(Image.open(path)) for path, _ in turns])
    return images, np.array([label for _, label in turns], np.uint8)


def load(folder: Path):
    """(training, validation, test)."""
    images, labels = read_part(folder / "train")
    cut = len(images) - VALIDATION_IMAGES_OF_A_CLASS * (int(labels.max()) + 1)
    return (images[:cut], labels[:cut]), (images[cut:], labels[cut:]), read_part(folder / "test")
