/* Matches of windows of one string with those of a block of others, one bit per string of the block.

   Position u of the row string meets position u + shift of all strings of the block at once: a mask has a bit for each
   of them that has the row's letter there. While the window slides along such a diagonal, the number of its matches is
   kept for every string of the block, one vector per binary digit (a plane). C(matches, k) is a weighted sum of
   products of these digits; the products are counted per string by carry-save adders (Harley and Seal).

   Vectors are those of GCC and Clang, so that the same code runs on every CPU. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__AVX512F__)
#define BYTES 64
#elif defined(__AVX2__)
#define BYTES 32
#else
#define BYTES 16
#endif
#define BLOCK (8 * BYTES)
#define WORDS (BYTES / 8)

typedef uint64_t vec __attribute__((vector_size(BYTES)));

enum {
    PLANES = 5,    /* digits of a number of matches, at most */
    PRODUCTS = 31, /* products of digits, at most */
    LEVELS = 56,   /* digits of a count of one product */
    STEPS = 64,    /* windows whose digits are collected before their products are counted */
    ROOM = STEPS + 1 /* one more, so that planes are not a power of two apart, which would collide in the cache */
};

/* How C(matches, k) follows from the digits of matches + start. */
typedef struct {
    long g, planes, start, gated, products;
    int64_t factors[PRODUCTS], weights[PRODUCTS];
} Formula;

typedef struct {
    vec digits[PLANES][ROOM];
    vec counts[PRODUCTS][LEVELS];
    long used[PRODUCTS];
    long filled;
} State;

static inline int any(vec bits)
{
#if defined(__AVX2__) && !defined(__AVX512F__)
    typedef long long quads __attribute__((vector_size(32)));
    return !__builtin_ia32_ptestz256((quads)bits, (quads)bits);
#else
    uint64_t all = 0;
    for (int word = 0; word < WORDS; word++)
        all |= bits[word];
    return all != 0;
#endif
}

/* Full adder of one bit per lane: the digit stays in `sum`, the carry is returned. */
static inline vec add(vec *sum, vec a, vec b)
{
    vec half = *sum ^ a;
    vec carry = (*sum & a) | (half & b);
    *sum = half ^ b;
    return carry;
}

static inline __attribute__((always_inline)) vec multiply(const vec *const digit[], long at, const int factors)
{
    vec product = digit[0][at];
    for (int factor = 1; factor < factors; factor++)
        product &= digit[factor][at];
    return product;
}

/* Add one product of all collected windows to its counts. */
static inline __attribute__((always_inline)) void count_product(
    const vec *const digit[], vec *restrict counts, long *used, const int factors)
{
    vec ones = counts[0], twos = counts[1], fours = counts[2], eights = counts[3];
    vec sixteen[4];
    for (int sixteenth = 0; sixteenth < 4; sixteenth++) {
        vec eight[2];
        for (int half = 0; half < 2; half++) {
            vec four[2];
            for (int quarter = 0; quarter < 2; quarter++) {
                long at = 16 * sixteenth + 8 * half + 4 * quarter;
                vec first = add(&ones, multiply(digit, at, factors), multiply(digit, at + 1, factors));
                vec second = add(&ones, multiply(digit, at + 2, factors), multiply(digit, at + 3, factors));
                four[quarter] = add(&twos, first, second);
            }
            eight[half] = add(&fours, four[0], four[1]);
        }
        sixteen[sixteenth] = add(&eights, eight[0], eight[1]);
    }
    counts[0] = ones, counts[1] = twos, counts[2] = fours, counts[3] = eights;
    vec first = add(&counts[4], sixteen[0], sixteen[1]), second = add(&counts[4], sixteen[2], sixteen[3]);
    vec carry = add(&counts[5], first, second);
    long level = 6;
    for (; any(carry); level++) {
        vec next = counts[level] & carry;
        counts[level] ^= carry;
        carry = next;
    }
    if (level > *used)
        *used = level;
}

/* Count the products of the collected digits. */
static void empty(State *state, const Formula *formula)
{
    if (state->filled == 0)
        return;
    for (long plane = 0; plane < formula->planes; plane++)
        memset(&state->digits[plane][state->filled], 0, (STEPS - state->filled) * sizeof(vec));
    for (long product = 0; product < formula->products; product++) {
        const vec *digit[PLANES];
        int factors = 0;
        for (int plane = 0; plane < PLANES; plane++)
            if (formula->factors[product] >> plane & 1)
                digit[factors++] = state->digits[plane];
        vec *counts = state->counts[product];
        long *used = &state->used[product];
        switch (factors) {
        case 1: count_product(digit, counts, used, 1); break;
        case 2: count_product(digit, counts, used, 2); break;
        case 3: count_product(digit, counts, used, 3); break;
        case 4: count_product(digit, counts, used, 4); break;
        default: count_product(digit, counts, used, 5);
        }
    }
    state->filled = 0;
}

/* Follow one diagonal: `windows` windows, the first one at row[0] and position `position` of the block. */
static inline __attribute__((always_inline)) void slide(
    const vec *const *row, long position, long windows, const vec *valid, long all_valid, State *state,
    const Formula *formula, const int planes, const int gated)
{
    const long g = formula->g;
    vec count[PLANES];
    for (int plane = 0; plane < planes; plane++)
        count[plane] = (vec){} - (uint64_t)(formula->start >> plane & 1);
    for (long place = 0; place < g; place++) {
        vec carry = row[place][position + place];
        for (int plane = 0; plane < planes; plane++) {
            vec next = count[plane] & carry;
            count[plane] ^= carry;
            carry = next;
        }
    }
    long window = 0;
    while (1) {
        /* Windows past the end of some strings of the block need a mask. */
        long until = position + window < all_valid ? all_valid - position : windows;
        if (until > windows)
            until = windows;
        if (until > window + STEPS - state->filled)
            until = window + STEPS - state->filled;
        const int masked = position + window >= all_valid;
        vec *digits = &state->digits[0][state->filled];
        while (1) {
            vec gate = gated ? count[planes - 1] : (vec){} - 1;
            if (masked)
                gate &= valid[position + window];
            for (int plane = 0; plane < planes; plane++)
                digits[plane * ROOM] = gated && plane == planes - 1 ? gate : gated || masked ? count[plane] & gate : count[plane];
            /* Windows without enough matches in any string are overwritten by the next one. */
            digits += gated ? any(gate) : 1;
            window++;
            if (window >= windows)
                break;
            vec leaving = row[window - 1][position + window - 1];
            vec change = row[window + g - 1][position + window + g - 1] ^ leaving;
            for (int plane = 0; plane < planes; plane++) {
                vec carries = count[plane] ^ leaving;
                count[plane] ^= change;
                change &= carries;
            }
            if (window >= until)
                break;
        }
        state->filled = digits - state->digits[0];
        if (state->filled == STEPS)
            empty(state, formula);
        if (window >= windows)
            break;
    }
}

#define SLIDE(planes, gated) slide(row, position, windows, valid, all_valid, state, formula, planes, gated)

static void slide_any(const vec *const *row, long position, long windows, const vec *valid, long all_valid,
                      State *state, const Formula *formula)
{
    switch (2 * formula->planes + formula->gated) {
    case 2: case 3: SLIDE(1, 0); break;
    case 4: SLIDE(2, 0); break;
    case 5: SLIDE(2, 1); break;
    case 6: SLIDE(3, 0); break;
    case 7: SLIDE(3, 1); break;
    case 8: SLIDE(4, 0); break;
    case 9: SLIDE(4, 1); break;
    case 10: SLIDE(5, 0); break;
    default: SLIDE(5, 1);
    }
}

/* Add up the counts of all products for each string of the block, and set them to zero. */
static void collect(State *state, const Formula *formula, int64_t *totals)
{
    memset(totals, 0, BLOCK * sizeof *totals);
    for (long product = 0; product < formula->products; product++) {
        vec *counts = state->counts[product];
        for (long low = 0; low < state->used[product]; low += 8) {
            long high = low + 8 < state->used[product] ? low + 8 : state->used[product];
            int64_t weight = formula->weights[product] * ((int64_t)1 << low);
            for (long word = 0; word < WORDS; word++)
                for (long byte = 0; byte < 8; byte++) {
                    uint64_t eight = 0; /* eight strings, a byte for each */
                    for (long level = low; level < high; level++) {
                        uint64_t bits = counts[level][word] >> 8 * byte & 255;
                        /* Bit i becomes the lowest bit of byte i. */
                        eight |= ((((bits & 127) * 0x02040810204081u) & 0x0101010101010101u) | bits >> 7 << 56) << (level - low);
                    }
                    int64_t *total = totals + 64 * word + 8 * byte;
                    for (long string = 0; string < 8; string++)
                        total[string] += weight * (int64_t)(eight >> 8 * string & 255);
                }
        }
        memset(counts, 0, state->used[product] * sizeof(vec));
        state->used[product] = 0;
    }
}

long bitsliced_block(void)
{
    return BLOCK;
}

/* Count matches of some rows with one block of columns; return 1 if memory is short.

   letters, bounds: the strings of the columns, end to end, and where each starts; a negative letter is unknown.
   columns, block: numbers of the strings of the block, and how many, at most BLOCK.
   size: letters of the alphabet.
   row_letters, row_bounds, strands: the same for rows, once per strand.
   rows, some: numbers of the rows, and how many.
   formula: g, planes, start, gated, products, factors and weights of the products.
   kernel, stride: result and length of its rows.
   square: write a pair to the upper triangle. */
long bitsliced_count(const int8_t *letters, const int64_t *bounds, const int64_t *columns, long block, long size,
                     const int8_t *const *row_letters, const int64_t *row_bounds, long strands, const int64_t *rows,
                     long some, const Formula *formula, double *kernel, long stride, long square)
{
    const long g = formula->g;
    long longest = 0, shortest = INT64_MAX, longest_row = 0;
    for (long column = 0; column < block; column++) {
        long length = bounds[columns[column] + 1] - bounds[columns[column]];
        longest = length > longest ? length : longest;
        shortest = length < shortest ? length : shortest;
    }
    for (long row = 0; row < some; row++) {
        long length = row_bounds[rows[row] + 1] - row_bounds[rows[row]];
        longest_row = length > longest_row ? length : longest_row;
    }
    if (longest < g || longest_row < g)
        return 0;
    vec *masks = aligned_alloc(BYTES, ((size + 1) * longest + longest) * sizeof(vec));
    const vec **row_masks = malloc(longest_row * sizeof *row_masks);
    State *state = aligned_alloc(BYTES, sizeof(State));
    int64_t *totals = malloc(BLOCK * sizeof *totals);
    long failed = !masks || !row_masks || !state || !totals;
    if (!failed) {
        vec *valid = masks + (size + 1) * longest;
        memset(masks, 0, ((size + 1) * longest + longest) * sizeof(vec));
        memset(state, 0, sizeof(State));
        for (long column = 0; column < block; column++) {
            const int8_t *string = letters + bounds[columns[column]];
            long length = bounds[columns[column] + 1] - bounds[columns[column]];
            uint64_t bit = (uint64_t)1 << column % 64;
            for (long place = 0; place < length; place++)
                if (string[place] >= 0)
                    masks[string[place] * longest + place][column / 64] |= bit;
            for (long place = 0; place <= length - g; place++)
                valid[place][column / 64] |= bit;
        }
        for (long row = 0; row < some; row++) {
            long length = row_bounds[rows[row] + 1] - row_bounds[rows[row]];
            for (long strand = 0; strand < strands; strand++) {
                const int8_t *string = row_letters[strand] + row_bounds[rows[row]];
                for (long place = 0; place < length; place++)
                    row_masks[place] = masks + (string[place] < 0 ? size : string[place]) * longest;
                for (long shift = g - length; shift <= longest - g; shift++) {
                    long first = shift < 0 ? -shift : 0, position = shift < 0 ? 0 : shift;
                    long overlap = length - first < longest - position ? length - first : longest - position;
                    if (overlap >= g)
                        slide_any(row_masks + first, position, overlap - g + 1, valid, shortest - g + 1, state, formula);
                }
            }
            empty(state, formula);
            collect(state, formula, totals);
            for (long column = 0; column < block; column++) {
                long i = rows[row], j = columns[column];
                kernel[square && i > j ? j * stride + i : i * stride + j] = (double)totals[column];
            }
        }
    }
    free(masks);
    free(row_masks);
    free(state);
    free(totals);
    return failed;
}
