"""Trains Spike-driven Transformer v1 2-64 on Fashion-MNIST and writes safetensors.

    OMP_NUM_THREADS=1 python train.py --data FOLDER --out sdtv1_2-64_fashion.safetensors

The checkpoint of the last epoch is kept: no choice is made on test images, whose
accuracy is measured once, at the end.
"""

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn import functional

import fashion_mnist
from sdt_v1 import SpikeDrivenTransformer


def to_input(images: np.ndarray) -> torch.Tensor:
    x = torch.from_numpy(images.copy()).float().div_(255.0)
    return x.sub_(fashion_mnist.MEAN).div_(fashion_mnist.STD).unsqueeze(1)


def augment(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Horizontal flip and a shift of up to two pixels, per image."""
    n, _, h, w = x.shape
    flip = torch.rand(n, generator=generator) < 0.5
    x = torch.where(flip[:, None, None, None], x.flip(3), x)
    padded = functional.pad(x, (2, 2, 2, 2), value=-fashion_mnist.MEAN / fashion_mnist.STD)
    dy, dx = torch.randint(0, 5, (2, n), generator=generator)
    rows = (dy[:, None] + torch.arange(h))[:, None, :, None]
    columns = (dx[:, None] + torch.arange(w))[:, None, None, :]
    return padded[torch.arange(n)[:, None, None, None], torch.zeros(1, 1, 1, 1, dtype=torch.long), rows, columns]


@torch.no_grad()
def accuracy(model, images, labels) -> float:
    model.eval()
    correct = 0
    for start in range(0, len(images), 250):
        logits = model(to_input(images[start : start + 250]))
        correct += (logits.argmax(1).numpy() == labels[start : start + 250]).sum()
    return float(correct) / len(images)


def learning_rate(step: int, steps: int, peak: float) -> float:
    warmup = steps // 20
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * 0.5 * (1.0 + math.cos(math.pi * (step - warmup) / (steps - warmup)))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--depth", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--peak-rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--max-steps", type=int, default=None, help="stop early, to time a step")
    args = parser.parse_args()
    hyperparameters = ("dim", "depth", "epochs", "batch", "peak_rate", "seed")
    print(*(f"{name} {getattr(args, name)} " for name in hyperparameters), f"torch {torch.__version__}", flush=True)

    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    generator = torch.Generator().manual_seed(args.seed)
    (images, labels), validation, test = fashion_mnist.load(args.data)
    targets = torch.from_numpy(labels.astype(np.int64))
    model = SpikeDrivenTransformer(1, 10, args.dim, args.depth).to(memory_format=torch.channels_last)
    # Fused and in bfloat16 a step takes half the time; evaluation is eager and in float32.
    fused = torch.compile(model)
    print("parameters", sum(p.numel() for p in model.parameters()), flush=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.peak_rate, weight_decay=0.02)
    steps_per_epoch = len(images) // args.batch
    steps = steps_per_epoch * args.epochs
    start, step = time.time(), 0
    for epoch in range(args.epochs):
        model.train()
        total_loss = 0.0
        for batch in torch.randperm(len(images), generator=generator)[: steps_per_epoch * args.batch].split(args.batch):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, steps, args.peak_rate)
            x = augment(to_input(images[batch.numpy()]), generator)
            with torch.autocast("cpu", torch.bfloat16):
                logits = fused(x)
            loss = functional.cross_entropy(logits.float(), targets[batch], label_smoothing=0.05)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            total_loss += loss.item()
            step += 1
            if step == args.max_steps:
                print(f"{(time.time() - start) / step:.3f} s per step, loss {total_loss / step:.3f}")
                return
        print(
            f"epoch {epoch + 1:2d}  loss {total_loss / steps_per_epoch:.4f}"
            f"  validation {accuracy(model, *validation):.4f}  {time.time() - start:.0f} s",
            flush=True,
        )
        save_file({k: v.contiguous() for k, v in model.state_dict().items()}, args.out)
    print(f"test {accuracy(model, *test):.4f} on {len(test[0])} images", flush=True)


if __name__ == "__main__":
    main()
