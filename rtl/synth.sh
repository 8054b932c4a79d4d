#!/usr/bin/env bash
# Area of the units of the design by width, mapped to the gates of a liberty file by Yosys: CSV on standard output.
#
#     rtl/synth.sh --liberty FILE [--unit NAME] > area.csv
#
# Memories are left out. Combinational logic is mapped for area (`abc` without a clock period), so a fast clock takes more.
set -euo pipefail
rtl=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
liberty="" only=""
while [[ $# -gt 0 ]]; do
    case $1 in
        --liberty) liberty=$2 && shift 2 ;;
        --unit) only=$2 && shift 2 ;;
        *) echo "usage: rtl/synth.sh --liberty FILE [--unit NAME]" >&2 && exit 2 ;;
    esac
done
[[ -r $liberty ]] || { echo "--liberty: ${liberty:-no file}: a liberty file of standard cells" >&2; exit 2; }
command -v yosys >/dev/null || { echo "yosys is not on PATH" >&2; exit 2; }

# The smallest NAND of two inputs is what areas are counted in.
nand=$(awk '/^[ \t]*cell[ \t]*\(/ { name = tolower($0) } /^[ \t]*area[ \t]*:/ { gsub(/[^0-9.]/, ""); if (name ~ /nand2[^0-9a-z]*_?[x0-9]*[ "\)]/ && (!best || $0 + 0 < best)) best = $0 + 0 } END { print best }' "$liberty")
[[ -n $nand ]] || { echo "--liberty: $liberty: no cell whose name has nand2" >&2; exit 2; }

units=(lif_step weight_code gather spike_queue walker row_arbiter row_crossbar lanes sequencer requantize)
sources=("${units[@]/#/$rtl/design/}")
sources=("${sources[@]/%/.sv}" "$rtl"/{trits,popcount,multiply_accumulate}.sv)
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

# unit module "parameters" count: area of `count` things side by side, told of one.
unit() {
    local unit=$1 module=$2 parameters=$3 count=${4:-1}
    [[ -z $only || $only == "$unit" ]] || return 0
    local set=""
    for parameter in $parameters; do set+=" -chparam ${parameter%=*} ${parameter#*=}"; done
    yosys -q -p "
        read_verilog -sv -I$rtl/design ${sources[*]}
        hierarchy -top $module$set
        synth -flatten
        dfflibmap -liberty $liberty
        abc -liberty $liberty
        opt_clean -purge
        tee -q -o $work/stat stat -liberty $liberty" >"$work/log" 2>&1 || { tail -3 "$work/log" >&2; exit 1; }
    awk -v unit="$unit" -v parameters="$parameters" -v count="$count" -v nand="$nand" '
        /Number of cells/ { cells = $NF }
        /Chip area/ { area = $NF }
        END { printf "%s,%s,%d,%d,%.1f,%.1f\n", unit, parameters, count, cells, area / count, area / count / nand }' "$work/stat"
}

echo "unit,parameters,of,cells,area_um2,nand2"
# Lanes, eight side by side: planes, code, adder and sum of each; accumulators of 20 bits.
for bits in 2 3 4 5 6 7 8; do
    unit lane_uniform lanes "CHANNELS=8 ROW_WORDS=$bits MAX_WEIGHT_BITS=$bits SUM_BITS=20 SERIAL_BITS=1" 8
done
for bits in 2 3 4 5; do
    unit lane_power_of_two lanes "CHANNELS=8 ROW_WORDS=$bits MAX_WEIGHT_BITS=$bits SUM_BITS=20 SERIAL_BITS=1 UNIFORM=0 POWERS=1" 8
done
# Lanes that look their codes up, of the magnitudes in semantics.md, the first one lowest.
table() { unit "lane_$1" lanes "CHANNELS=8 ROW_WORDS=$2 MAX_WEIGHT_BITS=$2 SUM_BITS=20 SERIAL_BITS=1 UNIFORM=0 $3" 8; }
table apot3 3 "TABLE_SIZE=4 TABLE_BITS=3 TABLE=12'h888"
table apot4 4 "TABLE_SIZE=8 TABLE_BITS=4 TABLE=32'ha8643210"
table dbq4 4 "TABLE_SIZE=5 TABLE_BITS=3 TABLE=15'h58c8"
table post3 3 "TABLE_SIZE=4 TABLE_BITS=5 TABLE=20'h82d00"
table post4 4 "TABLE_SIZE=8 TABLE_BITS=7 TABLE=56'h80b1016202c400"
table e2m1 4 "TABLE_SIZE=8 TABLE_BITS=4 TABLE=32'hc8643210"
table mx4 6 "TABLE_SIZE=8 TABLE_BITS=3 TABLE=24'hfac688 EXPONENT_BITS=2"
table adalog4 4 "TABLE_SIZE=8 TABLE_BITS=7 WRITTEN=1"
unit trits trits "" 5
unit lane_bit_serial lanes "CHANNELS=8 ROW_WORDS=8 MAX_WEIGHT_BITS=8 SUM_BITS=20 SERIAL_BITS=9" 8
for bits in 12 16 20 24 32; do
    unit lane_sum lanes "CHANNELS=8 ROW_WORDS=8 MAX_WEIGHT_BITS=8 SUM_BITS=$bits SERIAL_BITS=1" 8
done
# A neuron without its membrane memory: potentials of 20 bits, discarded low bits by channel.
for bits in 4 6 8 12 16; do
    unit neuron lif_step "X_BITS=20 V_BITS=$bits"
done
unit neuron_soft_reset lif_step "X_BITS=20 V_BITS=16 SOFT_RESET=1"
unit neuron_multiplied_leak lif_step "X_BITS=20 V_BITS=16 SHIFT=16 MULTIPLIER_BITS=16"
# A requantizer of sums of so many bits, and what counts spikes that come at once.
for bits in 16 20; do unit requantizer requantize "X_BITS=$bits Y_BITS=$((bits + 17))"; done
for bits in 16 64 256; do unit popcount popcount "BITS=$bits"; done
# Units of a systolic array: weights of so many bits, inputs of 8, 24 bits of sums.
for bits in 2 4 8; do unit multiply_accumulate multiply_accumulate "WEIGHT_BITS=$bits INPUT_BITS=8 SUM_BITS=24"; done
unit walker walker "WORD_BITS=64 SERIAL_BITS=1"
unit walker walker "WORD_BITS=64 SERIAL_BITS=9"
unit spike_queue spike_queue "WORD_BITS=64 DEPTH=16"
unit row_arbiter row_arbiter "POSITIONS=4 BANKS=16 WORD_ADDRESS_BITS=14"
unit row_crossbar row_crossbar "BANKS=16 WORD_BITS=64 ROW_WORDS=8"
unit gather gather "POSITIONS=4 WORD_BITS=64 BANKS=4 BANK_WORDS=2048 FIELDS=54"
unit sequencer sequencer "FIELDS=54 PARAMETER_ROWS=4"
