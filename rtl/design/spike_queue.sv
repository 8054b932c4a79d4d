// Words of one position that have a spike, with the row of weights of their first value, from the gathering of windows to
// the walk through them. Words without a spike are dropped here, so they take the walk no time; a window that has none
// leaves one empty word that ends it.
module spike_queue #(
    parameter int WORD_BITS = 64,
    parameter int ROW_BITS = 14,
    parameter int DEPTH = 16,
    parameter int COUNT_BITS = $clog2(DEPTH + 1),
    parameter int INDEX_BITS = $clog2(DEPTH)
) (
    input logic clk,
    input logic reset,
    input logic valid,
    input logic [WORD_BITS-1:0] word,
    input logic [ROW_BITS-1:0] row,
    input logic last,
    output logic full,              // no room for more than is on the way
    input logic pop,
    output logic head_valid,
    output logic [WORD_BITS-1:0] head_word,
    output logic [ROW_BITS-1:0] head_row,
    output logic head_last
);
    localparam int ENTRY_BITS = WORD_BITS + ROW_BITS + 1;

    // A word waits here until it is known whether it is the last of its window.
    logic held, held_last, push, push_last, keeps, ends_held;
    logic [WORD_BITS-1:0] held_word;
    logic [ROW_BITS-1:0] held_row;
    logic [ENTRY_BITS-1:0] entries[DEPTH];
    logic [COUNT_BITS-1:0] count;
    logic [INDEX_BITS-1:0] front, back;

    assign ends_held = valid && last && word == '0 && held && !held_last;
    assign push = held && (held_last || ends_held || valid && word != '0);
    assign push_last = held_last || ends_held;
    assign keeps = valid && (word != '0 || last && !ends_held);

    always_ff @(posedge clk) begin
        if (reset) begin
            held <= 1'b0;
            count <= '0;
            front <= '0;
            back <= '0;
        end else begin
            if (keeps) held <= 1'b1;
            else if (push) held <= 1'b0;
            count <= count + COUNT_BITS'(push) - COUNT_BITS'(pop);
            if (push) back <= back == INDEX_BITS'(DEPTH - 1) ? '0 : back + 1;
            if (pop) front <= front == INDEX_BITS'(DEPTH - 1) ? '0 : front + 1;
        end
        if (keeps) begin
            held_word <= word;
            held_row <= row;
            held_last <= last;
        end
        if (push) entries[back] <= {push_last, held_row, held_word};
    end

    assign full = count >= COUNT_BITS'(DEPTH - 2);
    assign head_valid = count != '0;
    assign {head_last, head_row, head_word} = entries[front];
endmodule
