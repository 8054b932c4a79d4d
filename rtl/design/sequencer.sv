// Runs the program of one layer: fetches its fields, then for every tile of output channels its parameters, and starts the
// tile.
module sequencer #(
    parameter int FIELDS = 54,
    parameter int PARAMETER_ROWS = 4,
    parameter int WORD_ADDRESS_BITS = 14,
    parameter int BANK_ADDRESS_BITS = 10
) (
    input logic clk,
    input logic reset,
    input logic start,
    output logic fetch,
    output logic [7:0] fetch_address,
    input logic [23:0] fetched,
    output logic [FIELDS*24-1:0] fields,
    output logic parameters_read,
    output logic [BANK_ADDRESS_BITS-1:0] parameters_row,
    output logic parameters_come,
    output logic tile_start,
    output logic [WORD_ADDRESS_BITS-1:0] tile_words,
    output logic [23:0] tile_bits,
    input logic tile_done,
    output logic [1:0] phase,
    output logic done
);
    `include "program.svh"
    localparam logic [1:0] IDLE = 0, FETCH = 1, PARAMETERS = 2, RUN = 3;

    logic [7:0] count;
    logic fetch_comes, last_tile;
    logic [FIELD_BITS-1:0] tile;
    logic [BANK_ADDRESS_BITS-1:0] tile_parameters;

    assign fetch = phase == FETCH && count < 8'(FIELDS);
    assign fetch_address = count;
    assign parameters_read = phase == PARAMETERS && count < 8'(PARAMETER_ROWS);
    assign parameters_row = tile_parameters + BANK_ADDRESS_BITS'(count);
    assign last_tile = tile == fields[TILES*24+:24] - 1;

    always_ff @(posedge clk) begin
        fetch_comes <= fetch;
        parameters_come <= parameters_read;
        tile_start <= 1'b0;
        done <= 1'b0;
        if (fetch_comes) fields <= {fetched, fields[FIELDS*24-1:24]};
        if (reset) phase <= IDLE;
        else
            case (phase)
                IDLE:
                    if (start) begin
                        phase <= FETCH;
                        count <= '0;
                    end
                FETCH:
                    if (count == 8'(FIELDS + 1)) begin
                        phase <= PARAMETERS;
                        count <= '0;
                        tile <= '0;
                        tile_words <= '0;
                        tile_bits <= '0;
                        tile_parameters <= BANK_ADDRESS_BITS'(fields[PARAMETER_ROW*24+:24]);
                    end else count <= count + 1;
                PARAMETERS: begin
                    count <= count + 1;
                    // The tile starts while the last of its parameters come.
                    if (count == 8'(PARAMETER_ROWS - 1)) begin
                        phase <= RUN;
                        tile_start <= 1'b1;
                    end
                end
                RUN:
                    if (tile_done) begin
                        phase <= last_tile ? IDLE : PARAMETERS;
                        done <= last_tile;
                        count <= '0;
                        tile <= tile + 1;
                        tile_words <= tile_words + WORD_ADDRESS_BITS'(fields[TILE_WORDS*24+:24]);
                        tile_bits <= tile_bits + fields[OUT_TILE_BITS*24+:24];
                        tile_parameters <= tile_parameters + BANK_ADDRESS_BITS'(PARAMETER_ROWS);
                    end
            endcase
    end
endmodule
