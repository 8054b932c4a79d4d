// One step of a leaky integrate-and-fire neuron (docs/semantics.md, section 4):
//
//     g = V + X;   spike iff g >= TH;   V' = ((2 (spike ? reset : g) + 1) multiplier) >> (SHIFT + 1)
//
// A spike resets g to 0 or takes an amount off it; with a DELAYED_RESET the amount comes off V' instead.
// With MULTIPLIER_BITS of 0 the last is a shift by SHIFT, and nothing is multiplied.
// A membrane is stored as V >> discard in V_BITS bits, clamped, and read back shifted left again.
module lif_step #(
    parameter int X_BITS = 32,
    parameter int V_BITS = 16,
    parameter int MULTIPLIER_BITS = 0,  // of a membrane that keeps multiplier / 2^SHIFT of itself; 0: 1 / 2^SHIFT
    parameter int FACTOR_BITS = MULTIPLIER_BITS > 0 ? MULTIPLIER_BITS : 1,
    parameter int SHIFT = 1,          // 1 halves the membrane, 0 integrates and fires
    parameter bit SOFT_RESET = 1'b0,  // a spike subtracts the amount instead of clearing the membrane
    parameter bit DELAYED_RESET = 1'b0  // and does so behind the leak
) (
    input logic signed [V_BITS-1:0] membrane,  // as it was stored
    input logic signed [X_BITS-1:0] x,
    input logic signed [X_BITS-1:0] threshold,
    input logic signed [X_BITS-1:0] amount,
    input logic [FACTOR_BITS-1:0] multiplier,
    input logic [5:0] discard,
    output logic spike,
    output logic signed [V_BITS-1:0] stored
);
    localparam int G_BITS = (X_BITS > V_BITS ? X_BITS : V_BITS) + 1;
    // Twice the potential and one, times the multiplier.
    localparam int PRODUCT_BITS = G_BITS + 2 + FACTOR_BITS;
    localparam logic signed [G_BITS-1:0] LARGEST = (G_BITS'(1) <<< (V_BITS - 1)) - 1;
    localparam logic signed [G_BITS-1:0] SMALLEST = -LARGEST - 1;

    logic signed [G_BITS-1:0] v, g, left, kept, word;
    logic signed [PRODUCT_BITS-1:0] product;

    always @* begin
        v = G_BITS'(membrane) <<< discard;
        g = v + G_BITS'(x);
        spike = g >= G_BITS'(threshold);
        left = g;
        if (spike && !DELAYED_RESET) left = SOFT_RESET ? g - G_BITS'(amount) : G_BITS'(0);
        product = PRODUCT_BITS'(0);
        kept = left >>> SHIFT;
        if (MULTIPLIER_BITS != 0) begin
            product = ((PRODUCT_BITS'(left) <<< 1) + PRODUCT_BITS'(1)) * PRODUCT_BITS'({1'b0, multiplier});
            kept = G_BITS'(product >>> (SHIFT + 1));
        end
        if (spike && DELAYED_RESET) kept -= G_BITS'(amount);
        word = kept >>> discard;
        if (word > LARGEST) word = LARGEST;
        if (word < SMALLEST) word = SMALLEST;
        stored = V_BITS'(word);
    end
endmodule
