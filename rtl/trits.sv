// Five ternary weights of a byte, in two's complement of two bits each.
//
// A byte is four pairs of bits, and no weight is 10. Without such a pair, the pairs are the first four weights and the fifth
// is 0 (81 words). With one (108 words) or two (54), their places say the sign of the fifth weight and what two of the
// others are; a pair that stands in the place of a weight which is told so holds the weight whose own pair is 10. The
// remaining 13 words are not used.
module trits (
    input logic [7:0] word,
    output logic [9:0] weights
);
    logic [3:0] low, high, escape;
    logic one1, one3, p02, p03, p12, p13, first, last;

    assign low = {word[6], word[4], word[2], word[0]};
    assign escape = {word[7], word[5], word[3], word[1]} & ~low;
    assign high = {word[7], word[5], word[3], word[1]} & low;

    assign p02 = escape[0] & escape[2];
    assign p03 = escape[0] & escape[3];
    assign p12 = escape[1] & escape[2] & ~escape[0];
    assign p13 = escape[1] & escape[3] & ~escape[0];
    assign one1 = escape == 4'b0010;                    // the second pair alone: the first pair is the second weight
    assign one3 = escape == 4'b1000;                    // the fourth pair alone: the third pair is the fourth weight
    assign first = escape[0] & (escape[1] | escape[2] | escape[3]);
    assign last = ~escape[0] & (escape[1] & (escape[2] | escape[3]) | escape[2] & escape[3]);

    assign weights[1:0] = one1 ? 2'b01 : first ? 2'b11 : {high[0], low[0]};
    assign weights[3:2] = one1 ? {high[0], low[0]} : p02 ? 2'b01 : p03 ? 2'b11
        : p12 ? {high[3], low[3]} : p13 ? {high[2], low[2]} : {high[1], low[1]};
    assign weights[5:4] = one3 ? 2'b01 : p02 ? {high[1], low[1]} : last ? 2'b11 : {high[2], low[2]};
    assign weights[7:6] = one3 ? {high[2], low[2]} : p03 ? {high[1], low[1]} : p12 ? 2'b01 : p13 ? 2'b11
        : {high[3], low[3]};
    assign weights[9:8] = escape == '0 ? 2'b00
        : ~escape[0] & (escape[2] | escape[3]) ? 2'b11 : 2'b01;
endmodule
