// The neuron of lif_step.sv that serves NEURONS neurons, one per clock, and keeps their membranes in registers.
module lif #(
    parameter int NEURONS = 1,
    parameter int X_BITS = 32,
    parameter int V_BITS = 16,
    parameter int MULTIPLIER_BITS = 0,
    parameter int FACTOR_BITS = MULTIPLIER_BITS > 0 ? MULTIPLIER_BITS : 1,
    parameter int SHIFT = 1,
    parameter bit SOFT_RESET = 1'b0,
    parameter bit DELAYED_RESET = 1'b0,
    parameter int INDEX_BITS = NEURONS > 1 ? $clog2(NEURONS) : 1
) (
    input logic clk,
    input logic enable,
    input logic first,                // the first timestep of an image: the membrane reads as 0
    input logic [INDEX_BITS-1:0] index,
    input logic signed [X_BITS-1:0] x,
    input logic signed [X_BITS-1:0] threshold,
    input logic signed [X_BITS-1:0] amount,
    input logic [FACTOR_BITS-1:0] multiplier,
    input logic [5:0] discard,
    output logic spike,
    output logic signed [V_BITS-1:0] stored  // what the membrane memory receives with this clock
);
    logic signed [V_BITS-1:0] membranes[NEURONS], membrane;

    assign membrane = first ? V_BITS'(0) : membranes[index];

    lif_step #(
        .X_BITS(X_BITS), .V_BITS(V_BITS), .MULTIPLIER_BITS(MULTIPLIER_BITS), .SHIFT(SHIFT), .SOFT_RESET(SOFT_RESET),
        .DELAYED_RESET(DELAYED_RESET)
    ) step (.membrane, .x, .threshold, .amount, .multiplier, .discard, .spike, .stored);

    always_ff @(posedge clk)
        if (enable) membranes[index] <= stored;
endmodule
