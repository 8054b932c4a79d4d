// The neurons behind a spiking self-attention with scale 1/8 and threshold 0.5, in four bits of count and two of
// membrane (docs/semantics.md, section 6). The unit serves NEURONS neurons, one after the other:
//
//     count = sum of the entries of q k^T over the tokens where v fires
//     g = V + count;   spike iff g >= 8;   V' = spike ? 0 : g >> 1
//
// The count saturates at 15. Its addends are not negative, so once it is 8 or more it stays so and the neuron
// fires, whatever the true count is; a membrane is at most 7 >> 1 = 3.
module ssa_neuron #(
    parameter int NEURONS = 1,
    parameter int ADD_BITS = 8,
    parameter int INDEX_BITS = NEURONS > 1 ? $clog2(NEURONS) : 1
) (
    input logic clk,
    input logic clear,                // the first token: the count starts anew
    input logic enable,               // one token: its entry of q k^T, and the spike of v that gates it
    input logic [ADD_BITS-1:0] similarity,
    input logic value,
    input logic [INDEX_BITS-1:0] index,
    input logic first,                // the first timestep of an image: the membrane reads as 0
    input logic fire,                 // all tokens are in the count: the membrane is updated
    output logic [3:0] count,
    output logic spike,
    output logic [1:0] stored         // what the membrane memory receives with `fire`
);
    logic [1:0] membranes[NEURONS];
    logic [ADD_BITS+3:0] total;
    logic [4:0] g;

    always_comb begin
        total = (ADD_BITS+4)'(clear ? 4'd0 : count) + (ADD_BITS+4)'(value ? similarity : ADD_BITS'(0));
        g = 5'(first ? 2'd0 : membranes[index]) + 5'(count);
        spike = g >= 5'd8;
        stored = spike ? 2'd0 : 2'(g >> 1);
    end

    always_ff @(posedge clk) begin
        if (enable) count <= total > (ADD_BITS+4)'(15) ? 4'd15 : 4'(total);
        if (fire) membranes[index] <= stored;
    end
endmodule
