// How many of BITS spikes are there: a tree of adders that grow by a bit from level to level. What counts the spikes of an
// attention where many of them come at once.
module popcount #(
    parameter int BITS = 64,                 // a power of two
    parameter int COUNT_BITS = $clog2(BITS + 1)
) (
    input logic [BITS-1:0] spikes,
    output logic [COUNT_BITS-1:0] count
);
    if (BITS == 1) assign count = spikes;
    else begin : tree
        logic [COUNT_BITS-2:0] low, high;
        popcount #(.BITS(BITS / 2)) lower (.spikes(spikes[BITS/2-1:0]), .count(low));
        popcount #(.BITS(BITS / 2)) upper (.spikes(spikes[BITS-1:BITS/2]), .count(high));
        assign count = COUNT_BITS'(low) + COUNT_BITS'(high);
    end
endmodule
