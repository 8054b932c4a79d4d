// What a weight code is worth: two's complement of `bits` bits, or a sign above an exponent e that stands for 2^(e-1), and
// for 0 where it is 0.
module weight_code #(
    parameter int MAX_BITS = 8,
    parameter bit UNIFORM = 1'b1,
    parameter bit POWERS = 1'b0,
    parameter int WEIGHT_BITS = 8     // of what it is worth
) (
    input logic [MAX_BITS-1:0] code,  // bits above its width are not looked at
    input logic [3:0] bits,
    input logic power_of_two,
    output logic signed [WEIGHT_BITS-1:0] weight
);
    logic sign;
    logic [MAX_BITS-1:0] below;       // what is left of the sign
    logic signed [WEIGHT_BITS-1:0] power, uniform;

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
        weight = POWERS && (!UNIFORM || power_of_two) ? power : uniform;
    end
endmodule
