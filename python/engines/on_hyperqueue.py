"""Works a planned run off on HyperQueue, and merges it.

    spiq plan SPACE.ron -o run/
    python python/engines/on_hyperqueue.py run/ [--server DIR] [--workers 2] [--shards 16] [--spiq PATH]

Without a server it starts one with workers on this machine. Tasks whose process is lost fail; they are submitted again,
which skips what they had left.
"""

import argparse
import os
import subprocess
import tempfile

from hyperqueue import Client, Job
from hyperqueue.cluster import LocalCluster, WorkerConfig

ROUNDS = 4


def work(client, spiq, run, shards):
    """Submits shards, and again those that failed; returns how many did."""
    failed = 0
    names = [f"{i}/{shards}" for i in range(shards)]
    for _ in range(ROUNDS):
        job = Job(max_fails=None)
        for name in names:
            job.program([spiq, "work", run, "--quiet", "--threads", "1", "--shard", name], name=name, stdout=None, stderr=None)
        submitted = client.submit(job)
        if client.wait_for_jobs([submitted], raise_on_error=False):
            return failed
        names = [names[task] for task in client.get_failed_tasks(submitted)]
        failed += len(names)
    raise SystemExit(f"these shards fail again and again: {', '.join(names)}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("run")
    parser.add_argument("--server")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--shards", type=int, default=16)
    parser.add_argument("--spiq", default="spiq")
    arguments = parser.parse_args()
    spiq, run = arguments.spiq, os.path.abspath(arguments.run)
    if arguments.server:
        work(Client(arguments.server), spiq, run, arguments.shards)
    else:
        with tempfile.TemporaryDirectory() as folder, LocalCluster(folder) as cluster:
            for _ in range(arguments.workers):
                cluster.start_worker(WorkerConfig(cores=1))
            print(work(cluster.client(), spiq, run, arguments.shards), "tasks failed and were submitted again", flush=True)
    raise SystemExit(subprocess.run([spiq, "merge", run], check=False).returncode)


if __name__ == "__main__":
    main()
