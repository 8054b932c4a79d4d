// Fields of a layer's program, in the order of their words. `spiq export rtl --design` writes them.
/* verilator lint_off UNUSEDPARAM */
localparam int FIELD_BITS = 24;

localparam int TILES = 0;             // tiles of output channels
localparam int WAVES = 1;             // steps along the output positions
localparam int LAST_POSITIONS = 2;    // positions of the last of them
localparam int FRAMES = 3;            // times that a wave is summed: timesteps, or 1
localparam int REPEATS = 4;           // times that neurons take a sum: 1, or timesteps
localparam int KERNEL_ROWS = 5;
localparam int KERNEL_COLUMNS = 6;
localparam int PIXEL_WORDS = 7;       // words of the channels of a position, 1 where several positions share one
localparam int PIXEL_BITS = 8;        // bits of it in one word
localparam int PIXEL_VALUES = 9;      // channels
localparam int WORD_VALUES = 10;      // values that a word has room for
localparam int LOG_VALUE_ROOM = 11;   // log2 of the bits that a value takes in a word
localparam int VALUE_BITS = 12;       // bits of a value: 1 of spikes
localparam int VALUE_SIGNED = 13;
localparam int IN_ROWS = 14;
localparam int IN_COLUMNS = 15;
localparam int IN_FRAME_BITS = 16;    // from one timestep of the input to the next
localparam int IN_BLOCK_BITS = 17;    // from one word of a position to the next
localparam int TAP_ROWS = 18;         // rows between taps (dilation)
localparam int TAP_COLUMNS = 19;
localparam int TAP_COLUMN_BITS = 20;  // address from one tap of a kernel row to the next
localparam int TAP_ROW_BITS = 21;     // address from the last tap of a kernel row to the first of the next
localparam int WAVE_ROWS = 22;        // a wave further: rows and columns of the input, and address
localparam int WAVE_COLUMNS = 23;
localparam int WAVE_BITS = 24;
localparam int WRAP_AT = 25;          // column at which a row of outputs ends
localparam int WRAP_ROWS = 26;        // the next row of outputs: rows, columns back, and address
localparam int WRAP_COLUMNS = 27;
localparam int WRAP_BITS = 28;
localparam int ROW_WORDS = 29;        // words of the weights of one input
localparam int LOG_PLANE = 30;        // log2 of the channels in a bit plane of weights
localparam int WEIGHT_BITS = 31;
localparam int DECODER = 32;          // weights are two's complement (0), a sign and an exponent (1), or looked up (2), in blocks (3)
localparam int TILE_WORDS = 33;       // words of the weights of a tile
localparam int PARAMETER_ROW = 34;    // row of all banks where biases and thresholds begin
localparam int FRACTION_BITS = 35;
localparam int SUMS_LEAVE = 36;       // no neurons: the sums go out by the stream
localparam int OUT_BITS = 37;         // address of the output
localparam int OUT_PIXEL_BITS = 38;
localparam int OUT_FRAME_BITS = 39;
localparam int OUT_TILE_BITS = 40;
localparam int TILE_CHANNELS = 41;
localparam int POSITION_0 = 42;       // per position of a wave: row, column and address of its first tap; behind them,
                                      // where layers bring it, a table of magnitudes
/* verilator lint_on UNUSEDPARAM */
