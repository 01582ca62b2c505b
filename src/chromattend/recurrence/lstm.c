/* Bidirectional LSTMs on a CPU; the data of a step stay in registers and the L1 cache.

   Two functions process runs, a run being one direction of one LSTM: the forward pass computes the states, the
   backward pass computes the gradients by backpropagation through time. Arrays are contiguous and in single precision:

     inputs        (group, gene, step, features)
     input_weight  (group, 2, 4 * units, features)   rows: input, forget, candidate and output gate
     state_weight  (group, 2, 4 * units, units)
     bias          (group, 2, 4 * units)
     states        (group, gene, step, 2 * units)
     kept          (run, step, gene, 6 * padded units), for the gradient: gates, cell states and their tanh

   A unit is a lane of a vector, and the four gates of a vector of units are computed together, so that the gates of a
   cell state never leave the registers. Units are padded to whole vectors; the weights of the padding are 0.
   A block of genes takes all steps before the next block starts: its states and the weights stay in the L1 cache. */

#include <stdlib.h>
#include <string.h>

#if defined(__AVX512F__)
#include <immintrin.h>
enum { LANES = 16, TILE = 4 };
#elif defined(__AVX2__)
#include <immintrin.h>
enum { LANES = 8, TILE = 2 };
#elif defined(__ARM_NEON)
enum { LANES = 4, TILE = 4 };
#else
enum { LANES = 4, TILE = 2 };
#endif
/* LANES: lanes per vector. TILE: number of genes whose four gates fit into the registers at once. */

enum { GATES = 4, KEPT = 6, BLOCK = 16, GATE_LANES = GATES * LANES };

typedef float vector __attribute__((vector_size(LANES * 4), may_alias));
typedef int integers __attribute__((vector_size(LANES * 4), may_alias));
typedef float unaligned __attribute__((vector_size(LANES * 4), may_alias, aligned(4)));

#define INLINE static inline __attribute__((always_inline))

INLINE vector load(const float *from) { return *(const unaligned *)from; }
INLINE void store(float *to, vector values) { *(unaligned *)to = values; }
INLINE vector same(float value) { return value - (vector){0}; }
/* Clamp x to plus and minus the bound. The comparisons let a NaN pass, so that a diverging training is noticed. */
INLINE vector within(vector x, float bound)
{
    vector high = same(bound), low = same(-bound);
#if defined(__AVX512F__)
    return (vector)_mm512_max_ps((__m512)low, _mm512_min_ps((__m512)high, (__m512)x));
#elif defined(__AVX2__)
    return (vector)_mm256_max_ps((__m256)low, _mm256_min_ps((__m256)high, (__m256)x));
#else
    integers above = high < x, below = low > x;
    return (vector)((above & (integers)high) | (below & (integers)low) | (~(above | below) & (integers)x));
#endif
}

/* 1 / (1 + 2^y). The integer part of y goes into the exponent's bits. For the fraction, within one half of 0, the
   exponential series is used up to the sixth power, which leaves an error of 1e-7. */
INLINE vector logistic(vector y)
{
    const float to_integer = 12582912.0f; /* 1.5 * 2^23: the sum has no room for a fraction */
    y = within(y, 126.0f);
    vector shifted = y + to_integer, x = (y - (shifted - to_integer)) * 0.69314718f;
    vector series = x * (1.0f / 720) + 1.0f / 120;
    series = series * x + 1.0f / 24;
    series = series * x + 1.0f / 6;
    series = series * x + 0.5f;
    series = series * x + 1.0f;
    series = series * x + 1.0f;
    return 1.0f / ((vector)((integers)series + ((integers)shifted << 23)) + 1.0f);
}
INLINE vector sigmoid(vector x) { return logistic(x * -1.44269504f); }
INLINE vector tanh_of(vector x) { return 2.0f * logistic(x * -2.88539008f) - 1.0f; }

typedef struct {
    long groups, genes, steps, features, units;
} shape;

INLINE long vectors_of(long count) { return (count + LANES - 1) / LANES; }
static float *space(long floats)
{
    return aligned_alloc(64, ((size_t)floats * sizeof(float) + 63) / 64 * 64);
}
INLINE long smaller(long a, long b) { return a < b ? a : b; }

/* Number of floats that the forward pass keeps per gene and step of one run. */
long lstm_kept(long units) { return vectors_of(units) * KEPT * LANES; }

/* Load the first `count` lanes from unpadded states; the other lanes are 0. */
INLINE vector load_some(const float *from, long count)
{
    if (count >= LANES)
        return load(from);
    float lanes[LANES] = {0};
    memcpy(lanes, from, count * sizeof(float));
    return load(lanes);
}
INLINE void store_some(float *to, vector values, long count)
{
    if (count >= LANES) {
        store(to, values);
        return;
    }
    float lanes[LANES];
    store(lanes, values);
    memcpy(to, lanes, count * sizeof(float));
}

/* Index of a unit's row of a gate in vector order: (vector of units, gate, lane). */
INLINE long row_of(long gate, long unit) { return (unit / LANES * GATES + gate) * LANES + unit % LANES; }

/* Rearrange a matrix of gate rows into vector order: (column, vector of units, gate, lane). */
static void arrange(float *to, const float *weight, long columns, long units)
{
    long rows = vectors_of(units) * GATE_LANES;
    memset(to, 0, columns * rows * sizeof(float));
    for (long gate = 0; gate < GATES; gate++)
        for (long unit = 0; unit < units; unit++)
            for (long column = 0; column < columns; column++)
                to[column * rows + row_of(gate, unit)] = weight[(gate * units + unit) * columns + column];
}
static void arrange_back(float *to, const float *arranged, long columns, long units)
{
    long rows = vectors_of(units) * GATE_LANES;
    for (long gate = 0; gate < GATES; gate++)
        for (long unit = 0; unit < units; unit++)
            for (long column = 0; column < columns; column++)
                to[(gate * units + unit) * columns + column] = arranged[column * rows + row_of(gate, unit)];
}

/* One step of `tile` genes; all pointers except those to weights and biases point to the first gene. */
INLINE void step_forward(int tile, const shape *is, const float *weight, const float *bias, const float *x,
                         const float *before, float *after, float *cells, float *states, float *kept)
{
    long vectors = vectors_of(is->units), padded = vectors * LANES, row = vectors * GATE_LANES;
    for (long v = 0; v < vectors; v++) {
        vector sum[TILE][GATES];
        const float *of = weight + v * GATE_LANES;
        for (int g = 0; g < tile; g++)
            for (int gate = 0; gate < GATES; gate++)
                sum[g][gate] = load(bias + v * GATE_LANES + gate * LANES);
        for (long f = 0; f < is->features; f++, of += row)
            for (int gate = 0; gate < GATES; gate++) {
                vector w = load(of + gate * LANES);
                for (int g = 0; g < tile; g++)
                    sum[g][gate] += w * x[g * is->steps * is->features + f];
            }
        for (long u = 0; u < is->units; u++, of += row)
            for (int gate = 0; gate < GATES; gate++) {
                vector w = load(of + gate * LANES);
                for (int g = 0; g < tile; g++)
                    sum[g][gate] += w * before[g * padded + u];
            }
        for (int g = 0; g < tile; g++) {
            vector into = sigmoid(sum[g][0]), forget = sigmoid(sum[g][1]);
            vector candidate = tanh_of(sum[g][2]), out = sigmoid(sum[g][3]);
            float *cell_at = cells + g * padded + v * LANES;
            vector cell = forget * load(cell_at) + into * candidate, squashed = tanh_of(cell);
            vector state = out * squashed;
            store(cell_at, cell);
            store(after + g * padded + v * LANES, state);
            store_some(states + g * is->steps * 2 * is->units + v * LANES, state, is->units - v * LANES);
            if (kept) {
                float *keep = kept + (g * vectors + v) * KEPT * LANES;
                store(keep, into);
                store(keep + LANES, forget);
                store(keep + 2 * LANES, candidate);
                store(keep + 3 * LANES, out);
                store(keep + 4 * LANES, cell);
                store(keep + 5 * LANES, squashed);
            }
        }
    }
}

/* Take all steps of the runs from `first` up to, not including, `last`. `kept` may be NULL. Returns 1 if out of
   memory. */
int lstm_forward(long first, long last, long groups, long genes, long steps, long features, long units,
                 const float *inputs, const float *input_weight, const float *state_weight, const float *biases,
                 float *states, float *kept)
{
    const shape is = {groups, genes, steps, features, units};
    long vectors = vectors_of(units), padded = vectors * LANES, rows = vectors * GATE_LANES, width = features + units;
    float *room = space(rows * (width + 1) + 3 * BLOCK * padded);
    if (!room)
        return 1;
    float *weight = room, *bias = weight + rows * width, *cells = bias + rows, *now = cells + BLOCK * padded;
    for (long run = first; run < last; run++) {
        long group = run / 2, reverse = run % 2, matrix = GATES * units * run;
        arrange(weight, input_weight + matrix * features, features, units);
        arrange(weight + rows * features, state_weight + matrix * units, units, units);
        arrange(bias, biases + matrix, 1, units);
        for (long from = 0; from < genes; from += BLOCK) {
            long count = smaller(BLOCK, genes - from);
            memset(cells, 0, 3 * BLOCK * padded * sizeof(float)); /* and the states that follow */
            for (long t = 0; t < steps; t++) {
                long at = reverse ? steps - 1 - t : t;
                const float *before = now + t % 2 * BLOCK * padded;
                float *after = now + (t + 1) % 2 * BLOCK * padded;
                for (long g = 0, taken; g < count; g += taken) {
                    long place = (group * genes + from + g) * steps + at;
                    const float *x = inputs + place * features;
                    float *out = states + (place * 2 + reverse) * units;
                    float *keep = kept ? kept + ((run * steps + t) * genes + from + g) * vectors * KEPT * LANES : NULL;
                    taken = g + TILE <= count ? TILE : 1;
                    if (taken == TILE)
                        step_forward(TILE, &is, weight, bias, x, before + g * padded, after + g * padded,
                                     cells + g * padded, out, keep);
                    else
                        step_forward(1, &is, weight, bias, x, before + g * padded, after + g * padded,
                                     cells + g * padded, out, keep);
                }
            }
        }
    }
    free(room);
    return 0;
}

/* Compute the gradient of the columns, for `tile` genes and `wide` vectors of columns: the rows' gradients times the
   weights. */
INLINE void gradient_of_columns(int tile, int wide, long rows, long width, const float *weight, const float *d_rows,
                                float *d_columns)
{
    vector sum[2 * TILE][2];
    for (int g = 0; g < tile; g++)
        for (int v = 0; v < wide; v++)
            sum[g][v] = same(0);
    for (long r = 0; r < rows; r++)
        for (int v = 0; v < wide; v++) {
            vector w = load(weight + r * width + v * LANES);
            for (int g = 0; g < tile; g++)
                sum[g][v] += w * d_rows[g * rows + r];
        }
    for (int g = 0; g < tile; g++)
        for (int v = 0; v < wide; v++)
            store(d_columns + g * width + v * LANES, sum[g][v]);
}

/* Add a block's contribution to the gradient of the weights, for four columns and one vector of units. */
INLINE void add_gradient_of_weight(long count, long columns, long rows, const float *column, const float *d_rows,
                                   float *d_weight)
{
    vector sum[4][GATES];
    for (int c = 0; c < 4; c++)
        for (int gate = 0; gate < GATES; gate++)
            sum[c][gate] = load(d_weight + c * rows + gate * LANES);
    for (long g = 0; g < count; g++)
        for (int gate = 0; gate < GATES; gate++) {
            vector d = load(d_rows + g * rows + gate * LANES);
            for (int c = 0; c < 4; c++)
                sum[c][gate] += d * column[g * columns + c];
        }
    for (int c = 0; c < 4; c++)
        for (int gate = 0; gate < GATES; gate++)
            store(d_weight + c * rows + gate * LANES, sum[c][gate]);
}

/* Gradients of the runs from `first` up to, not including, `last`. `d_inputs`, shape (2, group, gene, step, features),
   keeps the two directions apart; it may be NULL, and so may the three weight gradients. Returns 1 if out of memory. */
int lstm_backward(long first, long last, long groups, long genes, long steps, long features, long units,
                  const float *inputs, const float *input_weight, const float *state_weight, const float *states,
                  const float *kept, const float *d_states, float *d_inputs, float *d_input_weight,
                  float *d_state_weight, float *d_bias)
{
    long vectors = vectors_of(units), padded = vectors * LANES, rows = vectors * GATE_LANES;
    /* Columns of a step: states, inputs, and a 1 for the bias, padded to a multiple of four. */
    long columns = (units + features + 1 + 3) / 4 * 4;
    long width = padded + (d_inputs ? vectors_of(features) * LANES : 0);
    float *room = space(rows * width + columns * rows + BLOCK * (rows + columns + width + padded));
    if (!room)
        return 1;
    float *weight = room, *d_weight = weight + rows * width, *d_rows = d_weight + columns * rows;
    float *d_columns = d_rows + BLOCK * rows, *d_cells = d_columns + BLOCK * width, *column = d_cells + BLOCK * padded;
    for (long run = first; run < last; run++) {
        long group = run / 2, reverse = run % 2, matrix = GATES * units * run;
        memset(weight, 0, rows * width * sizeof(float));
        for (long gate = 0; gate < GATES; gate++)
            for (long unit = 0; unit < units; unit++) {
                float *to = weight + row_of(gate, unit) * width;
                long from = matrix + gate * units + unit;
                memcpy(to, state_weight + from * units, units * sizeof(float));
                if (d_inputs)
                    memcpy(to + padded, input_weight + from * features, features * sizeof(float));
            }
        memset(d_weight, 0, columns * rows * sizeof(float));
        for (long begin = 0; begin < genes; begin += BLOCK) {
            long count = smaller(BLOCK, genes - begin);
            memset(d_columns, 0, BLOCK * (width + padded + columns) * sizeof(float)); /* also d_cells and column */
            for (long t = steps - 1; t >= 0; t--) {
                long at = reverse ? steps - 1 - t : t, at_before = reverse ? at + 1 : at - 1;
                for (long g = 0; g < count; g++) {
                    long place = (group * genes + begin + g) * steps;
                    const float *given = d_states + ((place + at) * 2 + reverse) * units;
                    const float *keep = kept + ((run * steps + t) * genes + begin + g) * vectors * KEPT * LANES;
                    /* Hardware prefetchers predict neither of these two access patterns. */
                    for (long unit = 0; unit < units; unit += 16)
                        __builtin_prefetch(given + unit + (reverse ? 2 : -2) * units);
                    for (long v = 0; v < vectors; v++, keep += KEPT * LANES) {
                        vector into = load(keep), forget = load(keep + LANES), candidate = load(keep + 2 * LANES);
                        vector out = load(keep + 3 * LANES), squashed = load(keep + 5 * LANES);
                        if (t)
                            for (int line = 0; line < KEPT * LANES; line += 16)
                                __builtin_prefetch(keep + line - genes * vectors * KEPT * LANES);
                        vector before = t ? load(keep + 4 * LANES - genes * vectors * KEPT * LANES) : same(0);
                        vector d_state = load_some(given + v * LANES, units - v * LANES) +
                                         load(d_columns + g * width + v * LANES);
                        float *d_cell_at = d_cells + g * padded + v * LANES, *d = d_rows + g * rows + v * GATE_LANES;
                        vector d_cell = load(d_cell_at) + d_state * out * (1 - squashed * squashed);
                        store(d, d_cell * candidate * into * (1 - into));
                        store(d + LANES, d_cell * before * forget * (1 - forget));
                        store(d + 2 * LANES, d_cell * into * (1 - candidate * candidate));
                        store(d + 3 * LANES, d_state * squashed * out * (1 - out));
                        store(d_cell_at, d_cell * forget);
                    }
                    float *to = column + g * columns;
                    if (t)
                        memcpy(to, states + ((place + at_before) * 2 + reverse) * units, units * sizeof(float));
                    else
                        memset(to, 0, units * sizeof(float));
                    memcpy(to + units, inputs + (place + at) * features, features * sizeof(float));
                    to[units + features] = 1;
                }
                for (long c = 0; d_bias && c < columns; c += 4)
                    for (long v = 0; v < vectors; v++)
                        add_gradient_of_weight(count, columns, rows, column + c, d_rows + v * GATE_LANES,
                                               d_weight + c * rows + v * GATE_LANES);
                for (long g = 0, taken; g < count; g += taken) {
                    taken = g + 2 * TILE <= count ? 2 * TILE : 1;
                    for (long v = 0, wide; v * LANES < width; v += wide) {
                        const float *w = weight + v * LANES, *d = d_rows + g * rows;
                        float *to = d_columns + g * width + v * LANES;
                        wide = (v + 2) * LANES <= width ? 2 : 1;
                        if (taken > 1 && wide > 1)
                            gradient_of_columns(2 * TILE, 2, rows, width, w, d, to);
                        else if (taken > 1)
                            gradient_of_columns(2 * TILE, 1, rows, width, w, d, to);
                        else if (wide > 1)
                            gradient_of_columns(1, 2, rows, width, w, d, to);
                        else
                            gradient_of_columns(1, 1, rows, width, w, d, to);
                    }
                    if (d_inputs)
                        for (long g_of = g; g_of < g + taken; g_of++) {
                            long place = ((reverse * groups + group) * genes + begin + g_of) * steps + at;
                            memcpy(d_inputs + place * features, d_columns + g_of * width + padded,
                                   features * sizeof(float));
                        }
                }
            }
        }
        if (d_bias) {
            arrange_back(d_state_weight + matrix * units, d_weight, units, units);
            arrange_back(d_input_weight + matrix * features, d_weight + units * rows, features, units);
            arrange_back(d_bias + matrix, d_weight + (units + features) * rows, 1, units);
        }
    }
    free(room);
    return 0;
}
