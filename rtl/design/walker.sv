// Walks through the spikes of one position, one per clock: the row of weights that each meets. Values of several bits
// take a clock for each of their bits, the row being read with the first of them. Behind the last word of a window the
// walker waits until those of the other positions are there as well.
module walker #(
    parameter int WORD_BITS = 64,
    parameter int ROW_BITS = 14,
    parameter int SERIAL_BITS = 9,   // largest width of a value; 1: spikes alone
    parameter int SHIFT_BITS = SERIAL_BITS > 1 ? $clog2(SERIAL_BITS) : 1
) (
    input logic clk,
    input logic reset,
    input logic enable,
    input logic [4:0] log_room,       // log2 of the bits that a value takes in a word
    input logic [SHIFT_BITS-1:0] last_bit,
    input logic is_signed,
    input logic head_valid,
    input logic [WORD_BITS-1:0] head_word,
    input logic [ROW_BITS-1:0] head_row,
    input logic head_last,
    output logic pop,
    output logic wants,               // a row of weights
    output logic [ROW_BITS-1:0] row,
    input logic granted,
    output logic steps,               // something is added in this clock
    output logic value_bit,
    output logic [SHIFT_BITS-1:0] shift,
    output logic negative,            // the bit counts below zero
    output logic starves,
    output logic done,                // nothing is left of the window behind this clock
    input logic next                  // all positions are done
);
    localparam int INDEX_BITS = $clog2(WORD_BITS);
    localparam int ROOMS = SERIAL_BITS > 1 ? $clog2(SERIAL_BITS) + 1 : 1;

    logic valid, last, ends_value, word_done;
    logic [WORD_BITS-1:0] word, left, left_after;
    logic [ROW_BITS-1:0] first_row;
    logic [INDEX_BITS-1:0] index;
    logic [SHIFT_BITS-1:0] bit_number;

    // A bit for each value that is not zero.
    logic [WORD_BITS-1:0] nonzero;
    always @* begin
        nonzero = '0;
        for (int room = 0; room < ROOMS; room++)
            if (SERIAL_BITS == 1 || log_room == 5'(room))
                for (int i = 0; i < WORD_BITS; i++) if (head_word[i]) nonzero[i>>room] = 1'b1;
    end

    always @* begin
        index = '0;
        for (int i = WORD_BITS - 1; i >= 0; i--) if (left[i]) index = INDEX_BITS'(i);
    end

    assign left_after = left & (left - WORD_BITS'(1));
    assign row = first_row + ROW_BITS'(index);
    assign wants = valid && left != '0 && bit_number == '0;
    assign steps = enable && valid && left != '0 && (bit_number != '0 || granted);
    assign shift = bit_number;
    assign value_bit = SERIAL_BITS == 1 || word[(INDEX_BITS'(index)<<log_room)+INDEX_BITS'(bit_number)];
    assign negative = is_signed && bit_number == last_bit;
    assign ends_value = steps && bit_number == last_bit;
    assign word_done = valid && (left == '0 || ends_value && left_after == '0);
    assign done = word_done && last;
    assign starves = !valid;
    assign pop = enable && head_valid && (!valid || word_done && !last || next);

    always_ff @(posedge clk)
        if (reset) begin
            valid <= 1'b0;
            bit_number <= '0;
        end else if (enable) begin
            if (steps) bit_number <= ends_value ? '0 : bit_number + 1;
            if (pop) begin
                valid <= 1'b1;
                word <= head_word;
                left <= nonzero;
                first_row <= head_row;
                last <= head_last;
            end else begin
                if (next || word_done && !last) valid <= 1'b0;
                if (ends_value) left <= left_after;
            end
        end
endmodule
