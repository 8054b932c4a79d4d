"""Images as a network reads them, and their random variations."""

import numpy as np
import torch

import fashion_mnist

SHIFT = 2


def to_input(images: np.ndarray) -> torch.Tensor:
    """Bytes [N, H, W] -> normalized [N, 1, H, W]."""
    x = torch.from_numpy(images.copy()).float().div_(255.0)
    return x.sub_(fashion_mnist.MEAN).div_(fashion_mnist.STD).unsqueeze(1)


def augment(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A horizontal flip of half of the images, and a shift of up to two pixels over black; [N, H, W]."""
    n, height, width = images.shape
    flip = rng.random(n) < 0.5
    images = np.where(flip[:, None, None], images[:, :, ::-1], images)
    padded = np.pad(images, ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT)))
    dy, dx = rng.integers(0, 2 * SHIFT + 1, (2, n))
    rows = (dy[:, None] + np.arange(height))[:, :, None]
    columns = (dx[:, None] + np.arange(width))[:, None, :]
    return padded[np.arange(n)[:, None, None], rows, columns]
