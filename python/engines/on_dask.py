"""Works a planned run off on Dask, and merges it.

    spiq plan SPACE.ron -o run/
    python python/engines/on_dask.py run/ [--scheduler tcp://host:8786] [--shards 16] [--spiq PATH]

Without a scheduler it starts one on this machine. Every worker of it must see the folder and have the program. Dask gives
the shards of a worker that is lost to others; what the lost one had left is skipped.
"""

import argparse
import subprocess

from distributed import Client, LocalCluster


def work(spiq, run, shard):
    subprocess.run([spiq, "work", run, "--quiet", "--threads", "1", "--shard", shard], check=True)
    return shard


def submit(client, spiq, run, shards):
    """A future for each shard."""
    return [client.submit(work, spiq, run, f"{i}/{shards}", pure=False, retries=3) for i in range(shards)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("run")
    parser.add_argument("--scheduler")
    parser.add_argument("--shards", type=int, default=16)
    parser.add_argument("--spiq", default="spiq")
    arguments = parser.parse_args()
    cluster = arguments.scheduler or LocalCluster(threads_per_worker=1, dashboard_address=None)
    with Client(cluster) as client:
        client.gather(submit(client, arguments.spiq, arguments.run, arguments.shards))
    raise SystemExit(subprocess.run([arguments.spiq, "merge", arguments.run], check=False).returncode)


if __name__ == "__main__":
    main()
