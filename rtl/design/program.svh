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
localparam int TAP_ROWS = 17;         // rows between taps (dilation)
localparam int TAP_COLUMNS = 18;
localparam int TAP_COLUMN_BITS = 19;  // address from one tap of a kernel row to the next
localparam int TAP_ROW_BITS = 20;     // address from the last tap of a kernel row to the first of the next
localparam int WAVE_ROWS = 21;        // a wave further: rows and columns of the input, and address
localparam int WAVE_COLUMNS = 22;
localparam int WAVE_BITS = 23;
localparam int WRAP_AT = 24;          // column at which a row of outputs ends
localparam int WRAP_ROWS = 25;        // the next row of outputs: rows, columns back, and address
localparam int WRAP_COLUMNS = 26;
localparam int WRAP_BITS = 27;
localparam int ROW_WORDS = 28;        // words of the weights of one input
localparam int LOG_PLANE = 29;        // log2 of the channels in a bit plane of weights
localparam int WEIGHT_BITS = 30;
localparam int POWER_OF_TWO = 31;     // weights are a sign and an exponent
localparam int TILE_WORDS = 32;       // words of the weights of a tile
localparam int PARAMETER_ROW = 33;    // row of all banks where biases and thresholds begin
localparam int FRACTION_BITS = 34;
localparam int SUMS_LEAVE = 35;       // no neurons: the sums go out by the stream
localparam int OUT_BITS = 36;         // address of the output
localparam int OUT_PIXEL_BITS = 37;
localparam int OUT_FRAME_BITS = 38;
localparam int OUT_TILE_BITS = 39;
localparam int TILE_CHANNELS = 40;
localparam int POSITION_0 = 41;       // per position of a wave: row, column and address of its first tap
/* verilator lint_on UNUSEDPARAM */
