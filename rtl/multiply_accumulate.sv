// A unit of a systolic array that keeps its sum: weight times input, added in every clock in which it is enabled; its
// operands pass on to its neighbours.
module multiply_accumulate #(
    parameter int WEIGHT_BITS = 8,
    parameter int INPUT_BITS = 8,
    parameter int SUM_BITS = 24
) (
    input logic clk,
    input logic reset,
    input logic enable,
    input logic clear,                       // the sum starts with this product
    input logic signed [WEIGHT_BITS-1:0] weight,
    input logic signed [INPUT_BITS-1:0] value,
    output logic signed [WEIGHT_BITS-1:0] weight_on,
    output logic signed [INPUT_BITS-1:0] value_on,
    output logic signed [SUM_BITS-1:0] sum
);
    logic signed [WEIGHT_BITS+INPUT_BITS-1:0] product;
    assign product = weight * value;

    always_ff @(posedge clk)
        if (reset) sum <= '0;
        else if (enable) begin
            weight_on <= weight;
            value_on <= value;
            sum <= (clear ? SUM_BITS'(0) : sum) + SUM_BITS'(product);
        end
endmodule
