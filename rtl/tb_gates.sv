// Runs the gates of eight lanes, or of a neuron, on what `tb_machine +trace` wrote, and counts how often the output of each
// gate toggles: `power.sh` compiles it with a netlist and its outputs.
//
//     SIMULATION +trace=FILE +counts=FILE      writes toggles per clock by output, prints clocks and events
module tb_lanes #(
    parameter int BITS = 8,
    parameter int LOG_PLANE = 6,
    parameter int DECODER = 0,
    parameter int SUM_BITS = 20,
    parameter int OUTPUTS = 1,
    parameter int CLOCKS = 4000,
    parameter int ROW = 512,
    parameter bit IDLE = 1'b0
);
    logic clk = 0, reset = 1, enable = 1, adds = 0, wave_ends = 0, counts = 0;
    logic [8*BITS-1:0] row = '0;
    logic [8*SUM_BITS-1:0] sums;
    logic [ROW-1:0] traced;
    wire [OUTPUTS-1:0] nets;
    logic [OUTPUTS-1:0] last;
    int toggles[OUTPUTS];
    int trace, file, clocks = 0, events = 0;
    string name;

    lanes dut (
        .clk, .reset, .enable, .row, .log_plane(5'd3), .weight_bits(4'(BITS)), .decoder(2'(DECODER)), .written(1'b0), .adds,
        .shift(1'b0), .negative(1'b0), .wave_ends, .sums
    );
    `include "count.vh"

    always #2 clk = ~clk;

    // Settled values of clocks are compared.
    always @(negedge clk) begin
        if (counts) for (int i = 0; i < OUTPUTS; i++) toggles[i] += int'(nets[i] !== last[i]);
        last = nets;
    end

    task automatic next;
        if ($fscanf(trace, "%h %b %b %b\n", traced, adds, wave_ends, enable) != 4) clocks = CLOCKS;
        if (IDLE) {adds, wave_ends, enable} = 3'b001;
        else
            for (int k = 0; k < BITS; k++) for (int c = 0; c < 8; c++) row[8*k+c] = traced[(k<<LOG_PLANE)+c];
    endtask

    initial begin
        if (!$value$plusargs("trace=%s", name)) $fatal(1, "no +trace=FILE");
        trace = $fopen({name, ".lanes"}, "r");
        for (int i = 0; i < OUTPUTS; i++) toggles[i] = 0;
        @(posedge clk);
        @(posedge clk) #1 reset = 0;
        next;
        @(posedge clk) #1 counts = 1;
        while (clocks < CLOCKS) begin
            next;
            events += 8 * int'(adds && enable);
            @(posedge clk) #1 clocks++;
        end
        counts = 0;
        if (!$value$plusargs("counts=%s", name)) $fatal(1, "no +counts=FILE");
        file = $fopen(name, "w");
        for (int i = 0; i < OUTPUTS; i++) $fwrite(file, "%0d\n", toggles[i]);
        $display("%0d %0d", clocks, events);
        $finish;
    end
endmodule

// One neuron, with what eight of them saw one after the other.
module tb_neuron #(
    parameter int X_BITS = 20,
    parameter int V_BITS = 16,
    parameter int OUTPUTS = 1,
    parameter int CLOCKS = 4000,
    parameter int STORED = 16,       // bits of the trace
    parameter int SUM_BITS = 32
);
    logic signed [V_BITS-1:0] membrane = 0, stored;
    logic signed [X_BITS-1:0] x = 0, threshold = 0;
    logic [5:0] discard = 0;
    logic spike;
    logic [8*STORED-1:0] membranes;
    logic [8*SUM_BITS-1:0] potentials, thresholds;
    logic [8*5-1:0] discards;
    wire [OUTPUTS-1:0] nets;
    logic [OUTPUTS-1:0] last;
    int toggles[OUTPUTS];
    int trace, file, updates = 0;
    string name;

    lif_step dut (.membrane, .x, .threshold, .amount(threshold), .multiplier(1'b0), .discard, .spike, .stored);
    `include "count.vh"

    initial begin
        for (int i = 0; i < OUTPUTS; i++) toggles[i] = 0;
        if (!$value$plusargs("trace=%s", name)) $fatal(1, "no +trace=FILE");
        for (int c = 0; c < 8; c++) begin
            trace = $fopen({name, ".neurons"}, "r");
            for (int i = 0; i < CLOCKS / 8 && $fscanf(trace, "%h %h %h %h\n", membranes, potentials, thresholds, discards) == 4; i++) begin
                membrane = V_BITS'(membranes[c*STORED+:STORED]);
                x = X_BITS'(potentials[c*SUM_BITS+:SUM_BITS]);
                threshold = X_BITS'(thresholds[c*SUM_BITS+:SUM_BITS]);
                discard = {1'b0, discards[c*5+:5]};
                if ($signed(potentials[c*SUM_BITS+:SUM_BITS]) != SUM_BITS'(x)) $fatal(1, "a potential of more than %0d bits", X_BITS);
                #1;
                if (updates > 0) for (int i = 0; i < OUTPUTS; i++) toggles[i] += int'(nets[i] !== last[i]);
                last = nets;
                updates++;
            end
            $fclose(trace);
        end
        if (!$value$plusargs("counts=%s", name)) $fatal(1, "no +counts=FILE");
        file = $fopen(name, "w");
        for (int i = 0; i < OUTPUTS; i++) $fwrite(file, "%0d\n", toggles[i]);
        $display("%0d %0d", updates, updates);
        $finish;
    end
endmodule
