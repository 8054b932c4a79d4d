// Which walkers read their rows of weights in this clock: those whose banks nobody before them takes, or takes for the
// row that they ask for as well. Who comes first moves on by one with every clock. A row lies in `row_words` banks that
// follow each other, the last bank before the first.
module row_arbiter #(
    parameter int POSITIONS = 4,
    parameter int BANKS = 16,
    parameter int WORD_ADDRESS_BITS = 14,          // of words, over all banks
    parameter bit SHARES = 1'b1,                   // walkers that ask for one row read it together
    parameter int LOG_BANKS = $clog2(BANKS),
    parameter int BANK_ADDRESS_BITS = WORD_ADDRESS_BITS - LOG_BANKS
) (
    input logic clk,
    input logic reset,
    input logic enable,
    input logic [POSITIONS-1:0] wants,
    input logic [POSITIONS*WORD_ADDRESS_BITS-1:0] first_words,
    input logic [LOG_BANKS:0] row_words,
    output logic [POSITIONS-1:0] granted,
    output logic [BANKS-1:0] read,
    output logic [BANKS*BANK_ADDRESS_BITS-1:0] address
);
    localparam int TURN_BITS = $clog2(2 * POSITIONS);

    logic [TURN_BITS-1:0] turn;
    logic [BANKS-1:0] mask;
    logic [LOG_BANKS-1:0] first_bank, offset;
    logic [BANK_ADDRESS_BITS-1:0] first_address, bank_address;
    logic conflict;

    always_ff @(posedge clk)
        if (reset) turn <= '0;
        else turn <= turn == TURN_BITS'(POSITIONS - 1) ? '0 : turn + 1;

    always @* begin
        granted = '0;
        read = '0;
        address = '0;
        mask = '0;
        first_bank = '0;
        first_address = '0;
        bank_address = '0;
        offset = '0;
        conflict = 1'b0;
        for (int i = 0; i < 2 * POSITIONS; i++)
            // Twice around the positions, of which those from `turn` on count.
            if (enable && TURN_BITS'(i) >= turn && TURN_BITS'(i) - turn < TURN_BITS'(POSITIONS) && wants[i%POSITIONS]) begin
                first_bank = first_words[(i%POSITIONS)*WORD_ADDRESS_BITS+:LOG_BANKS];
                first_address = first_words[(i%POSITIONS)*WORD_ADDRESS_BITS+LOG_BANKS+:BANK_ADDRESS_BITS];
                conflict = 1'b0;
                for (int b = 0; b < BANKS; b++) begin
                    offset = LOG_BANKS'(b) - first_bank;
                    mask[b] = {1'b0, offset} < row_words;
                    // Banks before the first one hold the words of the next row of banks.
                    bank_address = first_address + BANK_ADDRESS_BITS'(LOG_BANKS'(b) < first_bank);
                    if (mask[b] && read[b]
                        && (!SHARES || address[b*BANK_ADDRESS_BITS+:BANK_ADDRESS_BITS] != bank_address)) conflict = 1'b1;
                end
                granted[i%POSITIONS] = !conflict;
                for (int b = 0; b < BANKS; b++) begin
                    bank_address = first_address + BANK_ADDRESS_BITS'(LOG_BANKS'(b) < first_bank);
                    if (mask[b] && !conflict) begin
                        read[b] = 1'b1;
                        address[b*BANK_ADDRESS_BITS+:BANK_ADDRESS_BITS] = bank_address;
                    end
                end
            end
    end
endmodule
