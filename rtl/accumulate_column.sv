// One output channel of a weight layer with binary inputs: adds the weights that a spike meets, LANES of them
// per clock, and yields X = (sum << f) + bias (docs/semantics.md, section 3). No multiplier.
module accumulate_column #(
    parameter int LANES = 16,
    parameter int W_BITS = 8,
    parameter int ACC_BITS = 24,     // proven per layer: no sum of it leaves the word
    parameter int X_BITS = 32,
    parameter int FRACTION_BITS = 0  // f
) (
    input logic clk,
    input logic clear,               // with it, the sum starts anew from the lanes of this clock
    input logic enable,
    input logic [LANES-1:0] spikes,
    input logic [LANES*W_BITS-1:0] weights,  // lane 0 in the lowest bits, two's complement
    input logic signed [X_BITS-1:0] bias,
    output logic signed [X_BITS-1:0] x
);
    logic signed [ACC_BITS-1:0] sum, lanes;

    always_comb begin
        lanes = '0;
        for (int i = 0; i < LANES; i++)
            if (spikes[i]) lanes = lanes + ACC_BITS'($signed(weights[i*W_BITS+:W_BITS]));
    end

    always_ff @(posedge clk)
        if (enable) sum <= (clear ? ACC_BITS'(0) : sum) + lanes;

    assign x = (X_BITS'(sum) <<< FRACTION_BITS) + bias;
endmodule
