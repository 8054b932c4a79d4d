// 8 bits: all of them; 256 bits: one to 256 spikes in a row at every place.
module tb_popcount;
    logic [7:0] few;
    logic [3:0] few_count;
    logic [255:0] many;
    logic [8:0] many_count;
    int expected, values = 0, different = 0;

    popcount #(.BITS(8)) small_tree (.spikes(few), .count(few_count));
    popcount #(.BITS(256)) large_tree (.spikes(many), .count(many_count));

    initial begin
        for (int i = 0; i < 256; i++) begin
            few = 8'(i);
            #1 expected = 0;
            for (int k = 0; k < 8; k++) expected += int'(few[k]);
            values++;
            if (int'(few_count) !== expected) different++;
        end
        for (int length = 0; length <= 256; length++)
            for (int first = 0; first < 256; first += 7) begin
                many = ({256{1'b1}} >> (256 - length)) << first;
                #1 expected = length < 256 - first ? length : 256 - first;
                values++;
                if (int'(many_count) !== expected) different++;
            end
        if (different == 0) $display("PASS %0d values", values);
        else $display("FAIL %0d of %0d values differ", different, values);
        $finish;
    end
endmodule
