"""The recurrence as two Triton kernels: the forward pass over all steps, and the backward pass.

A program of a kernel processes some genes of one run, a run being one direction of a group. Weights and states stay on
the multiprocessor from the first step to the last; operations on whole arrays would fetch them from the GPU's memory
in every step.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

# Limits: more units, or more input weights per gate, would need more than 76 KB of a multiprocessor's shared memory.
MOST_UNITS, MOST_INPUT_WEIGHTS = 32, 1024
# Genes and warps per program, and the least side of a matrix product.
GENES, WARPS, LEAST = 16, 4, 16
# Matrix units take TF32 factors; three products of split factors reach float32 precision. The backward pass has too
# many factors for the registers that this needs.
FORWARD_PRECISION, BACKWARD_PRECISION = "tf32x3", "ieee"


@triton.jit
def _tanh(x):  # type: ignore[no-untyped-def]
    return 2 * tl.sigmoid(2 * x) - 1


@triton.jit
def _places(genes, steps, features, units, GENES: tl.constexpr, FEATURES: tl.constexpr, UNITS: tl.constexpr):  # type: ignore[no-untyped-def]
    """Return the indices of a program.

    They are its run and whether the run is backward; its units and features; the offsets of its genes' first inputs,
    states and kept values in their arrays; and the masks of existing values (gene, unit) and inputs (gene, feature).
    """
    run = tl.program_id(0).to(tl.int64)
    group, backward = run // 2, run % 2
    gene = (tl.program_id(1) * GENES + tl.arange(0, GENES))[:, None]
    unit, feature = tl.arange(0, UNITS), tl.arange(0, FEATURES)
    inputs = (group * genes + gene) * steps * features + feature[None, :]
    states = (group * genes + gene) * steps * 2 * units + backward * units + unit[None, :]
    kept = run * steps * 5 * genes * units + gene * units + unit[None, :]
    valid = (gene < genes) & (unit[None, :] < units)
    fed = (gene < genes) & (feature[None, :] < features)
    return run, backward, unit, feature, inputs, states, kept, valid, fed


@triton.jit
def _rows(number, unit, column, units, columns):  # type: ignore[no-untyped-def]
    """Return the offsets of a gate's rows in a matrix of all gates, and the mask of existing entries."""
    offsets = (number * units + unit[:, None]) * columns + column[None, :]
    return offsets, (unit[:, None] < units) & (column[None, :] < columns)


@triton.jit
def _load_rows(matrix, number, unit, column, units, columns):  # type: ignore[no-untyped-def]
    offsets, mask = _rows(number, unit, column, units, columns)
    return tl.load(matrix + offsets, mask=mask, other=0.0)


@triton.jit
def _load_gates(matrix, unit, column, units, columns):  # type: ignore[no-untyped-def]
    """Load the rows of each gate, shape (unit, column)."""
    into = _load_rows(matrix, 0, unit, column, units, columns)
    forget = _load_rows(matrix, 1, unit, column, units, columns)
    candidate = _load_rows(matrix, 2, unit, column, units, columns)
    out = _load_rows(matrix, 3, unit, column, units, columns)
    return into, forget, candidate, out


@triton.jit
def _store_rows(matrix, number, unit, column, units, columns, values):  # type: ignore[no-untyped-def]
    offsets, mask = _rows(number, unit, column, units, columns)
    tl.store(matrix + offsets, values, mask=mask)


@triton.jit
def _store_gates(matrix, unit, column, units, columns, into, forget, candidate, out):  # type: ignore[no-untyped-def]
    """Store the rows of each gate."""
    _store_rows(matrix, 0, unit, column, units, columns, into)
    _store_rows(matrix, 1, unit, column, units, columns, forget)
    _store_rows(matrix, 2, unit, column, units, columns, candidate)
    _store_rows(matrix, 3, unit, column, units, columns, out)


@triton.jit
def _opened(state, x, from_state, from_input, bias, FEATURES: tl.constexpr, PRECISION: tl.constexpr):  # type: ignore[no-untyped-def]
    """Return the input of a gate's nonlinearity, shape (gene, unit)."""
    total = tl.dot(state, from_state, input_precision=PRECISION) + bias
    if FEATURES == 1:
        total += x * from_input
    else:
        total = tl.dot(x, from_input, total, input_precision=PRECISION)
    return total


@triton.jit
def _add_of_inputs(gradient, d_gate, x, FEATURES: tl.constexpr, PRECISION: tl.constexpr):  # type: ignore[no-untyped-def]
    """Add a step's gradient of a gate's input weights, shape (unit, feature), or (gene, unit) for one feature."""
    if FEATURES == 1:
        gradient += d_gate * x
    else:
        gradient = tl.dot(tl.trans(d_gate), x, gradient, input_precision=PRECISION)
    return gradient


@triton.jit
def _forward(  # type: ignore[no-untyped-def]
    inputs,
    input_weight,
    state_weight,
    bias,
    states,
    kept,
    genes,
    steps: tl.constexpr,
    features,
    units,
    KEEP: tl.constexpr,
    GENES: tl.constexpr,
    FEATURES: tl.constexpr,
    UNITS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    run, backward, unit, feature, of_inputs, of_states, of_kept, valid, fed = _places(
        genes, steps, features, units, GENES, FEATURES, UNITS
    )

    input_weight += run * 4 * units * features
    state_weight += run * 4 * units * units
    bias += run * 4 * units + unit[None, :]
    in_range = unit[None, :] < units
    x_into, x_forget, x_candidate, x_out = _load_gates(input_weight, unit, feature, units, features)
    h_into, h_forget, h_candidate, h_out = _load_gates(state_weight, unit, unit, units, units)
    x_into, x_forget, x_candidate, x_out = tl.trans(x_into), tl.trans(x_forget), tl.trans(x_candidate), tl.trans(x_out)
    h_into, h_forget, h_candidate, h_out = tl.trans(h_into), tl.trans(h_forget), tl.trans(h_candidate), tl.trans(h_out)
    b_into = tl.load(bias, mask=in_range, other=0.0)
    b_forget = tl.load(bias + units, mask=in_range, other=0.0)
    b_candidate = tl.load(bias + 2 * units, mask=in_range, other=0.0)
    b_out = tl.load(bias + 3 * units, mask=in_range, other=0.0)

    inputs += of_inputs
    states += of_states
    kept += of_kept
    block = genes * units

    state = tl.zeros((GENES, UNITS), tl.float32)
    cell = tl.zeros((GENES, UNITS), tl.float32)
    for index in range(steps):
        step = index + backward * (steps - 1 - 2 * index)
        x = tl.load(inputs + step * features, mask=fed, other=0.0)
        into = tl.sigmoid(_opened(state, x, h_into, x_into, b_into, FEATURES, PRECISION))
        forget = tl.sigmoid(_opened(state, x, h_forget, x_forget, b_forget, FEATURES, PRECISION))
        candidate = _tanh(_opened(state, x, h_candidate, x_candidate, b_candidate, FEATURES, PRECISION))
        out = tl.sigmoid(_opened(state, x, h_out, x_out, b_out, FEATURES, PRECISION))
        cell = forget * cell + into * candidate
        state = out * _tanh(cell)
        tl.store(states + step * 2 * units, state, mask=valid)
        if KEEP:
            place = kept + index * 5 * block
            tl.store(place, into, mask=valid)
            tl.store(place + block, forget, mask=valid)
            tl.store(place + 2 * block, candidate, mask=valid)
            tl.store(place + 3 * block, out, mask=valid)
            tl.store(place + 4 * block, cell, mask=valid)


@triton.jit
def _backward(  # type: ignore[no-untyped-def]
    gradient,
    inputs,
    input_weight,
    state_weight,
    states,
    kept,
    d_inputs,
    d_input_weight,
    d_state_weight,
    d_bias,
    groups,
    genes,
    steps: tl.constexpr,
    features,
    units,
    OF_INPUTS: tl.constexpr,
    OF_WEIGHTS: tl.constexpr,
    GENES: tl.constexpr,
    FEATURES: tl.constexpr,
    UNITS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    run, backward, unit, feature, of_inputs, of_states, of_kept, valid, fed = _places(
        genes, steps, features, units, GENES, FEATURES, UNITS
    )

    state_weight += run * 4 * units * units
    h_into, h_forget, h_candidate, h_out = _load_gates(state_weight, unit, unit, units, units)
    if OF_INPUTS:
        input_weight += run * 4 * units * features
        x_into, x_forget, x_candidate, x_out = _load_gates(input_weight, unit, feature, units, features)
        d_inputs += backward * groups * genes * steps * features + of_inputs
    if OF_WEIGHTS:
        OF_FEATURES: tl.constexpr = (GENES, UNITS) if FEATURES == 1 else (UNITS, FEATURES)
        d_h_into = tl.zeros((UNITS, UNITS), tl.float32)
        d_h_forget = tl.zeros((UNITS, UNITS), tl.float32)
        d_h_candidate = tl.zeros((UNITS, UNITS), tl.float32)
        d_h_out = tl.zeros((UNITS, UNITS), tl.float32)
        d_x_into = tl.zeros(OF_FEATURES, tl.float32)
        d_x_forget = tl.zeros(OF_FEATURES, tl.float32)
        d_x_candidate = tl.zeros(OF_FEATURES, tl.float32)
        d_x_out = tl.zeros(OF_FEATURES, tl.float32)
        d_b_into = tl.zeros((GENES, UNITS), tl.float32)
        d_b_forget = tl.zeros((GENES, UNITS), tl.float32)
        d_b_candidate = tl.zeros((GENES, UNITS), tl.float32)
        d_b_out = tl.zeros((GENES, UNITS), tl.float32)

    inputs += of_inputs
    states += of_states
    gradient += of_states
    kept += of_kept
    block = genes * units

    d_carried = tl.zeros((GENES, UNITS), tl.float32)
    d_cell = tl.zeros((GENES, UNITS), tl.float32)
    cell = tl.load(kept + ((steps - 1) * 5 + 4) * block, mask=valid, other=0.0)
    for back in range(steps):
        index = steps - 1 - back
        step = index + backward * (steps - 1 - 2 * index)
        place = kept + index * 5 * block
        into = tl.load(place, mask=valid, other=0.0)
        forget = tl.load(place + block, mask=valid, other=0.0)
        candidate = tl.load(place + 2 * block, mask=valid, other=0.0)
        out = tl.load(place + 3 * block, mask=valid, other=0.0)
        earlier = valid & (index > 0)
        cell_before = tl.load(place - block, mask=earlier, other=0.0)

        d_state = tl.load(gradient + step * 2 * units, mask=valid, other=0.0) + d_carried
        tanh = _tanh(cell)
        d_cell += d_state * out * (1 - tanh * tanh)
        d_into = d_cell * candidate * into * (1 - into)
        d_forget = d_cell * cell_before * forget * (1 - forget)
        d_candidate = d_cell * into * (1 - candidate * candidate)
        d_out = d_state * tanh * out * (1 - out)
        d_cell *= forget
        cell = cell_before

        d_carried = tl.dot(d_into, h_into, input_precision=PRECISION)
        d_carried = tl.dot(d_forget, h_forget, d_carried, input_precision=PRECISION)
        d_carried = tl.dot(d_candidate, h_candidate, d_carried, input_precision=PRECISION)
        d_carried = tl.dot(d_out, h_out, d_carried, input_precision=PRECISION)
        if OF_INPUTS:
            if FEATURES == 1:
                d_x = d_into * tl.trans(x_into) + d_forget * tl.trans(x_forget)
                d_x += d_candidate * tl.trans(x_candidate) + d_out * tl.trans(x_out)
                d_x = tl.sum(d_x, 1)[:, None]
            else:
                d_x = tl.dot(d_into, x_into, input_precision=PRECISION)
                d_x = tl.dot(d_forget, x_forget, d_x, input_precision=PRECISION)
                d_x = tl.dot(d_candidate, x_candidate, d_x, input_precision=PRECISION)
                d_x = tl.dot(d_out, x_out, d_x, input_precision=PRECISION)
            tl.store(d_inputs + step * features, d_x, mask=fed)
        if OF_WEIGHTS:
            x = tl.load(inputs + step * features, mask=fed, other=0.0)
            before = tl.load(states + (step + 2 * backward - 1) * 2 * units, mask=earlier, other=0.0)
            d_b_into += d_into
            d_b_forget += d_forget
            d_b_candidate += d_candidate
            d_b_out += d_out
            d_h_into = tl.dot(tl.trans(d_into), before, d_h_into, input_precision=PRECISION)
            d_h_forget = tl.dot(tl.trans(d_forget), before, d_h_forget, input_precision=PRECISION)
            d_h_candidate = tl.dot(tl.trans(d_candidate), before, d_h_candidate, input_precision=PRECISION)
            d_h_out = tl.dot(tl.trans(d_out), before, d_h_out, input_precision=PRECISION)
            d_x_into = _add_of_inputs(d_x_into, d_into, x, FEATURES, PRECISION)
            d_x_forget = _add_of_inputs(d_x_forget, d_forget, x, FEATURES, PRECISION)
            d_x_candidate = _add_of_inputs(d_x_candidate, d_candidate, x, FEATURES, PRECISION)
            d_x_out = _add_of_inputs(d_x_out, d_out, x, FEATURES, PRECISION)

    if OF_WEIGHTS:
        # Every program writes its own block: atomic sums, in no fixed order, would differ between runs.
        program = tl.program_id(1).to(tl.int64) * 2 * groups + run
        d_input_weight += program * 4 * units * features
        d_state_weight += program * 4 * units * units
        d_bias += program * 4 * units + unit
        if FEATURES == 1:
            d_x_into, d_x_forget = tl.sum(d_x_into, 0)[:, None], tl.sum(d_x_forget, 0)[:, None]
            d_x_candidate, d_x_out = tl.sum(d_x_candidate, 0)[:, None], tl.sum(d_x_out, 0)[:, None]
        _store_gates(d_input_weight, unit, feature, units, features, d_x_into, d_x_forget, d_x_candidate, d_x_out)
        _store_gates(d_state_weight, unit, unit, units, units, d_h_into, d_h_forget, d_h_candidate, d_h_out)
        tl.store(d_bias, tl.sum(d_b_into, 0), mask=unit < units)
        tl.store(d_bias + units, tl.sum(d_b_forget, 0), mask=unit < units)
        tl.store(d_bias + 2 * units, tl.sum(d_b_candidate, 0), mask=unit < units)
        tl.store(d_bias + 3 * units, tl.sum(d_b_out, 0), mask=unit < units)


def fits(inputs: Tensor, state_weight: Tensor) -> bool:
    """Return whether the kernels support these arguments of `bidirectional_lstm`."""
    sizes = _constants(inputs.shape[-1], state_weight.shape[-1])
    return sizes["UNITS"] <= MOST_UNITS and sizes["FEATURES"] * sizes["UNITS"] <= MOST_INPUT_WEIGHTS


def forward(
    inputs: Tensor, input_weight: Tensor, state_weight: Tensor, bias: Tensor, *, keep: bool
) -> tuple[Tensor, ...]:
    """Return the states of `bidirectional_lstm` and, with `keep`, the other values that `backward` needs.

    Args:
        inputs, input_weight, state_weight, bias: its arguments, contiguous, float32.
        keep: whether `backward` will be called.
    """
    groups, genes, steps, features = inputs.shape
    units = state_weight.shape[-1]
    states = inputs.new_empty(groups, genes, steps, 2 * units)
    # The four gates and the cell state of every step.
    kept = inputs.new_empty(2 * groups, steps, 5, genes, units) if keep else None
    arrays = (inputs, input_weight, state_weight, bias, states, states if kept is None else kept)
    sizes = (genes, steps, features, units)
    with torch.cuda.device_of(inputs):
        _forward[_grid(groups, genes)](
            *arrays, *sizes, KEEP=keep, PRECISION=FORWARD_PRECISION, **_constants(features, units)
        )
    return (states,) if kept is None else (states, kept)


def backward(
    gradient: Tensor,
    inputs: Tensor,
    input_weight: Tensor,
    state_weight: Tensor,
    bias: Tensor,
    states: Tensor,
    kept: Tensor,
    *,
    of_inputs: bool,
    of_weights: bool,
) -> tuple[Tensor | None, ...]:
    """Return the gradients of inputs, input_weight, state_weight and bias from the gradient of the states.

    Args:
        gradient: gradient of the states.
        inputs, input_weight, state_weight, bias: arguments of `forward`.
        states, kept: values that `forward` returned.
        of_inputs, of_weights: whether to compute these gradients; None is returned for the others.
    """
    groups, genes, steps, features = inputs.shape
    units = state_weight.shape[-1]
    grid = _grid(groups, genes)
    d_inputs = inputs.new_empty(2, *inputs.shape) if of_inputs else None  # one array per direction
    d_weights = [
        array.new_empty(grid[1], *array.shape) if of_weights else None for array in (input_weight, state_weight, bias)
    ]
    wanted = [gradient if array is None else array for array in (d_inputs, *d_weights)]
    arrays = (gradient, inputs, input_weight, state_weight, states, kept, *wanted)
    sizes = (groups, genes, steps, features, units)
    with torch.cuda.device_of(inputs):
        _backward[grid](
            *arrays,
            *sizes,
            OF_INPUTS=of_inputs,
            OF_WEIGHTS=of_weights,
            PRECISION=BACKWARD_PRECISION,
            **_constants(features, units),
        )
    return tuple(None if array is None else array.sum(dim=0) for array in (d_inputs, *d_weights))


def _grid(groups: int, genes: int) -> tuple[int, int]:
    return 2 * groups, triton.cdiv(genes, GENES)


def _constants(features: int, units: int) -> dict[str, Any]:
    """Return the compile-time constants of the kernels."""
    return {
        "GENES": GENES,
        "FEATURES": 1 if features == 1 else max(LEAST, triton.next_power_of_2(features)),
        "UNITS": max(LEAST, triton.next_power_of_2(units)),
        "num_warps": WARPS,
    }
