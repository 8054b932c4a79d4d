"""Writes small made-up recordings and the frames that SpikingJelly integrates them to.

    python export_frames.py

Writes, beside itself, `person.aedat` with `person_labels.csv` (as DVS128 Gesture), `3.bin` (as
N-MNIST) and `frames.json`: per recording, split and number of frames, `[frame, polarity, y, x, count]`
of every count that is not 0. SpikingJelly's own readers and functions do all of it.
tests/it/recordings.rs compares the loader with the files.
"""

import csv
import json
import struct
from importlib.metadata import version
from pathlib import Path

import numpy as np
import spikingjelly.datasets as sjds

HERE = Path(__file__).resolve().parent


def write_aedat(path: Path, rng: np.random.Generator) -> None:
    """Five packets of polarity events, one of them empty, with a packet of special events in between."""
    data = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#Start-Time: 2017-01-01\r\n#!END-HEADER\r\n"
    time_us = 10_000
    for number in [150, 0, 200, 120, 90]:
        events = b""
        for _ in range(number):
            time_us += int(rng.integers(0, 60))
            # Few pixels, so that some count more than one event.
            x, y, on = int(rng.integers(60, 68)), int(rng.integers(118, 128)), int(rng.integers(0, 2))
            events += struct.pack("<II", x << 17 | y << 2 | on << 1 | 1, time_us)
        data += struct.pack("<HHIIIIII", 1, 1, 8, 4, 0, number, number, number) + events
        data += struct.pack("<HHIIIIII", 0, 1, 8, 4, 0, 1, 1, 1) + struct.pack("<II", 1, time_us)
    path.write_bytes(data)


def write_atis(path: Path, rng: np.random.Generator) -> None:
    """300 events of an N-MNIST recording."""
    time_us, data = 0, b""
    for _ in range(300):
        time_us += int(rng.integers(0, 1200))
        x, y, on = int(rng.integers(10, 34)), int(rng.integers(28, 34)), int(rng.integers(0, 2))
        data += bytes([x, y, on << 7 | time_us >> 16, time_us >> 8 & 255, time_us & 255])
    path.write_bytes(data)


def frames(events: dict, split: str, number: int, side: int) -> list[list[int]]:
    """Counts that are not 0."""
    counts = sjds.integrate_events_by_fixed_frames_number(events, split, number, side, side)
    return [[*map(int, at), int(counts[tuple(at)])] for at in np.argwhere(counts)]


def main() -> None:
    rng = np.random.default_rng(1)
    write_aedat(HERE / "person.aedat", rng)
    write_atis(HERE / "3.bin", rng)
    recording = sjds.load_aedat_v3(str(HERE / "person.aedat"))
    samples = [("nmnist", sjds.load_ATIS_bin(str(HERE / "3.bin")), 34)]
    with open(HERE / "person_labels.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for i, row in enumerate(rows):
        # split_aedat_files_to_np of spikingjelly.datasets.dvs128_gesture.
        inside = (recording["t"] >= int(row["startTime_usec"])) & (recording["t"] < int(row["endTime_usec"]))
        samples.append((f"gesture {i}", {key: value[inside] for key, value in recording.items()}, 128))
    cases = [
        {"sample": name, "split": split, "frames": number, "counts": frames(events, split, number, side)}
        for name, events, side in samples
        for split in ["number", "time"]
        for number in [4, 7]
    ]
    golden = {"spikingjelly": version("spikingjelly"), "cases": cases}
    (HERE / "frames.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
