// Reads the window of every position of a wave from the activation memory, tap by tap: one word of each position per
// clock where they lie in different banks or in one word, and otherwise as many clocks as the fullest bank takes. Taps on
// the padding are zero and read nothing. Waves follow each other: for each, the timesteps, and in each the taps.
module gather #(
    parameter int POSITIONS = 4,
    parameter int WORD_BITS = 64,
    parameter int BANKS = 4,
    parameter int BANK_WORDS = 2048,
    parameter int FIELDS = 54,
    parameter int ROW_BITS = 14,
    parameter int BANK_ADDRESS_BITS = $clog2(BANK_WORDS)
) (
    input logic clk,
    input logic reset,
    input logic start,
    input logic [FIELDS*24-1:0] fields,
    input logic [POSITIONS-1:0] full,           // queues without room for what is on the way
    output logic [BANKS-1:0] read,
    output logic [BANKS*BANK_ADDRESS_BITS-1:0] address,
    input logic [BANKS-1:0] taken,              // banks that something else uses in this clock
    input logic [BANKS*WORD_BITS-1:0] data,
    output logic [POSITIONS-1:0] valid,
    output logic [POSITIONS*WORD_BITS-1:0] words,
    output logic [ROW_BITS-1:0] row,            // of the weights of the first value of the words
    output logic last                           // the words are the last of their windows
);
    `include "program.svh"
    localparam int LOG_WORD = $clog2(WORD_BITS);
    localparam int LOG_BANKS = $clog2(BANKS);

    logic running;
    logic [FIELD_BITS-1:0] wave, frame, frame_bits, tap_row, tap_column, tap_bits, word, word_bits, tap_y, tap_x, tap_values, step_row;
    logic signed [FIELD_BITS-1:0] rows[POSITIONS], columns[POSITIONS], bits[POSITIONS];
    logic [POSITIONS-1:0] served;

    // One step: what each position needs, and who gets it.
    logic [POSITIONS-1:0] in_map, serves, zero;
    logic [POSITIONS*LOG_WORD-1:0] at_bit;
    logic [POSITIONS*LOG_BANKS-1:0] at_bank;
    logic [POSITIONS*BANK_ADDRESS_BITS-1:0] at_address;
    logic [LOG_BANKS-1:0] bank;
    logic [BANK_ADDRESS_BITS-1:0] bank_address;
    logic issue, step_done, window_done, last_wave;

    assign last_wave = wave == fields[WAVES*24+:24] - 1;
    assign issue = running && full == '0;

    for (genvar p = 0; p < POSITIONS; p++) begin : position
        logic [FIELD_BITS-1:0] y, x;
        logic [LOG_WORD+LOG_BANKS+BANK_ADDRESS_BITS-1:0] at;
        assign y = rows[p] + tap_y;
        assign x = columns[p] + tap_x;
        assign at = (LOG_WORD+LOG_BANKS+BANK_ADDRESS_BITS)'(bits[p] + frame_bits + tap_bits + word_bits);
        // Negative coordinates are large without a sign.
        assign in_map[p] = y < fields[IN_ROWS*24+:24] && x < fields[IN_COLUMNS*24+:24]
            && (!last_wave || FIELD_BITS'(p) < fields[LAST_POSITIONS*24+:24]);
        assign {at_address[p*BANK_ADDRESS_BITS+:BANK_ADDRESS_BITS], at_bank[p*LOG_BANKS+:LOG_BANKS],
            at_bit[p*LOG_WORD+:LOG_WORD]} = at;
    end

    always @* begin
        read = '0;
        address = '0;
        serves = '0;
        zero = '0;
        bank = '0;
        bank_address = '0;
        for (int p = 0; p < POSITIONS; p++)
            if (issue && !served[p]) begin
                bank = at_bank[p*LOG_BANKS+:LOG_BANKS];
                bank_address = at_address[p*BANK_ADDRESS_BITS+:BANK_ADDRESS_BITS];
                if (!in_map[p]) begin
                    serves[p] = 1'b1;
                    zero[p] = 1'b1;
                end else if (!taken[bank] && (!read[bank]
                    || address[bank*BANK_ADDRESS_BITS+:BANK_ADDRESS_BITS] == bank_address)) begin
                    read[bank] = 1'b1;
                    address[bank*BANK_ADDRESS_BITS+:BANK_ADDRESS_BITS] = bank_address;
                    serves[p] = 1'b1;
                end
            end
    end

    assign step_done = issue && (served | serves) == '1;
    assign window_done = tap_row == fields[KERNEL_ROWS*24+:24] - 1 && tap_column == fields[KERNEL_COLUMNS*24+:24] - 1
        && word == fields[PIXEL_WORDS*24+:24] - 1;

    always_ff @(posedge clk) begin
        if (reset) running <= 1'b0;
        else if (start) begin
            running <= 1'b1;
            served <= '0;
            wave <= '0;
            frame <= '0;
            frame_bits <= '0;
            for (int p = 0; p < POSITIONS; p++) begin
                rows[p] <= fields[(POSITION_0 + 3 * p)*24+:24];
                columns[p] <= fields[(POSITION_0 + 3 * p + 1)*24+:24];
                bits[p] <= fields[(POSITION_0 + 3 * p + 2)*24+:24];
            end
        end else if (issue) begin
            served <= step_done ? '0 : served | serves;
            if (step_done && window_done) begin
                frame <= frame + 1;
                frame_bits <= frame_bits + fields[IN_FRAME_BITS*24+:24];
                if (frame == fields[FRAMES*24+:24] - 1) begin
                    frame <= '0;
                    frame_bits <= '0;
                    wave <= wave + 1;
                    if (last_wave) running <= 1'b0;
                    for (int p = 0; p < POSITIONS; p++)
                        if (columns[p] + $signed(fields[WAVE_COLUMNS*24+:24]) >= $signed(fields[WRAP_AT*24+:24])) begin
                            rows[p] <= rows[p] + fields[WAVE_ROWS*24+:24] + fields[WRAP_ROWS*24+:24];
                            columns[p] <= columns[p] + fields[WAVE_COLUMNS*24+:24] - fields[WRAP_COLUMNS*24+:24];
                            bits[p] <= bits[p] + fields[WAVE_BITS*24+:24] + fields[WRAP_BITS*24+:24];
                        end else begin
                            rows[p] <= rows[p] + fields[WAVE_ROWS*24+:24];
                            columns[p] <= columns[p] + fields[WAVE_COLUMNS*24+:24];
                            bits[p] <= bits[p] + fields[WAVE_BITS*24+:24];
                        end
                end
            end
        end
    end

    // The taps of a window, and in each the words of a position.
    always_ff @(posedge clk)
        if (start || step_done && window_done) begin
            tap_row <= '0;
            tap_column <= '0;
            tap_bits <= '0;
            tap_y <= '0;
            tap_x <= '0;
            tap_values <= '0;
            word <= '0;
            word_bits <= '0;
            step_row <= '0;
        end else if (step_done)
            if (word != fields[PIXEL_WORDS*24+:24] - 1) begin
                word <= word + 1;
                word_bits <= word_bits + fields[IN_BLOCK_BITS*24+:24];
                step_row <= step_row + fields[WORD_VALUES*24+:24];
            end else begin
                word <= '0;
                word_bits <= '0;
                tap_values <= tap_values + fields[PIXEL_VALUES*24+:24];
                step_row <= tap_values + fields[PIXEL_VALUES*24+:24];
                if (tap_column != fields[KERNEL_COLUMNS*24+:24] - 1) begin
                    tap_column <= tap_column + 1;
                    tap_x <= tap_x + fields[TAP_COLUMNS*24+:24];
                    tap_bits <= tap_bits + fields[TAP_COLUMN_BITS*24+:24];
                end else begin
                    tap_column <= '0;
                    tap_x <= '0;
                    tap_row <= tap_row + 1;
                    tap_y <= tap_y + fields[TAP_ROWS*24+:24];
                    tap_bits <= tap_bits + fields[TAP_ROW_BITS*24+:24];
                end
            end

    // One clock later the words are there.
    logic [POSITIONS-1:0] was_zero;
    logic [POSITIONS*LOG_WORD-1:0] was_bit;
    logic [POSITIONS*LOG_BANKS-1:0] was_bank;
    logic [WORD_BITS-1:0] read_word, pixel_mask;

    always_ff @(posedge clk) begin
        valid <= reset ? '0 : serves;
        was_zero <= zero;
        was_bit <= at_bit;
        was_bank <= at_bank;
        row <= ROW_BITS'(step_row);
        last <= window_done;
    end

    assign pixel_mask = fields[PIXEL_BITS*24+:24] < FIELD_BITS'(WORD_BITS)
        ? (WORD_BITS'(1) << fields[PIXEL_BITS*24+:24]) - WORD_BITS'(1) : {WORD_BITS{1'b1}};

    always @* begin
        read_word = '0;
        for (int p = 0; p < POSITIONS; p++) begin
            read_word = data[was_bank[p*LOG_BANKS+:LOG_BANKS]*WORD_BITS+:WORD_BITS] >> was_bit[p*LOG_WORD+:LOG_WORD];
            words[p*WORD_BITS+:WORD_BITS] = was_zero[p] ? '0 : read_word & pixel_mask;
        end
    end
endmodule
