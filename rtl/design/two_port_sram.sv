// A small memory with a port to read and one to write: what is read in the clock of its writing is the old word.
module two_port_sram #(
    parameter int WORDS = 4,
    parameter int BITS = 1024,
    parameter int ADDRESS_BITS = WORDS > 1 ? $clog2(WORDS) : 1
) (
    input logic clk,
    input logic read,
    input logic [ADDRESS_BITS-1:0] read_address,
    output logic [BITS-1:0] data,
    input logic write,
    input logic [ADDRESS_BITS-1:0] write_address,
    input logic [BITS-1:0] written
);
    logic [BITS-1:0] words[WORDS];

    always_ff @(posedge clk) begin
        if (write) words[write_address] <= written;
        if (read) data <= words[read_address];
    end
endmodule
