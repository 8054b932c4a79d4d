"""Explores a small space on Dask and on HyperQueue, kills in the middle, and compares with one process, byte by byte.

    python python/engines/check.py --spiq target/debug/spiq
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# A machine that is refused is among them.
SPACE = """Space(
    name: "engines",
    hardware: ["edge-28"],
    parameters: [
        (name: "lanes", path: "units.lanes.layouts.*.lanes.OutputChannels", also: {"units.lanes.layouts.*.lanes.Groups": 1},
         values: List([16, 32, 64, 128])),
        (name: "size", path: "memories.weight SRAM.capacity_bytes", values: List([4, "64KiB", "128KiB"])),
    ],
    networks: [(model: "sdtv1_2-64_fashion", activity: Rates("sdtv1_2-64_fashion"))],
    settings: ["w8", "w4"],
    objectives: ["energy_j", "latency_s", "area_mm2"],
)
"""
SHARDS = 6


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def on_dask(spiq, run):
    """A worker is killed while it works on a shard."""
    from distributed import Client, LocalCluster

    from on_dask import submit

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        pids = client.run(os.getpid)
        futures = submit(client, spiq, str(run), SHARDS)
        busy = None
        while busy is None and any(not future.done() for future in futures):
            busy = next((worker for worker, tasks in client.processing().items() if tasks), None)
            time.sleep(0.05)
        assert busy is not None, "every shard was done before a worker could be killed"
        os.kill(pids[busy], signal.SIGKILL)
        client.gather(futures)
    return "a worker killed on a shard"


# What the first task runs in the place of `spiq`: it works until it has left a result, and both are killed.
DIES_ONCE = """#!/bin/sh
if mkdir "{mark}" 2>/dev/null; then
    "{spiq}" "$@" &
    while kill -0 $! 2>/dev/null && [ -z "$(ls "{run}/results" 2>/dev/null)" ]; do sleep 0.01; done
    kill -9 $! 2>/dev/null
    kill -9 $$
fi
exec "{spiq}" "$@"
"""


def on_hyperqueue(spiq, run):
    """A process that works on a shard is killed."""
    from hyperqueue.cluster import LocalCluster, WorkerConfig

    from on_hyperqueue import work

    with tempfile.TemporaryDirectory() as folder, LocalCluster(folder) as cluster:
        dies_once = Path(folder) / "dies_once"
        dies_once.write_text(DIES_ONCE.format(mark=Path(folder) / "killed", spiq=spiq, run=run))
        dies_once.chmod(0o755)
        for _ in range(2):
            cluster.start_worker(WorkerConfig(cores=1))
        failed = work(cluster.client(), str(dies_once), str(run), SHARDS)
    assert failed == 1, f"{failed} tasks failed, and one was killed"
    return "a task killed and submitted again"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--spiq", default="target/debug/spiq")
    spiq = str(Path(parser.parse_args().spiq).resolve())
    sys.path.insert(0, str(Path(__file__).parent))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        space = folder / "space.ron"
        space.write_text(SPACE)
        run = lambda *words: subprocess.run([spiq, *map(str, words)], stdout=subprocess.DEVNULL, check=True)
        run("explore", space, "--quiet", "--out", folder / "one")
        expected = files(folder / "one")
        for engine in (on_dask, on_hyperqueue):
            planned = folder / engine.__name__
            run("plan", space, "--quiet", "-o", planned)
            start = time.monotonic()
            happened = engine(spiq, planned)
            run("merge", planned, "--out", folder / "merged")
            assert files(folder / "merged") == expected, f"{engine.__name__}: other bytes than one process"
            seconds = time.monotonic() - start
            print(f"{engine.__name__}: {happened}, {len(expected)} files as one process writes them, {seconds:.1f} s")


if __name__ == "__main__":
    main()
