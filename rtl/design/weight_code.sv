// What a weight code is worth: two's complement of `bits` bits (decoder 0); or a sign above an exponent e that stands for
// 2^(e-1), and for 0 where it is 0 (1); or a sign above an index into a table of magnitudes (2), shifted by the exponent of
// its block, which stands above the sign (3).
module weight_code #(
    parameter int MAX_BITS = 8,
    parameter bit UNIFORM = 1'b1,
    parameter bit POWERS = 1'b0,
    parameter int TABLE_SIZE = 0,
    parameter int TABLE_BITS = 1,
    parameter int EXPONENT_BITS = 0,
    parameter int WEIGHT_BITS = 8     // of what it is worth
) (
    input logic [MAX_BITS-1:0] code,  // bits above its width are not looked at
    input logic [3:0] bits,
    /* verilator lint_off UNUSEDSIGNAL */
    input logic [1:0] decoder,
    input logic [(TABLE_SIZE > 0 ? TABLE_SIZE : 1)*TABLE_BITS-1:0] magnitudes,
    /* verilator lint_on UNUSEDSIGNAL */
    output logic signed [WEIGHT_BITS-1:0] weight
);
    logic sign;
    logic [MAX_BITS-1:0] below;       // what is left of the sign
    logic signed [WEIGHT_BITS-1:0] power, level, uniform;

    always @* begin
        sign = 1'b0;
        below = '0;
        for (int k = 0; k < MAX_BITS; k++) begin
            if (4'(k + 1) == bits) sign = code[k];
            if (4'(k + 1) < bits) below[k] = code[k];
        end
        uniform = '0;
        for (int k = 0; k < WEIGHT_BITS; k++) uniform[k] = k < MAX_BITS && 4'(k + 1) < bits ? code[k%MAX_BITS] : sign;
        power = '0;
        for (int k = 0; k < WEIGHT_BITS - 1; k++) if (below == MAX_BITS'(k + 1)) power[k] = 1'b1;
        if (sign) power = -power;
        level = '0;
        for (int k = 0; k < TABLE_SIZE; k++)
            if (below == MAX_BITS'(k)) level = WEIGHT_BITS'(magnitudes[k*TABLE_BITS+:TABLE_BITS]);
        for (int e = 0; e < EXPONENT_BITS; e++)
            for (int k = 0; k < MAX_BITS; k++)
                if (decoder == 2'd3 && 4'(k) == bits + 4'(e) && code[k]) level = level << (1 << e);
        if (sign) level = -level;
        weight = UNIFORM ? uniform : POWERS ? power : level;
        if (POWERS && decoder == 2'd1) weight = power;
        if (TABLE_SIZE > 0 && decoder >= 2'd2) weight = level;
    end
endmodule
