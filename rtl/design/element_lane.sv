// One channel of `elementwise`: takes the values of a window one after the other, and finishes what came of them.
module element_lane #(
    parameter int CHANNEL = 0,
    parameter int CHANNELS = 64,
    parameter int VALUE_BITS = 32,
    parameter int MEMBRANE_BITS = 16,
    parameter int SHIFT = 1,
    parameter bit SOFT_RESET = 1'b0,
    parameter int LEVELS = 1,
    parameter int PLACES = 1,
    parameter int LOG_PLACES = PLACES > 1 ? $clog2(PLACES) : 1
) (
    input logic clk,
    input logic parameter_write,
    input logic [LOG_PLACES-1:0] parameter_place,
    input logic [37:0] parameter_word,
    /* verilator lint_off UNUSEDSIGNAL */
    input logic [CHANNELS*VALUE_BITS-1:0] a_row,
    input logic [CHANNELS*VALUE_BITS-1:0] b_row,
    input logic [CHANNELS*VALUE_BITS-1:0] ends_b,
    /* verilator lint_on UNUSEDSIGNAL */
    input logic [2:0] a_room,
    input logic [2:0] b_room,
    input logic a_signed,
    input logic b_signed,
    input logic conjunction,
    input logic maximum,
    input logic takes,               // a value of a window
    input logic first,
    input logic in_map,              // it is none of the padding
    input logic ends,                // one clock later, behind the last of them
    input logic begins,              // at the first timestep
    input logic adds,
    input logic rescales,
    input logic fires,
    input logic counts,
    input logic [LOG_PLACES-1:0] ends_block, // where the parameters of its block begin
    input logic [5:0] bits,          // that the value is clamped to, where it is rescaled
    output logic [VALUE_BITS-1:0] value
);
    localparam logic signed [VALUE_BITS-1:0] LEAST = VALUE_BITS'(1) << (VALUE_BITS - 1);

    logic [37:0] parameters[PLACES], own;
    always_ff @(posedge clk) if (parameter_write) parameters[parameter_place] <= parameter_word;
    assign own = parameters[ends_block];

    // Value number CHANNEL of a row of values of 2^log_room bits.
    logic signed [VALUE_BITS-1:0] a, b, late_b, x, reduced;
    always @* begin
        a = '0;
        b = '0;
        late_b = '0;
        for (int log = 0; log < 6; log++) begin
            if (a_room == 3'(log))
                for (int k = 0; k < VALUE_BITS; k++)
                    a[k] = k < (1 << log) ? a_row[(CHANNEL<<log)+k%(1<<log)] : a_signed && a_row[(CHANNEL<<log)+(1<<log)-1];
            if (b_room == 3'(log))
                for (int k = 0; k < VALUE_BITS; k++) begin
                    b[k] = k < (1 << log) ? b_row[(CHANNEL<<log)+k%(1<<log)] : 1'b0;
                    late_b[k] = k < (1 << log) ? ends_b[(CHANNEL<<log)+k%(1<<log)]
                        : b_signed && ends_b[(CHANNEL<<log)+(1<<log)-1];
                end
        end
        x = conjunction ? a & b : a;
    end

    always_ff @(posedge clk)
        if (takes) begin
            if (first) reduced <= in_map ? x : maximum ? LEAST : '0;
            else if (in_map) reduced <= !maximum ? reduced + x : x > reduced ? x : reduced;
        end

    // The end: clamped, or a spike.
    logic signed [VALUE_BITS+16:0] scaled, sum, most;
    logic signed [MEMBRANE_BITS-1:0] membrane, stored;
    logic spike;
    logic [VALUE_BITS-1:0] reached;

    requantize #(
        .X_BITS(VALUE_BITS), .Y_BITS(VALUE_BITS + 17)
    ) scale (.x(reduced), .multiplier(own[15:0]), .shift(own[37:32]), .y(scaled));

    always @* begin
        most = ((VALUE_BITS+17)'(1) << (bits - 6'd1)) - 1;
        sum = scaled + (adds ? (VALUE_BITS+17)'(late_b) : '0);
        if (sum > most) sum = most;
        if (sum < -most - 1) sum = -most - 1;
        value = counts ? reached : fires ? VALUE_BITS'(spike) : rescales ? VALUE_BITS'(sum) : reduced;
    end

    always @* begin
        reached = '0;
        for (int k = 0; k < LEVELS; k++)
            reached += VALUE_BITS'(reduced >= $signed(parameters[ends_block+LOG_PLACES'(k)][31:0]));
    end

    lif_step #(
        .X_BITS(VALUE_BITS), .V_BITS(MEMBRANE_BITS), .SHIFT(SHIFT), .SOFT_RESET(SOFT_RESET)
    ) step (
        .membrane(begins ? MEMBRANE_BITS'(0) : membrane), .x(reduced), .threshold($signed(own[31:0])), .amount($signed(own[31:0])),
        .multiplier(1'b0), .discard(own[37:32]), .spike, .stored
    );

    always_ff @(posedge clk) if (ends) membrane <= stored;
endmodule
