// One synchronous memory with one port: a read is at `data` one clock later and stays there, a write takes the bits of
// `mask`. What a foundry's macro does; `synth.sh` leaves it out.
module sram #(
    parameter int WORDS = 256,
    parameter int BITS = 64,
    parameter int ADDRESS_BITS = WORDS > 1 ? $clog2(WORDS) : 1
) (
    input logic clk,
    input logic read,
    input logic write,
    input logic [ADDRESS_BITS-1:0] address,
    input logic [BITS-1:0] mask,
    input logic [BITS-1:0] written,
    output logic [BITS-1:0] data
);
    logic [BITS-1:0] words[WORDS];

    always_ff @(posedge clk) begin
        if (write) words[address] <= (words[address] & ~mask) | (written & mask);
        if (read) data <= words[address];
    end
endmodule
