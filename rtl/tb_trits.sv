// Every word of five ternary weights: those of up to two pairs 10 are 243, no two alike, and none has a weight of -2.
module tb_trits;
    logic [7:0] word;
    logic [9:0] weights;
    logic [1023:0] seen = '0;
    int pairs, words = 0, wrong = 0;

    trits dut (.*);

    initial begin
        for (int n = 0; n < 256; n++) begin
            word = 8'(n);
            #1;
            pairs = 0;
            for (int k = 0; k < 4; k++) if (word[2*k+:2] == 2'b10) pairs++;
            if (pairs <= 2) begin
                words++;
                for (int k = 0; k < 5; k++) if (weights[2*k+:2] == 2'b10) wrong++;
                if (seen[weights]) wrong++;
                seen[weights] = 1'b1;
            end
        end
        if (wrong == 0 && words == 243) $display("trits: PASS %0d values", words);
        else $display("trits: FAIL, %0d of %0d", wrong, words);
        $finish;
    end
endmodule
