// Compares the four-bit attention neuron with one of 32 bits, for all sequences of STEPS counts 0..MOST. A count is
// given as two tokens whose v fires with one between whose v does not, so that sums saturate as well as addends.
module tb_ssa_neuron;
    localparam int STEPS = 3;
    localparam int MOST = 24;

    logic clk = 0, clear, enable = 0, value, index = 0, first, fire = 0, spike;
    logic [7:0] similarity;
    logic [3:0] count;
    logic [1:0] stored;
    integer counts[STEPS], v, g, compared = 0;

    ssa_neuron #(.ADD_BITS(8)) dut (.*);

    task automatic tick;
        #1 clk = 1;
        #1 clk = 0;
    endtask

    task automatic token(input logic start, input logic [7:0] entry, input logic gate);
        clear = start;
        similarity = entry;
        value = gate;
        enable = 1;
        tick;
        enable = 0;
    endtask

    task automatic timestep(input integer t);
        token(1, 8'(counts[t] / 2), 1);
        token(0, 8'd200, 0);
        token(0, 8'(counts[t] - counts[t] / 2), 1);
        first = t == 0;
        #1 g = (first ? 0 : v) + counts[t];
        v = g >= 8 ? 0 : g >>> 1;
        if (spike !== (g >= 8) || stored !== 2'(v)) begin
            $display("FAIL counts %0d %0d %0d t %0d: expected %0d got %b", counts[0], counts[1], counts[2], t, g >= 8,
                     spike);
            $fatal(1);
        end
        compared++;
        fire = 1;
        tick;
        fire = 0;
    endtask

    initial begin
        for (integer sequence_ = 0; sequence_ < (MOST + 1) ** STEPS; sequence_++) begin
            for (integer t = 0; t < STEPS; t++) counts[t] = sequence_ / (MOST + 1) ** t % (MOST + 1);
            for (integer t = 0; t < STEPS; t++) timestep(t);
        end
        $display("PASS %0d values", compared);
        $finish;
    end
endmodule
