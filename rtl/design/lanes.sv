// The lanes of one position, one per output channel: each adds the weight that the position's spike meets in its channel.
// A row of weights is a bit plane after the other, 2^log_plane channels wide.
module lanes #(
    parameter int CHANNELS = 64,
    parameter int ROW_WORDS = 8,
    parameter int MAX_WEIGHT_BITS = 8,
    parameter bit UNIFORM = 1'b1,
    parameter bit POWERS = 1'b0,
    parameter int TABLE_SIZE = 0,           // magnitudes that codes are looked up in
    parameter int TABLE_BITS = 1,           // of each of them
    parameter logic [(TABLE_SIZE > 0 ? TABLE_SIZE : 1)*TABLE_BITS-1:0] TABLE = '0,
    parameter bit WRITTEN = 1'b0,           // a layer brings its own magnitudes
    parameter int EXPONENT_BITS = 0,        // of a block of weights, which shifts them
    parameter int SUM_BITS = 32,
    parameter int SERIAL_BITS = 9,
    parameter int SHIFT_BITS = SERIAL_BITS > 1 ? $clog2(SERIAL_BITS) : 1
) (
    input logic clk,
    input logic reset,
    input logic enable,
    input logic [ROW_WORDS*CHANNELS-1:0] row,
    input logic [4:0] log_plane,
    input logic [3:0] weight_bits,
    input logic [1:0] decoder,
    /* verilator lint_off UNUSEDSIGNAL */
    input logic [(TABLE_SIZE > 0 ? TABLE_SIZE : 1)*TABLE_BITS-1:0] written,
    /* verilator lint_on UNUSEDSIGNAL */
    input logic adds,
    input logic [SHIFT_BITS-1:0] shift,
    input logic negative,
    input logic wave_ends,            // the sum that this clock leaves is complete, the next one starts at 0
    output logic [CHANNELS*SUM_BITS-1:0] sums
);
    localparam int VALUE_BITS = POWERS ? (1 << (MAX_WEIGHT_BITS > 5 ? 4 : MAX_WEIGHT_BITS - 1)) : MAX_WEIGHT_BITS;
    localparam int CODE_BITS = VALUE_BITS > MAX_WEIGHT_BITS ? VALUE_BITS : MAX_WEIGHT_BITS;
    localparam int LEVEL_BITS = TABLE_BITS + (1 << EXPONENT_BITS) - 1;
    localparam int WEIGHT_BITS = TABLE_SIZE > 0 && LEVEL_BITS >= CODE_BITS ? LEVEL_BITS + 1 : CODE_BITS;
    localparam int LOG_CHANNELS = $clog2(CHANNELS);
    // Planes are as wide as the lanes, or a half, a quarter or an eighth of it.
    localparam int LEAST_PLANE = LOG_CHANNELS > 3 ? LOG_CHANNELS - 3 : 0;

    logic [(TABLE_SIZE > 0 ? TABLE_SIZE : 1)*TABLE_BITS-1:0] magnitudes;
    assign magnitudes = WRITTEN ? written : TABLE;

    logic subtracts;
    assign subtracts = SERIAL_BITS > 1 && negative;

    for (genvar c = 0; c < CHANNELS; c++) begin : lane
        logic [MAX_WEIGHT_BITS-1:0] code;
        logic signed [WEIGHT_BITS-1:0] weight;
        logic signed [SUM_BITS-1:0] sum, addend, next;

        always @* begin
            code = '0;
            for (int log = LEAST_PLANE; log <= LOG_CHANNELS; log++)
                if (log_plane == 5'(log))
                    for (int k = 0; k < MAX_WEIGHT_BITS; k++)
                        if ((k << log) + c < ROW_WORDS * CHANNELS) code[k] = row[((k<<log)+c)%(ROW_WORDS*CHANNELS)];
        end

        weight_code #(
            .MAX_BITS(MAX_WEIGHT_BITS), .UNIFORM(UNIFORM), .POWERS(POWERS), .TABLE_SIZE(TABLE_SIZE),
            .TABLE_BITS(TABLE_BITS), .EXPONENT_BITS(EXPONENT_BITS), .WEIGHT_BITS(WEIGHT_BITS)
        ) worth (.code, .bits(weight_bits), .decoder, .magnitudes, .weight);

        assign addend = SERIAL_BITS > 1 ? SUM_BITS'(weight) <<< shift : SUM_BITS'(weight);
        assign next = sum + ((addend ^ {SUM_BITS{subtracts}}) & {SUM_BITS{adds}}) + SUM_BITS'(subtracts && adds);
        assign sums[c*SUM_BITS+:SUM_BITS] = next;

        always_ff @(posedge clk)
            if (reset) sum <= '0;
            else if (enable) sum <= wave_ends ? '0 : next;
    end
endmodule
