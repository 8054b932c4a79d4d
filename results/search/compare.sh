#!/bin/sh
# All strategies at three budgets and three seeds on the bundled network, and the tables of their results.
# From the root of the repository, after `cargo build --release`.
set -e
spiq=target/release/spiq
out=results/search
search() {
    name=$1
    shift
    $spiq search --strategy all --seed 1,2,3 --max-evaluations 30 --validation-images 2500 --max-accuracy-drop 0.015 --out $out/$name "$@"
}
search memory --minimize memory --max-energy 10uJ
search energy --minimize energy --max-memory 330KiB
search latency --minimize latency --max-memory 330KiB
python3 $out/summarize.py $out/memory $out/energy $out/latency > $out/README.md
