#!/usr/bin/env bash
# Energy of lanes and neurons as gates of a liberty file, with the spikes of layers that `spiq export rtl --design` wrote: CSV
# on standard output, in pJ of one lane or neuron.
#
#     rtl/power.sh --liberty FILE DESIGN/LAYER... > energy.csv
#
# A layer runs in Icarus Verilog, which writes what goes into eight lanes and neurons of a position, clock by clock. Yosys
# maps both units to gates, and Icarus Verilog runs those on that and counts in how many clocks the output of every gate
# settles to another value: glitches are left out. OpenSTA says what a gate takes where it stands, at rest and for a toggle in
# every clock; wires between gates have no capacitance.
set -euo pipefail
rtl=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
clocks=4000 period_ns=2.5
usage() { echo "usage: rtl/power.sh --liberty FILE DESIGN/LAYER..." >&2 && exit 2; }
[[ ${1:-} == --liberty && $# -ge 3 ]] || usage
liberty=$2 && shift 2
[[ -r $liberty ]] || { echo "--liberty: $liberty: a liberty file of standard cells" >&2; exit 2; }
for tool in yosys iverilog sta; do
    command -v $tool >/dev/null || { echo "$tool is not on PATH" >&2; exit 2; }
done
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
yosys -q -p "read_liberty -ignore_miss_func $liberty; proc; write_verilog -noattr $work/cells.v" >"$work/log" 2>&1

# Gates of a unit: netlist MODULE "PARAMETERS".
netlist() {
    local module=$1 set=""
    for parameter in $2; do set+=" -chparam ${parameter%=*} ${parameter#*=}"; done
    yosys -q -p "
        read_verilog -sv -I$rtl/design $rtl/design/lanes.sv $rtl/design/weight_code.sv $rtl/design/lif_step.sv
        hierarchy -top $module$set
        synth -flatten
        dfflibmap -liberty $liberty
        abc -liberty $liberty
        opt_clean -purge
        write_verilog -noattr $work/$module.v" >"$work/log" 2>&1 || { tail -3 "$work/log" >&2; exit 1; }
    # Instance and net of the first output of every gate.
    awk '/^  [A-Za-z_0-9]+ [^ ]+ \($/ && !/^  module/ { instance = $2; found = 0 }
        !found && /^    \.(Y|X|Z|ZN|Q|Q_N|QN)\(.+\)/ { net = $0
            sub(/^[^(]*\(/, "", net); sub(/\),?$/, "", net); found = 1; print instance, net }' "$work/$module.v" >"$work/outputs"
    awk '{ net = $0; sub(/^[^ ]* /, "", net)
        printf "assign nets[%d] = dut.%s;\n", NR - 1, net }' "$work/outputs" >"$work/count.vh"
    # What each takes in a clock at rest, and in one in which all of it toggles.
    local clock="create_clock -name clk -period $period_ns"
    [[ $module != lanes ]] || clock+=" [get_ports clk]"
    for activity in 0 1; do
        printf '%s\n' "read_liberty $liberty" "read_verilog $work/$module.v" "link_design $module" "$clock" \
            "set_input_delay 0 -clock clk [all_inputs]" "set_power_activity -global -activity $activity -duty 0.5" \
            "report_power -digits 9 -instances [get_cells *]" >"$work/sta.tcl"
        sta -no_splash -exit "$work/sta.tcl" 2>"$work/log" |
            awk -v period="$period_ns" 'NF == 5 && $1 ~ /^[0-9.]+e[-+]/ { print $5, ($1 + $2) * period * 1e3, $3 * 1e9 }' >"$work/at_$activity"
    done
}

# Clocks, events, energy of all of them in pJ and leakage in nW, of the netlist on a bench with parameters: measure MODULE
# BENCH "PARAMETERS".
measure() {
    local module=$1 bench=$2 set=""
    for parameter in $3; do set+=" -P$bench.$parameter"; done
    iverilog -g2012 "-P$bench.OUTPUTS=$(wc -l <"$work/outputs")" "-P$bench.CLOCKS=$clocks" $set -I "$work" -s "$bench" \
        -o "$work/bench.vvp" "$rtl/tb_gates.sv" "$work/$module.v" "$work/cells.v"
    vvp -n "$work/bench.vvp" "+trace=$work/trace" "+counts=$work/counts" >"$work/ran"
    awk -v ran="$(tail -1 "$work/ran")" '
        FILENAME ~ /at_0$/ { rest[$1] = $2; leaks += $3; next }
        FILENAME ~ /at_1$/ { toggle[$1] = $2 - rest[$1]; next }
        FILENAME ~ /outputs$/ { instance[FNR] = $1; next }
        { toggled += $1 * toggle[instance[FNR]] }
        END { split(ran, counted, " "); for (i in rest) all += rest[i]
            print counted[1], counted[2], toggled + all * counted[1], leaks }' \
        "$work/at_0" "$work/at_1" "$work/outputs" "$work/counts"
}

# A field of the program of a layer by its number.
field() { echo $((16#$(sed -n "$(($2 + 1))p" "$1/program.mem"))); }

# line UNIT SETTING LAYER BITS WIDTH COUNT "MEASURED" "IDLE"
line() {
    echo "$7 $8" | awk -v head="$1,$2,$3,$4,$5" -v of="$6" '{
        clocks = $1; events = $2; idle = $5 ? $7 / $5 / of : 0
        printf "%s,%d,%d,%.4f,%.4f,%.3f\n", head, clocks, events, ($3 - idle * of * clocks) / events, idle, $4 / of }'
}

echo "unit,setting,layer,weight_bits,width,clocks,events,event_pj,idle_clock_pj,leakage_nw"
for layer in "$@"; do
    design=$(dirname "$layer") name=$(basename "$layer")
    setting=$(sed -n 's/^  "setting": "\(.*\)",$/\1/p' "$design/manifest.json")
    iverilog -g2012 -I "$design/design" -s tb_machine -o "$work/machine.vvp" "$design"/design/*.sv
    cp -r "$layer" "$work/layer"
    vvp -n "$work/machine.vvp" "+dir=$work/layer" "+trace=$work/trace" >&2
    bits=$(field "$layer" 31) decoder=$(field "$layer" 32) log_plane=$(field "$layer" 30)
    row=$(($(head -1 "$work/trace.lanes" | cut -d' ' -f1 | tr -d '\n' | wc -c) * 4))
    powers=$((decoder == 1))
    for width in 12 20 32; do
        [[ $width == 20 || $bits == 8 ]] || continue
        netlist lanes "CHANNELS=8 ROW_WORDS=$bits MAX_WEIGHT_BITS=$bits SUM_BITS=$width SERIAL_BITS=1 UNIFORM=$((1 - powers)) POWERS=$powers"
        of="BITS=$bits LOG_PLANE=$log_plane DECODER=$decoder SUM_BITS=$width ROW=$row"
        idle=$(measure lanes tb_lanes "$of IDLE=1")
        line lane "$setting" "$name" "$bits" "$width" 8 "$(measure lanes tb_lanes "$of")" "$idle"
    done
    membrane=$(sed -n 's/^localparam int MEMBRANE_BITS = \(.*\);$/\1/p' "$design/design/design.vh")
    netlist lif_step "X_BITS=20 V_BITS=$membrane"
    neuron=$(measure lif_step tb_neuron "X_BITS=20 V_BITS=$membrane STORED=$membrane")
    line neuron "$setting" "$name" "$bits" "$membrane" 1 "$neuron" "0 0 0 0"
    rm -r "$work/layer"
done
