"""Fashion-MNIST from IDX files, split into training, validation and test images."""

import gzip
from pathlib import Path

import numpy as np

# The last images of the 60,000 are held out of training: calibration and every
# choice of a setting use them, and the test images are never chosen upon.
VALIDATION_IMAGES = 5_000
# Variations shift an image by up to so many pixels.
SHIFT = 2


def read_idx(path: Path) -> np.ndarray:
    raw = gzip.decompress(path.read_bytes())
    ndim = raw[3]
    shape = np.frombuffer(raw, ">u4", ndim, 4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * ndim).reshape(shape)


def write_idx(path: Path, array: np.ndarray) -> None:
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    path.write_bytes(gzip.compress(header + array.tobytes(), 9, mtime=0))


def load(folder: Path):
    """(training, validation, test), each (images uint8 [N, 28, 28], labels uint8 [N])."""
    images = read_idx(folder / "train-images-idx3-ubyte.gz")
    labels = read_idx(folder / "train-labels-idx1-ubyte.gz")
    cut = len(images) - VALIDATION_IMAGES
    test = read_idx(folder / "t10k-images-idx3-ubyte.gz"), read_idx(folder / "t10k-labels-idx1-ubyte.gz")
    return (images[:cut], labels[:cut]), (images[cut:], labels[cut:]), test
