"""Images as a network reads them, and their random variations."""

import numpy as np
import torch


def to_input(images: np.ndarray, description: dict) -> torch.Tensor:
    """Bytes [N, H, W] or [N, H, W, C] -> [N, C, H, W], normalized as the description of a network says."""
    n, height, width = images.shape[:3]
    mean, std = (torch.tensor(description["input"][name]).view(1, -1, 1, 1) for name in ("mean", "std"))
    x = torch.from_numpy(images.reshape(n, height, width, -1).transpose(0, 3, 1, 2).copy())
    return x.float().div_(255.0).sub_(mean).div_(std)


def augment(images: np.ndarray, shift: int, rng: np.random.Generator) -> np.ndarray:
    """A horizontal flip of half of the images, and a shift of up to `shift` pixels over black; shapes stay."""
    n, height, width = images.shape[:3]
    flip = rng.random(n) < 0.5
    images = np.where(flip.reshape(-1, *[1] * (images.ndim - 1)), images[:, :, ::-1], images)
    padded = np.pad(images, [(0, 0), (shift, shift), (shift, shift)] + [(0, 0)] * (images.ndim - 3))
    dy, dx = rng.integers(0, 2 * shift + 1, (2, n))
    rows = (dy[:, None] + np.arange(height))[:, :, None]
    columns = (dx[:, None] + np.arange(width))[:, None, :]
    return padded[np.arange(n)[:, None, None], rows, columns]
