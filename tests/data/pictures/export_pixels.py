"""Writes small pictures and the bytes that Pillow decodes them to.

    python export_pixels.py

Writes, beside itself, JPEG and PNG files and `pixels.json`: per file its width, its height and the SHA-256 of its
pixels after `Image.open(path).convert("RGB")`, row by row. tests/it/data_sets.rs compares the decoders with them.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
from PIL import Image, features

HERE = Path(__file__).resolve().parent
# Written, and not decoded: the loader refuses it.
REFUSED = "cmyk"


def picture(width: int, height: int) -> Image.Image:
    """Smooth colours with a disk, stripes and a little noise: what subsampled chroma smears."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    planes = [255 * x / width, 255 * y / height, 127 * (1 + np.sin(x / 3) * np.cos(y / 5))]
    pixels = np.stack(planes, -1)
    pixels[(x - width / 3) ** 2 + (y - height / 2) ** 2 < (height / 4) ** 2] = [230, 20, 60]
    pixels[:, 2 * width // 3 : 2 * width // 3 + 3] = [10, 200, 30]
    pixels += np.random.default_rng(0).normal(0, 6, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def main() -> None:
    odd, even, thin = picture(37, 29), picture(48, 32), picture(3, 41)
    jpeg = {
        "444": (odd, {"subsampling": "4:4:4", "quality": 85}),
        "422": (odd, {"subsampling": "4:2:2", "quality": 75}),
        "420": (odd, {"subsampling": "4:2:0", "quality": 75}),
        "420_coarse": (even, {"subsampling": "4:2:0", "quality": 10}),
        "420_fine": (even, {"subsampling": "4:2:0", "quality": 98, "optimize": True}),
        "420_thin": (thin, {"subsampling": "4:2:0", "quality": 60}),
        "420_progressive": (odd, {"subsampling": "4:2:0", "quality": 80, "progressive": True}),
        "420_restarts": (even, {"subsampling": "4:2:0", "quality": 70, "restart_marker_blocks": 2}),
        "grey": (odd.convert("L"), {"quality": 80}),
        REFUSED: (thin.convert("CMYK"), {"quality": 80}),
    }
    png = {
        "colours": odd,
        "palette": odd.quantize(16),
        "two_levels": odd.convert("1"),
        "opaque": odd.convert("RGBA"),
    }
    for name, (image, options) in jpeg.items():
        image.save(HERE / f"{name}.jpg", **options)
    progressive = (HERE / "420_progressive.jpg").read_bytes()
    third_scan = [i for i in range(len(progressive)) if progressive[i : i + 2] == b"\xff\xda"][2]
    # What is missing of blocks is smoothed.
    (HERE / "420_first_scans.jpg").write_bytes(progressive[:third_scan] + b"\xff\xd9")
    for name, image in png.items():
        image.save(HERE / f"{name}.png", optimize=True)
    found = {}
    for path in sorted([*HERE.glob("*.jpg"), *HERE.glob("*.png")]):
        if path.stem == REFUSED:
            continue
        pixels = np.asarray(Image.open(path).convert("RGB"))
        height, width, _ = pixels.shape
        found[path.name] = [width, height, hashlib.sha256(pixels.tobytes()).hexdigest()]
    made_by = f"Pillow {Image.__version__}, libjpeg-turbo {features.version('libjpeg_turbo')}"
    text = json.dumps({"made_by": made_by, "pixels": found}, indent=1)
    (HERE / "pixels.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
