// Lanes that step over zeros, with the memories that feed them and the neurons behind them: POSITIONS x CHANNELS lanes,
// output stationary. A layer is written into the memories by the host port, started, and read back.
//
// A wave is POSITIONS output positions of one tile of output channels at one timestep. From front to back:
//
//     gather -> spike_queue -> walker -> row_arbiter -> weight memory -> row_crossbar -> lanes -> neurons
module machine #(
    parameter int POSITIONS = 4,
    parameter int CHANNELS = 64,            // and bits of a word of either memory
    parameter int WEIGHT_BANKS = 16,
    parameter int WEIGHT_BANK_WORDS = 768,
    parameter int ACTIVATION_BANKS = 4,
    parameter int ACTIVATION_BANK_WORDS = 2048,
    parameter int MAX_WEIGHT_BITS = 8,
    parameter bit UNIFORM = 1'b1,
    parameter bit POWERS = 1'b0,
    parameter int TABLE_SIZE = 0,
    parameter int TABLE_BITS = 1,
    parameter logic [(TABLE_SIZE > 0 ? TABLE_SIZE : 1)*TABLE_BITS-1:0] TABLE = '0,
    parameter bit WRITTEN = 1'b0,           // the program of a layer ends with its magnitudes
    parameter int EXPONENT_BITS = 0,
    parameter int SUM_BITS = 32,
    parameter int SERIAL_BITS = 9,
    parameter int MEMBRANE_BITS = 16,
    parameter int SHIFT = 1,
    parameter bit SOFT_RESET = 1'b0,
    parameter int QUEUE_DEPTH = 16,
    parameter bit SHARES = 1'b1,            // positions that ask for one row of weights read it together
    parameter int HOST_BITS = CHANNELS > 24 ? CHANNELS : 24
) (
    input logic clk,
    input logic reset,
    // The host writes words of the program (0), the weights (1) or the activations (2), and reads the activations.
    input logic host_write,
    input logic host_read,
    input logic [1:0] host_memory,
    /* verilator lint_off UNUSEDSIGNAL */
    input logic [23:0] host_address,  // of a word, over all banks
    /* verilator lint_on UNUSEDSIGNAL */
    input logic [HOST_BITS-1:0] host_written,
    output logic [CHANNELS-1:0] host_data,
    input logic start,
    output logic done,
    // Sums of layers without neurons, a row of all channels at a time.
    output logic out_valid,
    input logic out_ready,
    output logic [CHANNELS*SUM_BITS-1:0] out_sums,
    // What a counter of cycles looks at.
    output logic [1:0] phase,
    output logic tile_start,
    output logic [POSITIONS-1:0] steps,
    output logic [POSITIONS-1:0] starves,
    output logic [POSITIONS-1:0] refused,
    output logic hold,
    output logic wave_issued
);
    `include "program.svh"
    localparam int TABLE_0 = POSITION_0 + 3 * POSITIONS;
    localparam int FIELDS = TABLE_0 + (WRITTEN ? TABLE_SIZE : 0);
    localparam int LOG_WORD = $clog2(CHANNELS);
    localparam int LOG_WEIGHT_BANKS = $clog2(WEIGHT_BANKS);
    localparam int WEIGHT_ADDRESS_BITS = $clog2(WEIGHT_BANK_WORDS);
    localparam int WORD_ADDRESS_BITS = LOG_WEIGHT_BANKS + WEIGHT_ADDRESS_BITS;
    localparam int LOG_ACTIVATION_BANKS = $clog2(ACTIVATION_BANKS);
    localparam int ACTIVATION_ADDRESS_BITS = $clog2(ACTIVATION_BANK_WORDS);
    localparam int MAX_ROW_WORDS = MAX_WEIGHT_BITS;
    localparam int PARAMETER_BITS = WEIGHT_BANKS * CHANNELS;
    localparam int PARAMETER_ROWS = (CHANNELS * 64 + PARAMETER_BITS - 1) / PARAMETER_BITS;
    localparam int ROW_BITS = WORD_ADDRESS_BITS;
    localparam int SHIFT_BITS = SERIAL_BITS > 1 ? $clog2(SERIAL_BITS) : 1;
    localparam int POSITION_SUMS = CHANNELS * SUM_BITS;

    // The sequencer and its program.
    logic [FIELDS*24-1:0] fields;
    logic fetch, parameters_read, parameters_come, tile_done;
    logic [7:0] fetch_address;
    logic [23:0] fetched, tile_bits;
    logic [WEIGHT_ADDRESS_BITS-1:0] parameters_row;
    logic [WORD_ADDRESS_BITS-1:0] tile_words;
    logic [LOG_WEIGHT_BANKS:0] row_words;
    logic [4:0] log_plane, log_room;
    logic [3:0] weight_bits;
    logic [1:0] decoder;
    logic [(TABLE_SIZE > 0 ? TABLE_SIZE : 1)*TABLE_BITS-1:0] written;
    logic value_signed;
    logic [SHIFT_BITS-1:0] last_bit;
    logic [23:0] tile_channels;

    sequencer #(
        .FIELDS(FIELDS), .PARAMETER_ROWS(PARAMETER_ROWS), .WORD_ADDRESS_BITS(WORD_ADDRESS_BITS),
        .BANK_ADDRESS_BITS(WEIGHT_ADDRESS_BITS)
    ) control (
        .clk, .reset, .start, .fetch, .fetch_address, .fetched, .fields, .parameters_read, .parameters_row,
        .parameters_come, .tile_start, .tile_words, .tile_bits, .tile_done, .phase, .done
    );

    sram #(
        .WORDS(256), .BITS(24)
    ) program_memory (
        .clk, .read(fetch), .write(host_write && host_memory == 2'd0),
        .address(fetch ? fetch_address : host_address[7:0]), .mask(24'hffffff), .written(host_written[23:0]), .data(fetched)
    );

    assign row_words = fields[ROW_WORDS*24+:LOG_WEIGHT_BANKS+1];
    assign log_plane = fields[LOG_PLANE*24+:5];
    assign weight_bits = fields[WEIGHT_BITS*24+:4];
    assign decoder = fields[DECODER*24+:2];
    for (genvar k = 0; k < (TABLE_SIZE > 0 ? TABLE_SIZE : 1); k++) begin : magnitude
        assign written[k*TABLE_BITS+:TABLE_BITS] = WRITTEN ? fields[(TABLE_0+(WRITTEN?k:-1))*24+:TABLE_BITS] : '0;
    end
    assign log_room = fields[LOG_VALUE_ROOM*24+:5];
    assign last_bit = SHIFT_BITS'(fields[VALUE_BITS*24+:5] - 5'd1);
    assign value_signed = fields[VALUE_SIGNED*24];
    assign tile_channels = fields[TILE_CHANNELS*24+:24];

    // Activations: neurons write before windows are read.
    logic spikes_write;
    /* verilator lint_off UNUSEDSIGNAL */
    logic [23:0] spikes_bits;
    /* verilator lint_on UNUSEDSIGNAL */
    logic [CHANNELS-1:0] spikes;
    logic [ACTIVATION_BANKS-1:0] gather_read, spikes_take;
    logic [ACTIVATION_BANKS*ACTIVATION_ADDRESS_BITS-1:0] gather_address;
    logic [ACTIVATION_BANKS*CHANNELS-1:0] activations;
    logic [LOG_ACTIVATION_BANKS-1:0] host_bank;

    for (genvar b = 0; b < ACTIVATION_BANKS; b++) begin : activation
        logic host_here;
        logic [CHANNELS-1:0] row_mask;
        assign host_here = host_memory == 2'd2 && host_address[LOG_ACTIVATION_BANKS-1:0] == LOG_ACTIVATION_BANKS'(b);
        assign spikes_take[b] = spikes_write
            && spikes_bits[LOG_WORD+:LOG_ACTIVATION_BANKS] == LOG_ACTIVATION_BANKS'(b);
        assign row_mask = tile_channels < 24'(CHANNELS) ? (CHANNELS'(1) << tile_channels) - CHANNELS'(1) : {CHANNELS{1'b1}};
        sram #(
            .WORDS(ACTIVATION_BANK_WORDS), .BITS(CHANNELS)
        ) bank (
            .clk, .read(gather_read[b] || host_read && host_here), .write(spikes_take[b] || host_write && host_here),
            .address(spikes_take[b] ? spikes_bits[LOG_WORD+LOG_ACTIVATION_BANKS+:ACTIVATION_ADDRESS_BITS]
                : gather_read[b] ? gather_address[b*ACTIVATION_ADDRESS_BITS+:ACTIVATION_ADDRESS_BITS]
                : host_address[LOG_ACTIVATION_BANKS+:ACTIVATION_ADDRESS_BITS]),
            .mask(spikes_take[b] ? row_mask << spikes_bits[LOG_WORD-1:0] : {CHANNELS{1'b1}}),
            .written(spikes_take[b] ? spikes << spikes_bits[LOG_WORD-1:0] : host_written[CHANNELS-1:0]),
            .data(activations[b*CHANNELS+:CHANNELS])
        );
    end

    always_ff @(posedge clk) if (host_read) host_bank <= host_address[LOG_ACTIVATION_BANKS-1:0];
    assign host_data = activations[host_bank*CHANNELS+:CHANNELS];

    // Windows, and the words of them that have spikes.
    logic [POSITIONS-1:0] full, window_valid, pops, head_valid, head_last;
    logic [POSITIONS*CHANNELS-1:0] window_words, head_word;
    logic [POSITIONS*ROW_BITS-1:0] head_row;
    logic [ROW_BITS-1:0] window_row;
    logic window_last;

    gather #(
        .POSITIONS(POSITIONS), .WORD_BITS(CHANNELS), .BANKS(ACTIVATION_BANKS), .BANK_WORDS(ACTIVATION_BANK_WORDS),
        .FIELDS(FIELDS), .ROW_BITS(ROW_BITS)
    ) windows (
        .clk, .reset, .start(tile_start), .fields, .full, .read(gather_read), .address(gather_address),
        .taken(spikes_take), .data(activations), .valid(window_valid), .words(window_words), .row(window_row),
        .last(window_last)
    );

    // Walkers, and the weights that they ask for.
    logic enable, next;
    logic [POSITIONS-1:0] wants, granted, walk_done, value_bit, negative, adds;
    logic [POSITIONS*WORD_ADDRESS_BITS-1:0] first_words;
    logic [POSITIONS*SHIFT_BITS-1:0] shifts;
    logic [WEIGHT_BANKS-1:0] weight_read;
    logic [WEIGHT_BANKS*WEIGHT_ADDRESS_BITS-1:0] weight_address;
    logic [PARAMETER_BITS-1:0] weights;

    assign enable = !hold;
    assign next = enable && walk_done == '1;
    assign wave_issued = next;
    assign refused = enable ? wants & ~granted : '0;
    assign adds = steps & value_bit;

    for (genvar p = 0; p < POSITIONS; p++) begin : position
        logic [ROW_BITS-1:0] row;

        spike_queue #(
            .WORD_BITS(CHANNELS), .ROW_BITS(ROW_BITS), .DEPTH(QUEUE_DEPTH)
        ) queue (
            .clk, .reset, .valid(window_valid[p]), .word(window_words[p*CHANNELS+:CHANNELS]), .row(window_row),
            .last(window_last), .full(full[p]), .pop(pops[p]), .head_valid(head_valid[p]),
            .head_word(head_word[p*CHANNELS+:CHANNELS]), .head_row(head_row[p*ROW_BITS+:ROW_BITS]),
            .head_last(head_last[p])
        );

        walker #(
            .WORD_BITS(CHANNELS), .ROW_BITS(ROW_BITS), .SERIAL_BITS(SERIAL_BITS)
        ) walk (
            .clk, .reset, .enable, .log_room, .last_bit, .is_signed(value_signed), .head_valid(head_valid[p]), .head_word(head_word[p*CHANNELS+:CHANNELS]),
            .head_row(head_row[p*ROW_BITS+:ROW_BITS]), .head_last(head_last[p]), .pop(pops[p]), .wants(wants[p]), .row,
            .granted(granted[p]), .steps(steps[p]), .value_bit(value_bit[p]),
            .shift(shifts[p*SHIFT_BITS+:SHIFT_BITS]), .negative(negative[p]), .starves(starves[p]),
            .done(walk_done[p]), .next
        );

        assign first_words[p*WORD_ADDRESS_BITS+:WORD_ADDRESS_BITS] =
            tile_words + WORD_ADDRESS_BITS'(row * row_words);
    end

    row_arbiter #(
        .POSITIONS(POSITIONS), .BANKS(WEIGHT_BANKS), .WORD_ADDRESS_BITS(WORD_ADDRESS_BITS), .SHARES(SHARES)
    ) arbiter (
        .clk, .reset, .enable, .wants, .first_words, .row_words, .granted,
        .read(weight_read), .address(weight_address)
    );

    for (genvar b = 0; b < WEIGHT_BANKS; b++) begin : weight
        logic host_here;
        assign host_here = host_memory == 2'd1 && host_address[LOG_WEIGHT_BANKS-1:0] == LOG_WEIGHT_BANKS'(b);
        sram #(
            .WORDS(WEIGHT_BANK_WORDS), .BITS(CHANNELS)
        ) bank (
            .clk, .read(parameters_read || weight_read[b]), .write(host_write && host_here),
            .address(parameters_read ? parameters_row
                : weight_read[b] ? weight_address[b*WEIGHT_ADDRESS_BITS+:WEIGHT_ADDRESS_BITS]
                : host_address[LOG_WEIGHT_BANKS+:WEIGHT_ADDRESS_BITS]),
            .mask({CHANNELS{1'b1}}), .written(host_written[CHANNELS-1:0]), .data(weights[b*CHANNELS+:CHANNELS])
        );
    end

    // What goes with the weights: one clock through the memory, one through the register behind the crossbar.
    logic [POSITIONS-1:0] read_loads, read_adds, read_negative, row_adds, row_negative;
    logic [POSITIONS*SHIFT_BITS-1:0] read_shifts, row_shifts;
    logic [POSITIONS*LOG_WEIGHT_BANKS-1:0] read_banks;
    logic read_ends, row_ends;
    logic [POSITIONS*POSITION_SUMS-1:0] sums;

    always_ff @(posedge clk)
        if (reset) begin
            read_loads <= '0;
            read_adds <= '0;
            read_ends <= 1'b0;
            row_adds <= '0;
            row_ends <= 1'b0;
        end else if (enable) begin
            read_loads <= granted;
            read_adds <= adds;
            read_negative <= negative;
            read_shifts <= shifts;
            read_ends <= next;
            for (int p = 0; p < POSITIONS; p++)
                read_banks[p*LOG_WEIGHT_BANKS+:LOG_WEIGHT_BANKS] <= first_words[p*WORD_ADDRESS_BITS+:LOG_WEIGHT_BANKS];
            row_adds <= read_adds;
            row_negative <= read_negative;
            row_shifts <= read_shifts;
            row_ends <= read_ends;
        end

    for (genvar p = 0; p < POSITIONS; p++) begin : array
        logic [MAX_ROW_WORDS*CHANNELS-1:0] read_row, row;

        row_crossbar #(
            .BANKS(WEIGHT_BANKS), .WORD_BITS(CHANNELS), .ROW_WORDS(MAX_ROW_WORDS)
        ) crossbar (.data(weights), .first_bank(read_banks[p*LOG_WEIGHT_BANKS+:LOG_WEIGHT_BANKS]), .row(read_row));

        always_ff @(posedge clk) if (enable && read_loads[p]) row <= read_row;

        lanes #(
            .CHANNELS(CHANNELS), .ROW_WORDS(MAX_ROW_WORDS), .MAX_WEIGHT_BITS(MAX_WEIGHT_BITS), .UNIFORM(UNIFORM),
            .POWERS(POWERS), .TABLE_SIZE(TABLE_SIZE), .TABLE_BITS(TABLE_BITS), .TABLE(TABLE), .WRITTEN(WRITTEN),
            .EXPONENT_BITS(EXPONENT_BITS), .SUM_BITS(SUM_BITS), .SERIAL_BITS(SERIAL_BITS)
        ) adders (
            .clk, .reset, .enable, .row, .log_plane, .weight_bits, .decoder, .written, .adds(row_adds[p]), .shift(row_shifts[p*SHIFT_BITS+:SHIFT_BITS]),
            .negative(row_negative[p]), .wave_ends(row_ends), .sums(sums[p*POSITION_SUMS+:POSITION_SUMS])
        );
    end

    neurons #(
        .POSITIONS(POSITIONS), .CHANNELS(CHANNELS), .SUM_BITS(SUM_BITS), .MEMBRANE_BITS(MEMBRANE_BITS), .SHIFT(SHIFT),
        .SOFT_RESET(SOFT_RESET), .ROW_BITS(PARAMETER_BITS), .FIELDS(FIELDS)
    ) vector (
        .clk, .reset, .fields, .start(tile_start), .tile_bits, .parameters_come, .parameters_row(weights),
        .wave_ends(row_ends), .sums, .hold, .write(spikes_write), .write_bits(spikes_bits), .spikes, .out_valid,
        .out_ready, .out_sums, .done(tile_done)
    );
endmodule
