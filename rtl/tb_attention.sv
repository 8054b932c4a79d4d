// Runs a spiking attention that `spiq export rtl` wrote through ssa_neuron, neuron after neuron, and compares every
// membrane and every spike, and the count as far as four bits hold it. The unit is that of scale 1/8 and threshold
// 0.5: thresholds of 8, a leak of one half, a reset to 0.
//
//     vvp tb_attention.vvp +dir=FOLDER      prints "PASS n values", or the first mismatch with its coordinates
module tb_attention;
    `include "layer.vh"

    localparam int TOKENS = HEIGHT * WIDTH;
    localparam int HEAD = CHANNELS / HEADS;
    localparam int VALUE_HEAD = VALUE_CHANNELS / HEADS;
    localparam int INPUTS = IMAGES * CHANNELS * TOKENS;
    localparam int NEURONS = VALUE_CHANNELS * TOKENS;
    localparam int VALUES = IMAGES * NEURONS;
    localparam int INDEX_BITS = NEURONS > 1 ? $clog2(NEURONS) : 1;
    localparam int ADD_BITS = $clog2(HEAD + 1);

    // Files hold whole hexadecimal digits.
    logic [3:0] q[INPUTS], k[INPUTS], values[VALUES], spikes_expected[VALUES];
    logic [(COUNT_BITS+3)/4*4-1:0] counts_expected[VALUES];
    logic signed [(V_BITS+3)/4*4-1:0] v_expected[VALUES];
    logic signed [(THRESHOLD_BITS+3)/4*4-1:0] thresholds[VALUE_CHANNELS];

    logic clk = 0, clear, enable = 0, value, first, fire = 0, spike;
    logic [ADD_BITS-1:0] similarity;
    logic [INDEX_BITS-1:0] index;
    logic [3:0] count;
    logic [1:0] stored;

    string dir;
    int image, t, n, compared = 0;

    ssa_neuron #(.NEURONS(NEURONS), .ADD_BITS(ADD_BITS)) dut (.*);

    task automatic tick;
        #1 clk = 1;
        #1 clk = 0;
    endtask

    // A line that is missing stays unknown, and what is unknown equals nothing.
    task automatic load_timestep;
        for (int i = 0; i < INPUTS; i++) begin
            q[i] = 'x;
            k[i] = 'x;
        end
        for (int i = 0; i < VALUES; i++) begin
            values[i] = 'x;
            counts_expected[i] = 'x;
            v_expected[i] = 'x;
            spikes_expected[i] = 'x;
        end
        $readmemh($sformatf("%0s/in_q_t%0d.mem", dir, t), q, 0, INPUTS - 1);
        $readmemh($sformatf("%0s/in_k_t%0d.mem", dir, t), k, 0, INPUTS - 1);
        $readmemh($sformatf("%0s/in_v_t%0d.mem", dir, t), values, 0, VALUES - 1);
        $readmemh($sformatf("%0s/x_t%0d.mem", dir, t), counts_expected, 0, VALUES - 1);
        $readmemh($sformatf("%0s/v_t%0d.mem", dir, t), v_expected, 0, VALUES - 1);
        $readmemh($sformatf("%0s/out_t%0d.mem", dir, t), spikes_expected, 0, VALUES - 1);
    endtask

    // The entry of q k^T of a head for two tokens.
    function automatic logic [ADD_BITS-1:0] entry(input int head, input int asks, input int asked);
        int base;
        entry = '0;
        for (int c = 0; c < HEAD; c++) begin
            base = (image * CHANNELS + head * HEAD + c) * TOKENS;
            entry = entry + ADD_BITS'(q[base+asks][0] & k[base+asked][0]);
        end
    endfunction

    // `expected` and `got` keep their unknown bits; a value that has one is wrong whatever the other is.
    task automatic compare(input string what, input logic [63:0] expected, input logic [63:0] got);
        if (got !== expected || ^got === 1'bx) mismatch(what, expected, got);
        compared++;
    endtask

    task automatic mismatch(input string what, input logic [63:0] expected, input logic [63:0] got);
        $display("FAIL %0s t %0d image %0d channel %0d y %0d x %0d: expected %0d got %0d", what, t,
                 image, n / TOKENS, n / WIDTH % HEIGHT, n % WIDTH, expected, got);
        $fatal(1);
    endtask

    task automatic run_neuron;
        int channel, at;
        channel = n / TOKENS;
        at = image * NEURONS + n;
        for (int token = 0; token < TOKENS; token++) begin
            clear = token == 0;
            similarity = entry(channel / VALUE_HEAD, n % TOKENS, token);
            value = values[image*NEURONS+channel*TOKENS+token][0];
            enable = 1;
            tick;
            enable = 0;
        end
        index = INDEX_BITS'(n);
        first = t == 0;
        #1 compare("count", counts_expected[at] > 15 ? 15 : 64'(counts_expected[at]), 64'(count));
        compare("spike", 64'(spikes_expected[at]), 64'(spike));
        compare("V", 64'(v_expected[at]), 64'(stored));
        fire = 1;
        tick;
        fire = 0;
    endtask

    initial begin
        if (!$value$plusargs("dir=%s", dir)) $fatal(1, "FAIL no +dir=FOLDER");
        $readmemh($sformatf("%0s/thresh.mem", dir), thresholds, 0, VALUE_CHANNELS - 1);
        foreach (thresholds[i])
            if (thresholds[i] !== 8 || SHIFT != 1 || MULTIPLIER_BITS != 0 || SOFT_RESET != 0 || DELAYED_RESET != 0)
                $fatal(1, "FAIL channel %0d: not a neuron of scale 1/8, threshold 0.5 and tau 2", i);
        for (image = 0; image < IMAGES; image++)
            for (t = 0; t < TIMESTEPS; t++) begin
                load_timestep;
                for (n = 0; n < NEURONS; n++) run_neuron;
            end
        $display("PASS %0d values", compared);
        $finish;
    end
endmodule
