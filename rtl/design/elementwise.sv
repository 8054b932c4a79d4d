// What stands between weight layers: pooling, joins, requantization, neurons on a stream, products of spikes with their
// counts, sums over positions or timesteps. All of them are one loop over rows of channels:
//
//     for each row of the output:  sum or maximum over the taps of a window of (A, or A and B)
//                                  -> as it is, requantized and added to B, through a neuron, or as an integer spike
//
// Rows come from two memories, a line of all banks per clock from each: activations, which are written as well, and sums.
// A row of values of 2^log_room bits is as many words, several rows of spikes lie in one line. Timesteps are innermost, so
// that the membranes of a row wait in a register.
module elementwise #(
    parameter int CHANNELS = 64,
    parameter int BANKS = 4,                 // of activations
    parameter int SUM_BANKS = 16,
    parameter int VALUE_BITS = 32,           // of a value in_map
    parameter int MEMBRANE_BITS = 16,
    parameter int SHIFT = 1,
    parameter bit SOFT_RESET = 1'b0,
    parameter int LEVELS = 1,                // of an integer spike
    parameter int PARAMETER_BLOCKS = 1,      // of channels, each with parameters of its own
    parameter int FIELDS = 42,
    parameter int QUEUE_DEPTH = 8,
    parameter int PLACES = LEVELS * PARAMETER_BLOCKS,
    parameter int LOG_PLACES = PLACES > 1 ? $clog2(PLACES) : 1,
    parameter int LOG_CHANNELS = $clog2(CHANNELS)
) (
    input logic clk,
    input logic reset,
    input logic start,
    /* verilator lint_off UNUSEDSIGNAL */
    input logic [FIELDS*24-1:0] fields,
    /* verilator lint_on UNUSEDSIGNAL */
    // Multiplier or threshold of a channel, and its shift or discard above it, before the start: LEVELS words of a block of
    // channels, one behind the other.
    input logic parameter_write,
    input logic [LOG_PLACES-1:0] parameter_place,
    input logic [LOG_CHANNELS-1:0] parameter_channel,
    input logic [37:0] parameter_word,
    // Activations: writes come first.
    output logic read,
    output logic write,
    output logic [23:0] line,
    input logic [BANKS*CHANNELS-1:0] data,
    output logic [BANKS*CHANNELS-1:0] written,
    output logic [BANKS*CHANNELS-1:0] mask,
    // Sums.
    output logic sums_read,
    output logic [23:0] sums_line,
    input logic [SUM_BANKS*CHANNELS-1:0] sums,
    output logic step,                       // a row of A is complete
    output logic done
);
    `include "elementwise.svh"
    localparam int LOG_BANKS = $clog2(BANKS);
    localparam int LOG_SUM_BANKS = $clog2(SUM_BANKS);
    localparam int LINE = BANKS * CHANNELS;
    localparam int SUMS_LINE = SUM_BANKS * CHANNELS;
    localparam int ROW = CHANNELS * VALUE_BITS;
    localparam int COUNT_BITS = $clog2(QUEUE_DEPTH + 1);
    localparam int INDEX_BITS = $clog2(QUEUE_DEPTH);

    // Lines of a row of values of 2^log_room bits.
    function automatic logic [5:0] lines(input logic [2:0] log_room, log_banks);
        lines = log_room > log_banks ? 6'd1 << (log_room - log_banks) : 6'd1;
    endfunction

    logic [2:0] a_room, b_room, out_room;
    logic a_sums, has_b, b_each, conjunction, maximum, adds, rescales, fires;
    assign a_room = fields[A_LOG_ROOM*24+:3];
    assign b_room = fields[B_LOG_ROOM*24+:3];
    assign out_room = fields[OUT_LOG_ROOM*24+:3];
    assign a_sums = fields[A_SUMS*24];
    assign has_b = fields[HAS_B*24];
    assign conjunction = fields[CONJUNCTION*24];
    assign maximum = fields[MAXIMUM*24];
    assign rescales = fields[RESCALES*24];
    assign fires = fields[FIRES*24];
    assign b_each = conjunction;
    assign adds = has_b && !conjunction;

    // Where the loops are: block of channels, row, column, timestep, and the taps of a window.
    logic running, last_tap, last_frame, last_column, last_row, last_block, first_tap, in_map, b_now;
    logic [FIELD_BITS-1:0] block, row, column, frame, tap_row, tap_column, from_row, from_column, at_row, at_column;
    logic [FIELD_BITS-1:0] a_place[6], b_place[6], a_word, b_word, out_word;
    logic [FIELD_BITS-1:0] out_block, out_position, out_frame;

    assign first_tap = tap_row == '0 && tap_column == '0;
    assign last_tap = tap_row == fields[KERNEL_ROWS*24+:24] - 1 && tap_column == fields[KERNEL_COLUMNS*24+:24] - 1;
    assign last_frame = frame == fields[FRAMES*24+:24] - 1;
    assign last_column = column == fields[COLUMNS*24+:24] - 1;
    assign last_row = row == fields[ROWS*24+:24] - 1;
    assign last_block = block == fields[BLOCKS*24+:24] - 1;
    assign at_row = fields[FIRST_ROW*24+:24] + from_row + tap_row;
    assign at_column = fields[FIRST_COLUMN*24+:24] + from_column + tap_column;
    // Negative coordinates are large without a sign.
    assign in_map = at_row < fields[MAP_ROWS*24+:24] && at_column < fields[MAP_COLUMNS*24+:24];
    assign b_now = has_b && (b_each || last_tap);

    assign a_word = a_place[0] + a_place[1] + a_place[2] + a_place[3] + a_place[4] + a_place[5];
    assign b_word = b_place[0] + b_place[1] + b_place[2] + b_place[3] + b_place[4] + b_place[5];
    assign out_word = out_block + out_position + out_frame;

    // One clock: a line of A and one of B, where their ports are free.
    logic [5:0] a_line, b_line, a_lines, b_lines;
    logic a_wants, b_wants, a_takes, b_takes, a_done, b_done, held, step_done, writes;
    logic [COUNT_BITS-1:0] waiting;
    assign a_lines = a_sums ? lines(a_room, 3'(LOG_SUM_BANKS)) : lines(a_room, 3'(LOG_BANKS));
    assign b_lines = lines(b_room, 3'(LOG_BANKS));
    // Rows that are on the way need room behind those that wait.
    assign held = waiting > COUNT_BITS'(QUEUE_DEPTH - 5);
    assign a_wants = running && !held && in_map && a_line != a_lines;
    assign b_wants = running && !held && b_now && b_line != b_lines;
    assign a_takes = a_wants && (a_sums || !writes);
    assign b_takes = b_wants && !writes && !(a_wants && !a_sums);
    assign a_done = !in_map || a_line == a_lines || a_takes && a_line == a_lines - 1;
    assign b_done = !b_now || b_line == b_lines || b_takes && b_line == b_lines - 1;
    assign step_done = running && !held && a_done && b_done;
    assign step = step_done;

    assign sums_read = a_takes && a_sums;
    assign sums_line = (a_word >> LOG_SUM_BANKS) + FIELD_BITS'(a_line);
    assign read = a_takes && !a_sums || b_takes;

    always_ff @(posedge clk)
        if (reset) running <= 1'b0;
        else if (start) begin
            running <= 1'b1;
            a_line <= '0;
            b_line <= '0;
        end else if (running) begin
            a_line <= step_done ? '0 : a_line + 6'(a_takes);
            b_line <= step_done ? '0 : b_line + 6'(b_takes);
            if (step_done && last_tap && last_frame && last_column && last_row && last_block) running <= 1'b0;
        end

    // Places are offsets in words: first word, block, row, column, timestep, tap.
    logic [FIELD_BITS-1:0] a_tap_row, b_tap_row;
    always_ff @(posedge clk)
        if (start) begin
            {block, row, column, frame, tap_row, tap_column, from_row, from_column} <= '0;
            {a_tap_row, b_tap_row, out_position, out_frame} <= '0;
            out_block <= fields[OUT_FIRST*24+:24];
            for (int k = 0; k < 6; k++) begin
                a_place[k] <= '0;
                b_place[k] <= '0;
            end
            a_place[0] <= fields[A_FIRST*24+:24];
            b_place[0] <= fields[B_FIRST*24+:24];
        end else if (step_done) begin
            tap_column <= tap_column + 1;
            a_place[5] <= a_place[5] + fields[A_TAP_COLUMN*24+:24];
            b_place[5] <= b_place[5] + fields[B_TAP_COLUMN*24+:24];
            if (tap_column == fields[KERNEL_COLUMNS*24+:24] - 1) begin
                tap_column <= '0;
                tap_row <= tap_row + 1;
                a_place[5] <= a_tap_row + fields[A_TAP_ROW*24+:24];
                b_place[5] <= b_tap_row + fields[B_TAP_ROW*24+:24];
                a_tap_row <= a_tap_row + fields[A_TAP_ROW*24+:24];
                b_tap_row <= b_tap_row + fields[B_TAP_ROW*24+:24];
            end
            if (last_tap) begin
                tap_row <= '0;
                {a_place[5], b_place[5], a_tap_row, b_tap_row} <= '0;
                frame <= last_frame ? '0 : frame + 1;
                a_place[4] <= last_frame ? '0 : a_place[4] + fields[A_FRAME*24+:24];
                b_place[4] <= last_frame ? '0 : b_place[4] + fields[B_FRAME*24+:24];
                out_frame <= last_frame ? '0 : out_frame + fields[OUT_FRAME*24+:24];
            end
            if (last_tap && last_frame) begin
                column <= last_column ? '0 : column + 1;
                from_column <= last_column ? '0 : from_column + fields[STRIDE_COLUMNS*24+:24];
                a_place[3] <= last_column ? '0 : a_place[3] + fields[A_COLUMN*24+:24];
                b_place[3] <= last_column ? '0 : b_place[3] + fields[B_COLUMN*24+:24];
                out_position <= last_column && last_row ? '0 : out_position + (FIELD_BITS'(1) << out_room);
            end
            if (last_tap && last_frame && last_column) begin
                row <= last_row ? '0 : row + 1;
                from_row <= last_row ? '0 : from_row + fields[STRIDE_ROWS*24+:24];
                a_place[2] <= last_row ? '0 : a_place[2] + fields[A_ROW*24+:24];
                b_place[2] <= last_row ? '0 : b_place[2] + fields[B_ROW*24+:24];
            end
            if (last_tap && last_frame && last_column && last_row) begin
                block <= block + 1;
                a_place[1] <= a_place[1] + fields[A_BLOCK*24+:24];
                b_place[1] <= b_place[1] + fields[B_BLOCK*24+:24];
                out_block <= out_block + fields[OUT_BLOCK*24+:24];
            end
        end

    // One clock later lines are there, another one later rows.
    logic a_comes, b_comes, a_from_sums, comes, row_comes;
    logic [5:0] a_at, b_at;
    logic [LOG_SUM_BANKS-1:0] a_at_word;
    logic [LOG_BANKS-1:0] b_at_word;
    logic [FIELD_BITS-1:0] out_at, row_out;
    logic [LOG_PLACES-1:0] block_at, row_block, ends_block;
    logic is_first, is_last, was_in_map, begins, row_first, row_last, row_in_map, row_begins;
    logic [ROW-1:0] a_row, b_row;

    always_ff @(posedge clk) begin
        a_comes <= !reset && a_takes;
        b_comes <= !reset && b_takes;
        a_from_sums <= a_sums;
        a_at <= a_line;
        b_at <= b_line;
        a_at_word <= a_word[LOG_SUM_BANKS-1:0];
        b_at_word <= b_word[LOG_BANKS-1:0];
        comes <= !reset && step_done;
        {is_first, is_last, was_in_map, begins} <= {first_tap, last_tap, in_map, frame == '0};
        out_at <= out_word;
        block_at <= LOG_PLACES'(block * LEVELS);
        if (a_comes && a_from_sums) a_row <= placed_sums(a_row, sums, a_at, a_at_word);
        if (a_comes && !a_from_sums) a_row <= placed(a_row, data, a_at, a_at_word[LOG_BANKS-1:0]);
        if (b_comes) b_row <= placed(b_row, data, b_at, b_at_word);
        row_comes <= !reset && comes;
        {row_first, row_last, row_in_map, row_begins} <= {is_first, is_last, was_in_map, begins};
        row_out <= out_at;
        row_block <= block_at;
    end

    // A row with line number `at` of it; the first one begins at its word.
    function automatic logic [ROW-1:0] placed(input logic [ROW-1:0] old, input logic [LINE-1:0] come, input logic [5:0] at,
                                              input logic [LOG_BANKS-1:0] word);
        placed = at == '0 ? ROW'(come) >> (32'(word) * CHANNELS) : old | ROW'(come) << (32'(at) * LINE);
    endfunction
    function automatic logic [ROW-1:0] placed_sums(input logic [ROW-1:0] old, input logic [SUMS_LINE-1:0] come,
                                                   input logic [5:0] at, input logic [LOG_SUM_BANKS-1:0] word);
        placed_sums = at == '0 ? ROW'(come) >> (32'(word) * CHANNELS) : old | ROW'(come) << (32'(at) * SUMS_LINE);
    endfunction

    // The lanes.
    logic [ROW-1:0] finished, taken_b, packed_row;
    logic ends, ends_begins;
    logic [FIELD_BITS-1:0] ends_out;
    always_ff @(posedge clk) begin
        ends <= !reset && row_comes && row_last;
        ends_begins <= row_begins;
        ends_out <= row_out;
        ends_block <= row_block;
        taken_b <= b_row;
    end

    for (genvar c = 0; c < CHANNELS; c++) begin : lane
        element_lane #(
            .CHANNEL(c), .CHANNELS(CHANNELS), .VALUE_BITS(VALUE_BITS), .MEMBRANE_BITS(MEMBRANE_BITS), .SHIFT(SHIFT), .SOFT_RESET(SOFT_RESET),
            .LEVELS(LEVELS), .PLACES(PLACES)
        ) unit (
            .clk, .parameter_write(parameter_write && parameter_channel == LOG_CHANNELS'(c)), .parameter_place, .parameter_word,
            .ends_block, .counts(fields[COUNTS*24]),
            .a_row, .b_row, .a_room, .b_room, .a_signed(fields[A_SIGNED*24]), .b_signed(fields[B_SIGNED*24]), .conjunction, .maximum,
            .takes(row_comes), .first(row_first), .in_map(row_in_map), .ends, .begins(ends_begins), .ends_b(taken_b),
            .adds, .rescales, .fires, .bits(fields[OUT_VALUE_BITS*24+:6]), .value(finished[c*VALUE_BITS+:VALUE_BITS])
        );
    end

    always @* begin
        packed_row = '0;
        for (int c = 0; c < CHANNELS; c++)
            for (int log = 0; log < 6; log++)
                if (out_room == 3'(log))
                    for (int k = 0; k < (1 << log); k++) packed_row[(c<<log)+k] = finished[c*VALUE_BITS+k];
    end

    // Rows wait here for the port.
    logic [ROW+FIELD_BITS-1:0] queue[QUEUE_DEPTH];
    logic [INDEX_BITS-1:0] front, back;
    logic [5:0] write_line, write_lines;
    logic [ROW-1:0] front_row;
    logic [FIELD_BITS-1:0] front_word;
    logic pops, was_running;
    assign {front_word, front_row} = queue[front];
    assign writes = waiting != '0;
    assign write_lines = lines(out_room, 3'(LOG_BANKS));
    assign pops = writes && write_line == write_lines - 1;
    assign write = writes;
    assign line = writes ? (front_word >> LOG_BANKS) + FIELD_BITS'(write_line)
        : a_takes && !a_sums ? (a_word >> LOG_BANKS) + FIELD_BITS'(a_line) : (b_word >> LOG_BANKS) + FIELD_BITS'(b_line);
    assign written = LINE'(front_row >> (32'(write_line) * LINE)) << (32'(front_word[LOG_BANKS-1:0]) * CHANNELS);
    assign mask = out_room >= 3'(LOG_BANKS) ? {LINE{1'b1}}
        : ~({LINE{1'b1}} << (CHANNELS << out_room)) << (32'(front_word[LOG_BANKS-1:0]) * CHANNELS);
    assign done = was_running && !running && !comes && !row_comes && !ends && !writes;

    always_ff @(posedge clk) begin
        if (reset) begin
            waiting <= '0;
            front <= '0;
            back <= '0;
            write_line <= '0;
            was_running <= 1'b0;
        end else begin
            waiting <= waiting + COUNT_BITS'(ends) - COUNT_BITS'(pops);
            if (ends) back <= back == INDEX_BITS'(QUEUE_DEPTH - 1) ? '0 : back + 1;
            if (pops) front <= front == INDEX_BITS'(QUEUE_DEPTH - 1) ? '0 : front + 1;
            if (writes) write_line <= pops ? '0 : write_line + 1;
            was_running <= running || was_running && !done;
        end
        if (ends) queue[back] <= {ends_out, packed_row};
    end
endmodule
