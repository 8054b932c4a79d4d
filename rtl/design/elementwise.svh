// Fields of what stands between weight layers, in the order of their words. `spiq export rtl --design` writes them. Places
// are in words of either memory.
/* verilator lint_off UNUSEDPARAM */
localparam int FIELD_BITS = 24;

localparam int BLOCKS = 0;            // of the channels
localparam int ROWS = 1;              // of the output
localparam int COLUMNS = 2;
localparam int FRAMES = 3;            // timesteps
localparam int KERNEL_ROWS = 4;
localparam int KERNEL_COLUMNS = 5;
localparam int STRIDE_ROWS = 6;
localparam int STRIDE_COLUMNS = 7;
localparam int FIRST_ROW = 8;         // of the first window, which may begin on the padding
localparam int FIRST_COLUMN = 9;
localparam int MAP_ROWS = 10;         // of the input
localparam int MAP_COLUMNS = 11;
localparam int CONJUNCTION = 12;      // A and B
localparam int MAXIMUM = 13;          // of a window, and not its sum
localparam int RESCALES = 14;         // requantized, clamped; B is added before
localparam int FIRES = 15;            // through a neuron
localparam int A_SUMS = 16;           // A is in the memory of sums
localparam int A_LOG_ROOM = 17;       // log2 of the bits that a value takes
localparam int A_SIGNED = 18;
localparam int A_FIRST = 19;          // first word, and from one block, row, column, timestep, tap to the next
localparam int A_BLOCK = 20;
localparam int A_ROW = 21;
localparam int A_COLUMN = 22;
localparam int A_FRAME = 23;
localparam int A_TAP_ROW = 24;        // to the first tap of the next row
localparam int A_TAP_COLUMN = 25;
localparam int HAS_B = 26;
localparam int B_LOG_ROOM = 27;
localparam int B_FIRST = 28;
localparam int B_BLOCK = 29;
localparam int B_ROW = 30;
localparam int B_COLUMN = 31;
localparam int B_FRAME = 32;
localparam int B_TAP_ROW = 33;
localparam int B_TAP_COLUMN = 34;
localparam int B_SIGNED = 35;
localparam int OUT_LOG_ROOM = 36;
localparam int OUT_VALUE_BITS = 37;   // that a rescaled value is clamped to
localparam int OUT_FIRST = 38;
localparam int OUT_BLOCK = 39;
localparam int OUT_FRAME = 40;
localparam int COUNTS = 41;           // thresholds that a value reaches are counted
/* verilator lint_on UNUSEDPARAM */
