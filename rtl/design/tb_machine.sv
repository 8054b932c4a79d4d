// Runs one layer that `spiq export rtl --design` wrote on the machine of design.vh, and logs every word that it yields and
// where its cycles went.
//
//     SIMULATION +dir=LAYER      writes LAYER/run.log, prints "PASS n words" or the first difference
//                +trace=FILE     writes FILE.lanes, what goes into the lanes of the first position clock by clock, and
//                                FILE.neurons, into the first eight neurons: `power.sh` reads them
module tb_machine;
    `include "design.vh"
    `include "program.svh"

    localparam int HOST_BITS = CHANNELS > 24 ? CHANNELS : 24;
    localparam int WORDS = WEIGHT_BANKS * WEIGHT_BANK_WORDS;
    localparam int ACTIVATIONS = ACTIVATION_BANKS * ACTIVATION_BANK_WORDS;
    localparam int FIELDS = POSITION_0 + 3 * POSITIONS + (WRITTEN != 0 ? TABLE_SIZE : 0);
    localparam int SUMS = CHANNELS * SUM_BITS;
    localparam logic [POSITIONS-1:0] ALL = '1;

    logic clk = 0, reset = 1, host_write = 0, host_read = 0, start = 0, out_ready = 1;
    logic [1:0] host_memory = 0, phase;
    logic [23:0] host_address = 0;
    logic [HOST_BITS-1:0] host_written = 0;
    logic [CHANNELS-1:0] host_data;
    logic done, out_valid, tile_start, hold, wave_issued;
    logic [SUMS-1:0] out_sums;
    logic [POSITIONS-1:0] steps, starves, refused;

    machine #(
        .POSITIONS(POSITIONS), .CHANNELS(CHANNELS), .WEIGHT_BANKS(WEIGHT_BANKS),
        .WEIGHT_BANK_WORDS(WEIGHT_BANK_WORDS), .ACTIVATION_BANKS(ACTIVATION_BANKS),
        .ACTIVATION_BANK_WORDS(ACTIVATION_BANK_WORDS), .MAX_WEIGHT_BITS(MAX_WEIGHT_BITS), .UNIFORM(UNIFORM != 0),
        .POWERS(POWERS != 0), .TABLE_SIZE(TABLE_SIZE), .TABLE_BITS(TABLE_BITS), .TABLE(TABLE), .WRITTEN(WRITTEN != 0),
        .EXPONENT_BITS(EXPONENT_BITS), .SUM_BITS(SUM_BITS), .SERIAL_BITS(SERIAL_BITS), .MEMBRANE_BITS(MEMBRANE_BITS),
        .SHIFT(SHIFT), .SOFT_RESET(SOFT_RESET != 0)
    ) dut (.*);

    // Of layer.mem: words of weights and parameters, words of input, first word and words of output, rows of sums,
    // channels of a tile.
    logic [31:0] about[6];
    logic [23:0] program_words[FIELDS];
    logic [CHANNELS-1:0] weights[WORDS], inputs[ACTIVATIONS], expected[ACTIVATIONS];
    logic [SUMS-1:0] expected_sums[ACTIVATIONS];
    logic [SUMS-1:0] used;
    logic [255:0] exported[1];

    string dir;
    int log, compared = 0, different = 0, rows = 0;

    always #1 clk = ~clk;

    // Where cycles go, one count per clock of a layer; the last four are of lanes.
    int program_cycles = 0, parameter_cycles = 0, fill = 0, walk = 0, empty = 0, window_wait = 0, weight_wait = 0,
        neuron_wait = 0, drain = 0, lane_steps = 0, lane_refusals = 0;
    int waves, issued = 0, wave_cycles = 0, wave_holds = 0, wave_starved = 0, busiest;
    int own[POSITIONS];
    logic started = 0;

    task automatic end_wave;
        busiest = 0;
        for (int p = 0; p < POSITIONS; p++) begin
            if (own[p] > busiest) busiest = own[p];
            own[p] = 0;
        end
        walk += busiest;
        if (busiest == 0) begin
            empty++;
            wave_cycles--;
        end
        neuron_wait += wave_holds;
        window_wait += wave_starved;
        weight_wait += wave_cycles - busiest - wave_holds - wave_starved;
        wave_cycles = 0;
        wave_holds = 0;
        wave_starved = 0;
        issued++;
    endtask

    task automatic count_run;
        if (issued == waves) drain++;
        else if (!started && starves == ALL) fill++;
        else begin
            started = 1;
            wave_cycles++;
            if (hold) wave_holds++;
            else if (steps == '0 && starves != '0) wave_starved++;
            for (int p = 0; p < POSITIONS; p++) begin
                own[p] += int'(steps[p]);
                lane_steps += int'(steps[p]);
                lane_refusals += int'(refused[p]);
            end
            if (wave_issued) end_wave;
        end
        if (tile_start) begin
            issued = 0;
            started = 0;
        end
    endtask

    always @(posedge clk) begin
        if (phase == 1) program_cycles++;
        if (phase == 2) parameter_cycles++;
        if (phase == 3) count_run;
        if (out_valid && out_ready) begin
            $fwrite(log, "row %h\n", out_sums);
            compare_row;
            rows++;
        end
    end

    task automatic compare_row;
        compared++;
        // Lanes beyond the channels of a tile sum what lies beside its weights.
        used = {SUMS{1'b1}} >> (SUMS - int'(about[5]) * SUM_BITS);
        if ((out_sums & used) !== expected_sums[rows]) begin
            different++;
            if (different == 1) $display("FAIL row %0d: expected %h got %h", rows, expected_sums[rows], out_sums);
        end
    endtask

    task automatic put(input logic [1:0] memory, input int address, input logic [HOST_BITS-1:0] word);
        @(negedge clk);
        host_write = 1;
        host_memory = memory;
        host_address = 24'(address);
        host_written = word;
    endtask

    task automatic load;
        for (int i = 0; i < FIELDS; i++) put(0, i, HOST_BITS'(program_words[i]));
        for (int i = 0; i < int'(about[0]); i++) put(1, i, HOST_BITS'(weights[i]));
        for (int i = 0; i < int'(about[1]); i++) put(2, i, HOST_BITS'(inputs[i]));
        for (int i = 0; i < int'(about[3]); i++) put(2, int'(about[2]) + i, '0);
        @(negedge clk) host_write = 0;
    endtask

    task automatic read_back;
        for (int i = 0; i < int'(about[3]); i++) begin
            @(negedge clk);
            host_read = 1;
            host_memory = 2;
            host_address = 24'(int'(about[2]) + i);
            @(negedge clk) host_read = 0;
            $fwrite(log, "word %h\n", host_data);
            compared++;
            if (host_data !== expected[i]) begin
                different++;
                if (different == 1) $display("FAIL word %0d: expected %h got %h", i, expected[i], host_data);
            end
        end
    endtask

    initial begin
        if (!$value$plusargs("dir=%s", dir)) $fatal(1, "FAIL no +dir=LAYER");
        $readmemh($sformatf("%0s/layer.mem", dir), about);
        $readmemh($sformatf("%0s/export.mem", dir), exported);
        $readmemh($sformatf("%0s/program.mem", dir), program_words);
        if (about[0] > 0) $readmemh($sformatf("%0s/weights.mem", dir), weights, 0, int'(about[0]) - 1);
        if (about[1] > 0) $readmemh($sformatf("%0s/inputs.mem", dir), inputs, 0, int'(about[1]) - 1);
        if (about[3] > 0) $readmemh($sformatf("%0s/expected.mem", dir), expected, 0, int'(about[3]) - 1);
        if (about[4] > 0) $readmemh($sformatf("%0s/expected.mem", dir), expected_sums, 0, int'(about[4]) - 1);
        log = $fopen($sformatf("%0s/run.log", dir), "w");
        $fwrite(log, "export %h\n", exported[0]);
        waves = int'(program_words[WAVES]) * int'(program_words[FRAMES]);
        for (int p = 0; p < POSITIONS; p++) own[p] = 0;
        @(negedge clk);
        @(negedge clk) reset = 0;
        load;
        @(negedge clk) start = 1;
        @(negedge clk) start = 0;
        @(posedge done);
        @(negedge clk);
        read_back;
        $fwrite(log, "program %0d\nparameters %0d\nfill %0d\nwalk %0d\nempty %0d\n", program_cycles, parameter_cycles,
                fill, walk, empty);
        $fwrite(log, "windows %0d\nweights %0d\nneurons %0d\ndrain %0d\nsteps %0d\nrefusals %0d\n", window_wait,
                weight_wait, neuron_wait, drain, lane_steps, lane_refusals);
        $fwrite(log, "end\n");
        $fclose(log);
        if (rows != int'(about[4])) $display("FAIL %0d rows of %0d", rows, about[4]);
        else if (different == 0) $display("PASS %0d words", compared);
        else $display("FAIL %0d of %0d words differ", different, compared);
        $finish;
    end

    // What lanes and neurons see.
    localparam int TRACED = CHANNELS < 8 ? CHANNELS : 8;
    int lanes_trace = 0, neurons_trace = 0;
    string trace;
    logic [TRACED*MEMBRANE_BITS-1:0] membranes;
    logic [TRACED*SUM_BITS-1:0] potentials, thresholds;
    logic [TRACED*5-1:0] discards;
    for (genvar c = 0; c < TRACED; c++) begin : traced
        assign membranes[c*MEMBRANE_BITS+:MEMBRANE_BITS] = dut.vector.neuron[c].membrane;
        assign potentials[c*SUM_BITS+:SUM_BITS] = dut.vector.neuron[c].potential;
        assign thresholds[c*SUM_BITS+:SUM_BITS] = dut.vector.neuron[c].threshold;
        assign discards[c*5+:5] = dut.vector.neuron[c].threshold_word[31:27];
    end
    initial
        if ($value$plusargs("trace=%s", trace)) begin
            lanes_trace = $fopen({trace, ".lanes"}, "w");
            neurons_trace = $fopen({trace, ".neurons"}, "w");
        end
    always @(negedge clk)
        if (lanes_trace != 0 && phase == 3) begin
            $fwrite(lanes_trace, "%h %b %b %b\n", dut.array[0].row, dut.row_adds[0], dut.row_ends, dut.enable);
            if (dut.vector.row_valid && dut.vector.moves)
                $fwrite(neurons_trace, "%h %h %h %h\n", membranes, potentials, thresholds, discards);
        end

    // A layer that waits for itself ends here: no wave takes so long.
    int waited = 0;
    always @(posedge clk) begin
        waited = phase == 0 || wave_issued ? 0 : waited + 1;
        if (waited > 65_536) begin
            $display("FAIL no wave for %0d cycles", waited);
            $finish;
        end
    end
endmodule
