// The vector unit behind the lanes: takes the sums of a wave, a position per clock, adds biases, and either runs the
// neurons of all channels, whose spikes go to the activation memory, or hands the sums out. The lanes work on the next wave
// meanwhile. Membranes of the positions of a wave are in a memory of their own from timestep to timestep.
module neurons #(
    parameter int POSITIONS = 4,
    parameter int CHANNELS = 64,
    parameter int SUM_BITS = 32,
    parameter int MEMBRANE_BITS = 16,
    parameter int SHIFT = 1,
    parameter bit SOFT_RESET = 1'b0,
    parameter int ROW_BITS = 1024,               // of the parameters that come at once
    parameter int FIELDS = 54
) (
    input logic clk,
    input logic reset,
    /* verilator lint_off UNUSEDSIGNAL */
    input logic [FIELDS*24-1:0] fields,
    /* verilator lint_on UNUSEDSIGNAL */
    input logic start,                           // of a tile
    input logic [23:0] tile_bits,                // address of its channels in a position
    input logic parameters_come,
    input logic [ROW_BITS-1:0] parameters_row,
    input logic wave_ends,
    input logic [POSITIONS*CHANNELS*SUM_BITS-1:0] sums,
    output logic hold,                           // the sums of the wave that ends find no room
    output logic write,
    output logic [23:0] write_bits,              // address
    output logic [CHANNELS-1:0] spikes,
    output logic out_valid,
    input logic out_ready,
    output logic [CHANNELS*SUM_BITS-1:0] out_sums,
    output logic done                            // the last row of the tile leaves
);
    `include "program.svh"
    localparam int INDEX_BITS = POSITIONS > 1 ? $clog2(POSITIONS) : 1;
    localparam int WAVE_SUMS = CHANNELS * SUM_BITS;
    localparam int STATE_BITS = CHANNELS * MEMBRANE_BITS;

    // Bias and threshold of each channel: all biases first.
    logic [CHANNELS*64-1:0] parameters;
    always_ff @(posedge clk)
        if (parameters_come) parameters <= (CHANNELS*64)'({parameters_row, parameters} >> ROW_BITS);

    // The sums of a wave, and which row of them is next.
    logic full, moves, leaves, last_position, last_repeat, last_frame, last_wave;
    logic [POSITIONS*WAVE_SUMS-1:0] taken;
    logic [INDEX_BITS-1:0] position;
    logic [FIELD_BITS-1:0] wave, frame, again, wave_bits, position_bits, time_bits;

    assign moves = !(out_valid && !out_ready);
    assign last_wave = wave == fields[WAVES*24+:24] - 1;
    assign last_position = FIELD_BITS'(position) == (last_wave ? fields[LAST_POSITIONS*24+:24] : FIELD_BITS'(POSITIONS)) - 1;
    assign last_repeat = again == fields[REPEATS*24+:24] - 1;
    assign last_frame = frame == fields[FRAMES*24+:24] - 1;
    assign leaves = full && moves && last_position && last_repeat;
    assign hold = wave_ends && full && !leaves;

    always_ff @(posedge clk) begin
        if (reset || start) begin
            full <= 1'b0;
            position <= '0;
            wave <= '0;
            frame <= '0;
            again <= '0;
            wave_bits <= fields[OUT_BITS*24+:24] + tile_bits;
            position_bits <= '0;
            time_bits <= '0;
        end else begin
            if (wave_ends && !hold) full <= 1'b1;
            else if (leaves) full <= 1'b0;
            if (full && moves) begin
                position <= position + 1;
                position_bits <= position_bits + fields[OUT_PIXEL_BITS*24+:24];
                if (last_position) begin
                    position <= '0;
                    position_bits <= '0;
                    again <= last_repeat ? '0 : again + 1;
                    time_bits <= last_repeat && last_frame ? '0 : time_bits + fields[OUT_FRAME_BITS*24+:24];
                    if (last_repeat) frame <= last_frame ? '0 : frame + 1;
                    if (last_repeat && last_frame) begin
                        wave <= wave + 1;
                        wave_bits <= wave_bits + position_bits + fields[OUT_PIXEL_BITS*24+:24];
                    end
                end
            end
        end
        if (wave_ends && !hold) taken <= sums;
    end

    // The row with its membranes, one clock later.
    logic row_valid, row_first, row_last, row_bypassed;
    logic [INDEX_BITS-1:0] row_position;
    logic [FIELD_BITS-1:0] row_bits;
    logic [WAVE_SUMS-1:0] row_sums, x;
    logic [STATE_BITS-1:0] membranes, stored, bypass;
    logic [CHANNELS-1:0] fires;

    always_ff @(posedge clk)
        if (reset) row_valid <= 1'b0;
        else if (moves) begin
            row_valid <= full;
            row_position <= position;
            row_first <= again == '0 && frame == '0;
            row_last <= last_position && last_repeat && last_frame && last_wave;
            row_bits <= wave_bits + position_bits + time_bits;
            row_sums <= taken[position*WAVE_SUMS+:WAVE_SUMS];
            // A membrane that is written now is what the read of now misses.
            row_bypassed <= row_valid && row_position == position;
            bypass <= stored;
        end

    two_port_sram #(
        .WORDS(POSITIONS), .BITS(STATE_BITS)
    ) state (
        .clk, .read(full && moves), .read_address(position), .data(membranes),
        .write(row_valid && moves), .write_address(row_position), .written(stored)
    );

    logic [4:0] fraction_bits;
    assign fraction_bits = fields[FRACTION_BITS*24+:5];

    for (genvar c = 0; c < CHANNELS; c++) begin : neuron
        logic signed [SUM_BITS-1:0] bias, threshold, potential;
        logic signed [MEMBRANE_BITS-1:0] membrane;
        logic [31:0] threshold_word;
        assign bias = SUM_BITS'($signed(parameters[c*32+:32]));
        assign threshold_word = parameters[(CHANNELS+c)*32+:32];
        assign threshold = SUM_BITS'($signed(threshold_word[26:0]));
        assign potential = (SUM_BITS'($signed(row_sums[c*SUM_BITS+:SUM_BITS])) <<< fraction_bits) + bias;
        assign membrane = row_first ? MEMBRANE_BITS'(0)
            : row_bypassed ? bypass[c*MEMBRANE_BITS+:MEMBRANE_BITS] : membranes[c*MEMBRANE_BITS+:MEMBRANE_BITS];
        assign x[c*SUM_BITS+:SUM_BITS] = potential;

        lif_step #(
            .X_BITS(SUM_BITS), .V_BITS(MEMBRANE_BITS), .SHIFT(SHIFT), .SOFT_RESET(SOFT_RESET)
        ) step (
            .membrane, .x(potential), .threshold, .amount(threshold), .multiplier(1'b0),
            .discard({1'b0, threshold_word[31:27]}), .spike(fires[c]), .stored(stored[c*MEMBRANE_BITS+:MEMBRANE_BITS])
        );
    end

    // What leaves, one more clock later.
    logic spikes_leave;
    logic leaves_last;

    always_ff @(posedge clk)
        if (reset) begin
            spikes_leave <= 1'b0;
            out_valid <= 1'b0;
            leaves_last <= 1'b0;
        end else if (moves) begin
            spikes_leave <= row_valid && fields[SUMS_LEAVE*24+:24] == '0;
            out_valid <= row_valid && fields[SUMS_LEAVE*24+:24] != '0;
            leaves_last <= row_valid && row_last;
            write_bits <= row_bits;
            spikes <= fires;
            out_sums <= x;
        end

    assign write = spikes_leave && moves;
    assign done = leaves_last && moves;
endmodule
