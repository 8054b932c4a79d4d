// Runs a weight layer that `spiq export rtl` wrote through one accumulate_column and one lif, neuron after neuron,
// and compares X, every membrane and every spike. `layer.vh` and the .mem files are described in docs/formats.md.
//
//     vvp tb_layer.vvp +dir=FOLDER      prints "PASS n values", or the first mismatch with its coordinates
module tb_layer;
    `include "layer.vh"

    localparam int LANES = 16;
    localparam int PER_GROUP = IN_CHANNELS / GROUPS;
    localparam int TAPS = KERNEL * KERNEL;
    localparam int FAN_IN = PER_GROUP * TAPS;
    localparam int INPUTS = IMAGES * IN_CHANNELS * IN_HEIGHT * IN_WIDTH;
    localparam int NEURONS = OUT_CHANNELS * OUT_HEIGHT * OUT_WIDTH;
    localparam int VALUES = IMAGES * NEURONS;
    localparam int G_BITS = POTENTIAL_BITS > THRESHOLD_BITS ? POTENTIAL_BITS : THRESHOLD_BITS;
    localparam int A_BITS = AMOUNT_BITS > X_BITS ? AMOUNT_BITS : X_BITS;
    localparam int WORD = G_BITS > A_BITS ? G_BITS : A_BITS;
    localparam int FACTOR_BITS = MULTIPLIER_BITS > 0 ? MULTIPLIER_BITS : 1;
    localparam int INDEX_BITS = NEURONS > 1 ? $clog2(NEURONS) : 1;

    // Files hold whole hexadecimal digits, sign-extended.
    logic signed [(WEIGHT_BITS+3)/4*4-1:0] w[OUT_CHANNELS*FAN_IN];
    logic signed [(X_BITS+3)/4*4-1:0] biases[OUT_CHANNELS], x_expected[VALUES];
    logic signed [(THRESHOLD_BITS+3)/4*4-1:0] thresholds[OUT_CHANNELS];
    logic signed [(AMOUNT_BITS+3)/4*4-1:0] amounts[OUT_CHANNELS];
    logic [7:0] discards[OUT_CHANNELS];
    logic [19:0] multipliers[OUT_CHANNELS];
    logic [3:0] inputs[INPUTS], spikes_expected[VALUES];
    logic signed [(V_BITS+3)/4*4-1:0] v_expected[VALUES];

    logic clk = 0, clear, accumulating = 0, updating = 0, first, spike;
    logic [LANES-1:0] lanes;
    logic [LANES*WEIGHT_BITS-1:0] weights;
    logic signed [X_BITS-1:0] bias, x;
    logic signed [WORD-1:0] threshold, amount, wide_x;
    logic signed [63:0] v;
    logic signed [MEMBRANE_BITS-1:0] stored;
    logic [INDEX_BITS-1:0] index;
    logic [5:0] discard;
    logic [FACTOR_BITS-1:0] multiplier;

    string dir;
    int image, t, n, compared = 0;

    accumulate_column #(
        .LANES(LANES), .W_BITS(WEIGHT_BITS), .ACC_BITS(ACCUMULATOR_BITS), .X_BITS(X_BITS),
        .FRACTION_BITS(FRACTION_BITS)
    ) column (.clk, .clear, .enable(accumulating), .spikes(lanes), .weights, .bias, .x);

    assign wide_x = WORD'(x);
    lif #(
        .NEURONS(NEURONS), .X_BITS(WORD), .V_BITS(MEMBRANE_BITS), .MULTIPLIER_BITS(MULTIPLIER_BITS), .SHIFT(SHIFT),
        .SOFT_RESET(SOFT_RESET != 0), .DELAYED_RESET(DELAYED_RESET != 0)
    ) neuron (.clk, .enable(updating), .first, .index, .x(wide_x), .threshold, .amount, .multiplier, .discard, .spike,
            .stored);

    assign v = 64'(stored) <<< discard;

    task automatic tick;
        #1 clk = 1;
        #1 clk = 0;
    endtask

    // A line that is missing stays unknown, and what is unknown equals nothing.
    task automatic load_timestep;
        for (int i = 0; i < INPUTS; i++) inputs[i] = 'x;
        for (int i = 0; i < VALUES; i++) begin
            x_expected[i] = 'x;
            v_expected[i] = 'x;
            spikes_expected[i] = 'x;
        end
        $readmemh($sformatf("%0s/in_t%0d.mem", dir, t), inputs, 0, INPUTS - 1);
        $readmemh($sformatf("%0s/x_t%0d.mem", dir, t), x_expected, 0, VALUES - 1);
        $readmemh($sformatf("%0s/v_t%0d.mem", dir, t), v_expected, 0, VALUES - 1);
        $readmemh($sformatf("%0s/out_t%0d.mem", dir, t), spikes_expected, 0, VALUES - 1);
    endtask

    // The input spike that weight `i` of an output channel of `group` meets at output row and column; padding is 0.
    function automatic logic met(input int i, input int group, input int row, input int column);
        int channel, y, x_;
        channel = group * PER_GROUP + i / TAPS;
        y = row * STRIDE + i % TAPS / KERNEL - PAD;
        x_ = column * STRIDE + i % KERNEL - PAD;
        if (y < 0 || y >= IN_HEIGHT || x_ < 0 || x_ >= IN_WIDTH) return 1'b0;
        return inputs[((image * IN_CHANNELS + channel) * IN_HEIGHT + y) * IN_WIDTH + x_][0];
    endfunction

    task automatic accumulate(input int out, input int row, input int column);
        int base, i;
        for (base = 0; base < FAN_IN; base += LANES) begin
            lanes = '0;
            for (i = 0; i < LANES && base + i < FAN_IN; i++) begin
                lanes[i] = met(base + i, out / (OUT_CHANNELS / GROUPS), row, column);
                weights[i*WEIGHT_BITS+:WEIGHT_BITS] = WEIGHT_BITS'(w[out*FAN_IN+base+i]);
            end
            clear = base == 0;
            accumulating = 1;
            tick;
            accumulating = 0;
        end
    endtask

    // `expected` and `got` keep their unknown bits; a value that has one is wrong whatever the other is.
    task automatic compare(input string what, input logic signed [63:0] expected, input logic signed [63:0] got);
        if (got !== expected || ^got === 1'bx) mismatch(what, expected, got);
        compared++;
    endtask

    task automatic mismatch(input string what, input logic signed [63:0] expected, input logic signed [63:0] got);
        $display("FAIL %0s t %0d image %0d channel %0d y %0d x %0d: expected %0d got %0d", what, t,
                 image, n / (OUT_HEIGHT * OUT_WIDTH), n / OUT_WIDTH % OUT_HEIGHT, n % OUT_WIDTH, expected, got);
        $fatal(1);
    endtask

    task automatic run_neuron;
        int out, at;
        out = n / (OUT_HEIGHT * OUT_WIDTH);
        at = image * NEURONS + n;
        bias = X_BITS'(biases[out]);
        threshold = WORD'(thresholds[out]);
        amount = WORD'(amounts[out]);
        multiplier = FACTOR_BITS'(multipliers[out]);
        discard = 6'(discards[out]);
        index = INDEX_BITS'(n);
        first = t == 0;
        accumulate(out, n / OUT_WIDTH % OUT_HEIGHT, n % OUT_WIDTH);
        #1 compare("X", 64'(x_expected[at]), 64'(x));
        compare("spike", 64'(spikes_expected[at]), 64'(spike));
        compare("V", 64'(v_expected[at]), v);
        updating = 1;
        tick;
        updating = 0;
    endtask

    initial begin
        if (!$value$plusargs("dir=%s", dir)) $fatal(1, "FAIL no +dir=FOLDER");
        $readmemh($sformatf("%0s/w.mem", dir), w, 0, OUT_CHANNELS * FAN_IN - 1);
        $readmemh($sformatf("%0s/bias.mem", dir), biases, 0, OUT_CHANNELS - 1);
        $readmemh($sformatf("%0s/thresh.mem", dir), thresholds, 0, OUT_CHANNELS - 1);
        $readmemh($sformatf("%0s/amount.mem", dir), amounts, 0, OUT_CHANNELS - 1);
        $readmemh($sformatf("%0s/multiplier.mem", dir), multipliers, 0, OUT_CHANNELS - 1);
        $readmemh($sformatf("%0s/discard.mem", dir), discards, 0, OUT_CHANNELS - 1);
        for (image = 0; image < IMAGES; image++)
            for (t = 0; t < TIMESTEPS; t++) begin
                load_timestep;
                for (n = 0; n < NEURONS; n++) run_neuron;
            end
        $display("PASS %0d values", compared);
        $finish;
    end
endmodule
