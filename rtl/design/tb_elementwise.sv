// Runs one operation between weight layers that `spiq export rtl --design` wrote, and logs every word that it yields and its
// cycles.
//
//     SIMULATION +dir=OPERATION      writes OPERATION/run.log, prints "PASS n words" or the first difference
module tb_elementwise;
    `include "design.vh"

    localparam int FIELDS = 42;
    localparam int PLACES = LEVELS * PARAMETER_BLOCKS;
    localparam int LOG_PLACES = PLACES > 1 ? $clog2(PLACES) : 1;
    localparam int LOG_CHANNELS = $clog2(CHANNELS);

    logic clk = 0, reset = 1, start = 0, parameter_write = 0;
    logic [FIELDS*24-1:0] fields;
    logic [LOG_CHANNELS-1:0] parameter_channel = 0;
    logic [LOG_PLACES-1:0] parameter_place = 0;
    logic [37:0] parameter_word = 0;
    logic read, write, sums_read, step, done;
    logic [23:0] line, sums_line;
    logic [ACTIVATION_BANKS*CHANNELS-1:0] data, written, mask;
    logic [SUM_BANKS*CHANNELS-1:0] sums;

    elementwise #(
        .CHANNELS(CHANNELS), .BANKS(ACTIVATION_BANKS), .SUM_BANKS(SUM_BANKS), .MEMBRANE_BITS(MEMBRANE_BITS), .SHIFT(SHIFT),
        .SOFT_RESET(SOFT_RESET != 0), .FIELDS(FIELDS), .LEVELS(LEVELS), .PARAMETER_BLOCKS(PARAMETER_BLOCKS)
    ) dut (.*);

    // Of layer.mem: words of activations and of sums, first word and words of the output.
    logic [31:0] about[4];
    logic [23:0] program_words[FIELDS];
    logic [37:0] parameters[PLACES*CHANNELS];
    logic [CHANNELS-1:0] activations[OPERATION_WORDS], sum_words[SUM_WORDS], expected[OPERATION_WORDS];
    logic [255:0] exported[1];

    string dir;
    int log, different = 0, cycles = 0, steps = 0;

    always #1 clk = ~clk;

    always @(posedge clk) begin
        for (int b = 0; b < ACTIVATION_BANKS; b++) begin
            if (write)
                activations[int'(line)*ACTIVATION_BANKS+b] <=
                    activations[int'(line)*ACTIVATION_BANKS+b] & ~mask[b*CHANNELS+:CHANNELS]
                    | written[b*CHANNELS+:CHANNELS] & mask[b*CHANNELS+:CHANNELS];
            else if (read) data[b*CHANNELS+:CHANNELS] <= activations[int'(line)*ACTIVATION_BANKS+b];
        end
        for (int b = 0; b < SUM_BANKS; b++)
            if (sums_read) sums[b*CHANNELS+:CHANNELS] <= sum_words[int'(sums_line)*SUM_BANKS+b];
        cycles++;
        steps += int'(step);
    end

    initial begin
        if (!$value$plusargs("dir=%s", dir)) $fatal(1, "FAIL no +dir=OPERATION");
        $readmemh($sformatf("%0s/layer.mem", dir), about);
        $readmemh($sformatf("%0s/export.mem", dir), exported);
        $readmemh($sformatf("%0s/program.mem", dir), program_words);
        $readmemh($sformatf("%0s/parameters.mem", dir), parameters);
        if (about[0] > 0) $readmemh($sformatf("%0s/inputs.mem", dir), activations, 0, int'(about[0]) - 1);
        if (about[1] > 0) $readmemh($sformatf("%0s/sums.mem", dir), sum_words, 0, int'(about[1]) - 1);
        $readmemh($sformatf("%0s/expected.mem", dir), expected, 0, int'(about[3]) - 1);
        for (int i = 0; i < int'(about[3]); i++) activations[int'(about[2])+i] = '0;
        for (int i = 0; i < FIELDS; i++) fields[i*24+:24] = program_words[i];
        log = $fopen($sformatf("%0s/run.log", dir), "w");
        $fwrite(log, "export %h\n", exported[0]);
        @(negedge clk);
        @(negedge clk) reset = 0;
        for (int i = 0; i < PLACES * CHANNELS; i++) begin
            @(negedge clk);
            parameter_write = 1;
            parameter_place = LOG_PLACES'(i / CHANNELS);
            parameter_channel = LOG_CHANNELS'(i % CHANNELS);
            parameter_word = parameters[i];
        end
        @(negedge clk) parameter_write = 0;
        start = 1;
        cycles = 0;
        @(negedge clk) start = 0;
        while (!done && cycles < 16_777_216) @(negedge clk);
        if (!done) $display("FAIL it does not end");
        for (int i = 0; i < int'(about[3]); i++) begin
            $fwrite(log, "word %h\n", activations[int'(about[2])+i]);
            if (activations[int'(about[2])+i] !== expected[i]) begin
                different++;
                if (different == 1) $display("FAIL word %0d: expected %h got %h", i, expected[i], activations[int'(about[2])+i]);
            end
        end
        $fwrite(log, "cycles %0d\nsteps %0d\nend\n", cycles, steps);
        $fclose(log);
        if (different == 0 && done) $display("PASS %0d words", about[3]);
        else $display("FAIL %0d of %0d words differ", different, about[3]);
        $finish;
    end
endmodule
