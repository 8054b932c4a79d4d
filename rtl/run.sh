#!/usr/bin/env bash
# Compares layers that `spiq export rtl DIR` wrote with the units of this folder, in Icarus Verilog.
#
#     rtl/run.sh DIR...       folders with layer.vh, or folders of such folders
#     rtl/run.sh              the benches of units alone: attention neuron, bytes of ternary weights, popcount, multiplier,
#                             requantizer
#
# One line per layer: "PASS n values" or the first mismatch. Exit code 0 only if every layer passes and there is one.
set -euo pipefail
rtl=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$(mktemp -d)
trap 'rm -r "$build"' EXIT

# Warnings are errors: iverilog prints them to standard error and nothing else.
compile() {
    local top=$1
    shift
    iverilog -g2012 -Wall -s "$top" -o "$build/bench.vvp" "$@" 2>"$build/warnings" || true
    if [[ -s $build/warnings ]]; then
        cat "$build/warnings" >&2
        return 1
    fi
}

# "tb_layer" or "tb_attention", by the files that stand in the folder.
bench() {
    local folder=$1
    local top=tb_attention units=("$rtl/ssa_neuron.sv")
    if [[ -e $folder/w.mem ]]; then
        top=tb_layer units=("$rtl"/{accumulate_column,lif,design/lif_step}.sv)
    fi
    compile "$top" -I "$folder" "$rtl/$top.sv" "${units[@]}" && vvp -n "$build/bench.vvp" +dir="$folder"
}

if [[ $# == 0 ]]; then
    for unit in ssa_neuron trits popcount multiply_accumulate requantize; do
        source=$rtl/$unit.sv
        [[ -e $source ]] || source=$rtl/design/$unit.sv
        compile "tb_$unit" "$rtl/tb_$unit.sv" "$source"
        vvp -n "$build/bench.vvp"
    done
    exit
fi

mapfile -t headers < <(find "$@" -name layer.vh | sort)
if [[ ${#headers[@]} == 0 ]]; then
    echo "FAIL no layer.vh in $*" >&2
    exit 1
fi
failed=0
for header in "${headers[@]}"; do
    folder=$(dirname "$header")
    printf '%s: ' "$(basename "$folder")"
    bench "$folder" || failed=1
done
exit "$failed"
