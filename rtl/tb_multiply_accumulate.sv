// All products of 8 bits, each added to the sum of those before or, every 64th, alone.
module tb_multiply_accumulate;
    logic clk = 0, reset = 1, enable = 1, clear = 0;
    logic signed [7:0] weight = 0, value = 0, weight_on, value_on;
    logic signed [23:0] sum;
    int expected = 0, values = 0, different = 0;

    multiply_accumulate dut (.*);
    always #1 clk = ~clk;

    initial begin
        @(negedge clk) reset = 0;
        for (int i = 0; i < 65536; i++) begin
            weight = 8'(i >> 8);
            value = 8'(i);
            clear = i % 64 == 0;
            expected = (clear ? 0 : expected) + int'(weight) * int'(value);
            @(negedge clk);
            values++;
            if (int'(sum) !== expected || weight_on !== weight || value_on !== value) different++;
        end
        enable = 0;
        value = 77;
        @(negedge clk) values++;
        if (int'(sum) !== expected) different++;
        if (different == 0) $display("PASS %0d values", values);
        else $display("FAIL %0d of %0d values differ", different, values);
        $finish;
    end
endmodule
