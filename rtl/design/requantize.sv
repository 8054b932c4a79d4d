// (x M + 2^(S-1)) >> S, no rounding term for S = 0: docs/semantics.md, section 5.
module requantize #(
    parameter int X_BITS = 32,
    parameter int Y_BITS = 32    // wide enough for what comes out
) (
    input logic signed [X_BITS-1:0] x,
    input logic [15:0] multiplier,
    input logic [5:0] shift,
    output logic signed [Y_BITS-1:0] y
);
    localparam int BITS = X_BITS + 17;
    logic signed [BITS-1:0] product;
    logic signed [16:0] factor;
    assign factor = {1'b0, multiplier};

    always @* begin
        product = x * factor;
        // Half of the step that is dropped, which is beyond all products where the shift is.
        if (shift != '0) product = (product >>> (shift - 6'd1)) + BITS'(1) >>> 1;
        y = Y_BITS'(product);
    end
endmodule
