"""Prints the fastest and the median sample of every benchmark in target/criterion.

    python3 benches/summarize.py > results/benchmarks/<date>-<processor>.txt
"""

import json
import statistics
from pathlib import Path


def main():
    print(f"{'benchmark':56} {'fastest':>14} {'median':>14}   elements/s")
    for sample in sorted(Path("target/criterion").glob("**/new/sample.json")):
        about = json.loads(sample.with_name("benchmark.json").read_text())
        elements = about["throughput"]["Elements"]
        data = json.loads(sample.read_text())
        rates = [elements * n * 1e9 / t for n, t in zip(data["iters"], data["times"])]
        print(f"{about['full_id']:56} {max(rates):14.4g} {statistics.median(rates):14.4g}")


if __name__ == "__main__":
    main()
