#!/bin/sh
# All strategies at three budgets and three seeds on the bundled network, what the gate of AQ4SViT rejects
# wrongly, and the tables of it all.
# From the root of the repository, after `cargo build --release`; takes about an hour on two cores.
set -e
spiq=$(realpath ${SPIQ:-target/release/spiq})
out=results/search
found=target/search
search() {
    name=$1
    shift
    $spiq search --confidence 0 --max-evaluations 30 --max-accuracy-drop 0.015 --out $found/$name "$@"
    cp $found/$name/setting.ron $out/$name.ron
}
footprint="--minimize footprint --max-energy 10uJ"
energy="--minimize energy --max-footprint 330KiB"
latency="--minimize latency --max-footprint 330KiB"
plain="--strategy all --seed 1,2,3"
search footprint $footprint $plain
search energy $energy $plain
search latency $latency $plain
for drift in relative threshold flips rates; do
    for slack in 1 1.25; do
        $spiq search --confidence 0 --strategy aq4svit-greedy --accelerated --audit --drift $drift --slack $slack --max-evaluations 30 \
            --max-accuracy-drop 0.015 $footprint --out $found/gate-$drift-$slack
    done
done
for objective in footprint energy latency; do
    cp $found/$objective/plots/trace.svg $out/plots/trace_$objective.svg
done
cp $found/footprint/plots/front_accuracy_footprint.svg $found/energy/plots/front_accuracy_energy.svg $out/plots
cd $found
python3 ../../$out/summarize.py --check $spiq footprint energy latency gate-* > ../../$out/README.md
