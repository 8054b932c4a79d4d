// Every shift with multipliers and sums at the ends of their ranges and between.
module tb_requantize;
    logic signed [31:0] x;
    logic [15:0] multiplier;
    logic [5:0] shift;
    logic signed [48:0] y;
    longint expected, product;
    int values = 0, different = 0;

    requantize #(.X_BITS(32), .Y_BITS(49)) dut (.*);

    initial begin
        for (int s = 0; s < 63; s++)
            for (int m = 1; m < 65536; m = m * 3 + s)
                for (int i = 0; i < 64; i++) begin
                    // Powers of two, one beside them, of either sign.
                    x = i < 32 ? 32'sd1 <<< i : -(32'sd1 <<< (i - 32));
                    if (i % 3 != 0) x = i % 3 == 1 ? x - 1 : x + 12345;
                    multiplier = 16'(m);
                    shift = 6'(s);
                    #1 product = longint'(x) * longint'(m);
                    expected = s == 0 ? product : (product + (64'sd1 <<< (s - 1))) >>> s;
                    values++;
                    if (longint'(y) !== expected) begin
                        different++;
                        if (different == 1) $display("FAIL %0d * %0d >> %0d: %0d, not %0d", x, m, s, y, expected);
                    end
                end
        if (different == 0) $display("PASS %0d values", values);
        else $display("FAIL %0d of %0d values differ", different, values);
        $finish;
    end
endmodule
