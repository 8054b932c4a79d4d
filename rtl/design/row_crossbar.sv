// The words of one row of weights, first word lowest, from the banks that were read.
module row_crossbar #(
    parameter int BANKS = 16,
    parameter int WORD_BITS = 64,
    parameter int ROW_WORDS = 8,  // of the widest row
    parameter int LOG_BANKS = $clog2(BANKS)
) (
    input logic [BANKS*WORD_BITS-1:0] data,
    input logic [LOG_BANKS-1:0] first_bank,
    output logic [ROW_WORDS*WORD_BITS-1:0] row
);
    logic [LOG_BANKS-1:0] bank;

    always @* begin
        bank = '0;
        for (int i = 0; i < ROW_WORDS; i++) begin
            bank = first_bank + LOG_BANKS'(i);
            row[i*WORD_BITS+:WORD_BITS] = data[bank*WORD_BITS+:WORD_BITS];
        end
    end
endmodule
