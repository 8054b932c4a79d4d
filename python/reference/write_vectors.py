"""Writes the random networks that `cargo test` replays without Python (tests/data/reference).

    OMP_NUM_THREADS=1 python write_vectors.py --out ../../tests/data/reference

Of many small networks those are kept that show something the ones before did not: an operation, a way of using
it, a word that overflows.
"""

import argparse
from pathlib import Path

import bundle
from fuzz import random_network

SEED = 2
TRIED = 3000
LARGEST_VALUES = 1500


def shown(net):
    """What a network exercises, as a set of words."""
    found = {("frames", net.timesteps)}
    for node in net.nodes[1:]:
        op, value = node["operation"], net.values[node["name"]]
        kind = op["type"]
        plain = {key: v for key, v in op.items() if isinstance(v, (str, bool)) or key in ("shift", "dilation")}
        plain |= {key: str(op[key]) for key in ("stride", "pad") if isinstance(op.get(key), int)}
        found |= {(kind, key, "sides") for key in ("size", "stride", "pad") if isinstance(op.get(key), list)}
        found |= {(kind, key, v) for key, v in plain.items()}
        told = ("membrane", "padding", "positions", "multipliers", "multiplier", "amounts")
        found |= {(kind, key) for key in told if key in op}
        found |= {(kind, "overflow", op["accumulator"]["overflow"])} if "accumulator" in op else set()
        found |= {(kind, "grouped", op["groups"] > 1)} if "groups" in op else set()
        found |= {(kind, "heads", op["heads"] > 1)} if "heads" in op else set()
        found |= {(kind, "reads", net.about[name]["kind"]) for name in node["inputs"]}
        found |= {(kind, "saturates")} if value.saturations else set()
        found |= {(kind, "wide")} if abs(value.out).max() > 2**31 else set()
        found |= {(kind, "constant", *(net.node(name)["constant"] for name in node["inputs"]))}
        found |= {(kind, "moves")} if value.out.min() != value.out.max() else set()
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    seen, kept = set(), 0
    nets = [(number, random_network(SEED, number)) for number in range(TRIED)]
    nets = [(number, net) for number, net in nets if sum(v.out.size for v in net.values.values()) <= LARGEST_VALUES]
    # Those that show the most come first, so that few suffice.
    for number, net in sorted(nets, key=lambda pair: -len(shown(pair[1]))):
        if shown(net) <= seen:
            continue
        seen |= shown(net)
        kept += 1
        bundle.write(args.out / f"{SEED}-{number}", net.nodes, net.values, net.timesteps)
    print(f"{kept} networks show {len(seen)} things")


if __name__ == "__main__":
    main()
