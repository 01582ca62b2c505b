"""The recurrence as torch operations on whole arrays, on any device and in any precision.

All recurrences take a step together: one batched matrix product and a few operations on whole arrays. Genes are the
last dimension of the arrays, so that a gate of all genes is one contiguous block.
"""

import torch
from torch import Tensor

_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
_tanh_backward = torch.ops.aten.tanh_backward.grad_input

# Within this module:
#
# Steps of the backward direction are numbered from the last one, so that both directions are treated alike; a "run" is
# one direction of a group. A column holds the vector that a step multiplies by its weights: the previous state, the
# inputs, and a 1 for the bias. A step writes its new state directly into the next step's column.
#
# tanh(x) is computed as 2 sigmoid(2 x) - 1, which costs a sixth of torch's tanh. So the candidate's rows of the weights
# are doubled, all four gates need one call, and cell states are stored as twice their value.


def _run(inputs: Tensor, weight: Tensor, *, keep: bool) -> tuple[Tensor, ...]:
    """Take all steps.

    Args:
        inputs: shape (group, gene, step, features).
        weight: shape (group, 2, 4 * units, units + features + 1).
        keep: whether to keep the values that the gradient needs.

    Returns:
        Columns, shape (step + 1, run, units + features + 1, gene). With `keep`, also the sigmoids of the four gates,
        shape (step, run, 4 * units, gene), and the doubled cell states and their hyperbolic tangents, both of shape
        (step, run, units, gene).
    """
    groups, genes, steps, _ = inputs.shape
    units, width = weight.shape[2] // 4, weight.shape[3]
    runs = 2 * groups
    rows = weight.new_ones(4, 1, 1)
    rows[2] = 2
    scaled = (weight.unflatten(2, (4, units)) * rows).reshape(runs, 4 * units, width)

    columns = weight.new_empty(steps + 1, groups, 2, width, genes)
    columns[0, :, :, :units] = 0
    columns[:, :, :, -1] = 1
    by_step = inputs.permute(2, 0, 3, 1)  # (step, group, features, gene)
    columns[:steps, :, 0, units:-1] = by_step
    columns[:steps, :, 1, units:-1] = by_step.flip(0)
    columns = columns.view(steps + 1, runs, width, genes)

    stored = steps if keep else 1  # without `keep`, all steps share one step's memory
    gates = weight.new_empty(stored, runs, 4 * units, genes)
    cells, squashed = (weight.new_empty(stored, runs, units, genes) for _ in range(2))
    blocks = [gates, *gates.split(units, dim=2), cells, squashed]
    places = list(zip(*(block.unbind(0) for block in blocks), strict=True))
    if not keep:
        places *= steps
    candidate, cell = (weight.new_zeros(runs, units, genes) for _ in range(2))
    minus_one, minus_two = weight.new_full((), -1), weight.new_full((), -2)
    ins, outs = columns.unbind(0), columns[1:, :, :units].unbind(0)
    for column, state, (gate, into, forget, open_candidate, out, next_cell, tanh) in zip(
        ins[:-1], outs, places, strict=True
    ):
        torch.bmm(scaled, column, out=gate)
        gate.sigmoid_()
        torch.add(minus_two, open_candidate, alpha=4, out=candidate)  # twice the hyperbolic tangent
        cell = torch.mul(forget, cell, out=next_cell).addcmul_(into, candidate)
        torch.add(minus_one, torch.sigmoid(cell, out=tanh), alpha=2, out=tanh)
        torch.mul(out, tanh, out=state)
    return (columns, gates, cells, squashed) if keep else (columns,)


def _states(columns: Tensor, weight: Tensor) -> Tensor:
    """Return the states from the columns, in the order of the steps, shape (group, gene, step, 2 * units)."""
    units = weight.shape[2] // 4
    forward, backward = columns[1:, :, :units].unflatten(1, (-1, 2)).unbind(2)
    return torch.cat([forward, backward.flip(0)], dim=2).permute(1, 3, 0, 2)


def forward(
    inputs: Tensor, input_weight: Tensor, state_weight: Tensor, bias: Tensor, *, keep: bool
) -> tuple[Tensor, ...]:
    """Return the states of `bidirectional_lstm` and, with `keep`, the other values that `backward` needs."""
    weight = _joined(input_weight, state_weight, bias)
    columns, *kept = _run(inputs, weight, keep=keep)
    return _states(columns, weight), *([columns, *kept] if keep else [])


def _joined(input_weight: Tensor, state_weight: Tensor, bias: Tensor) -> Tensor:
    """Return the matrix that multiplies a column, shape (group, 2, 4 * units, units + features + 1)."""
    return torch.cat([state_weight, input_weight, bias.unsqueeze(-1)], dim=-1)


def backward(
    gradient: Tensor,
    inputs: Tensor,
    input_weight: Tensor,
    state_weight: Tensor,
    bias: Tensor,
    states: Tensor,
    columns: Tensor,
    gates: Tensor,
    cells: Tensor,
    squashed: Tensor,
    *,
    of_inputs: bool,
    of_weights: bool,
) -> tuple[Tensor | None, ...]:
    """Return the gradients of inputs, input_weight, state_weight and bias from the gradient of the states.

    Args:
        gradient: gradient of the states.
        inputs, input_weight, state_weight, bias: arguments of `forward`.
        states, columns, gates, cells, squashed: values that `forward` returned.
        of_inputs, of_weights: whether to compute these gradients; None is returned for the others.
    """
    weight = _joined(input_weight, state_weight, bias)
    groups, _, rows, width = weight.shape
    steps, runs, units, genes = cells.shape
    # Rows of the columns that need a gradient: always the states; the inputs not in the training of a first layer.
    needed = width - 1 if of_inputs else units
    # The loop computes a gate's gradient up to a factor: the candidate's is an eighth of its row's gradient.
    factors = weight.new_ones(4, 1, 1)
    factors[2] = 8
    upwards = (weight[..., :needed].unflatten(2, (4, units)) * factors).reshape(runs, rows, needed)
    upwards = upwards.transpose(1, 2).contiguous()

    by_step = gradient.permute(2, 0, 3, 1)  # (step, group, 2 * units, gene)
    given = weight.new_empty(steps, groups, 2, units, genes)
    given[:, :, 0] = by_step[:, :, :units]
    given[:, :, 1] = by_step[:, :, units:].flip(0)
    given = given.view(steps, runs, units, genes)

    d_columns = weight.new_zeros(runs, needed, genes)
    d_carried, d_inputs = d_columns[:, :units], d_columns[:, units:]
    d_inputs_all = weight.new_empty(steps, runs, needed - units, genes)
    d_weight = weight.new_zeros(runs, width, rows)
    d_cell = weight.new_zeros(runs, 1, units, genes)
    d_cell_flat = d_cell[:, 0]
    d_state, scratch, no_cell = (weight.new_zeros(runs, units, genes) for _ in range(3))
    d_gates = weight.new_empty(runs, rows, genes)
    d_into, d_forget, d_candidate, d_out = d_gates.split(units, dim=1)
    d_inner, d_gates_transposed = d_gates.unflatten(1, (4, units))[:, :3], d_gates.transpose(1, 2)
    minus_two = weight.new_full((), -2)
    parts = (
        columns[:-1].unbind(0),
        d_inputs_all.unbind(0),
        given.unbind(0),
        *(gate.unbind(0) for gate in gates.split(units, dim=2)),
        (no_cell, *cells.unbind(0)[:-1]),
        squashed.unbind(0),
    )
    for column, d_input, d_given, into, forget, candidate, out, before, tanh in zip(
        *(reversed(part) for part in parts), strict=True
    ):
        torch.add(d_given, d_carried, out=d_state)
        # Derivative with respect to the doubled cell state: output gate times (1 - tanh^2) / 2.
        _tanh_backward(out, tanh, grad_input=scratch)
        d_cell_flat.addcmul_(d_state, scratch, value=0.5)
        torch.add(minus_two, candidate, alpha=4, out=scratch)
        _sigmoid_backward(scratch, into, grad_input=d_into)
        _sigmoid_backward(before, forget, grad_input=d_forget)
        _sigmoid_backward(into, candidate, grad_input=d_candidate)
        _sigmoid_backward(tanh, out, grad_input=d_out)
        d_inner.mul_(d_cell)
        d_out.mul_(d_state)
        d_cell_flat.mul_(forget)
        torch.bmm(upwards, d_gates, out=d_columns)
        if of_inputs:
            d_input.copy_(d_inputs)
        if of_weights:
            d_weight.baddbmm_(column, d_gates_transposed)

    gradients: list[Tensor | None] = [None] * 4
    if of_inputs:
        to_last, to_first = d_inputs_all.unflatten(1, (groups, 2)).unbind(2)
        gradients[0] = (to_last + to_first.flip(0)).permute(1, 3, 0, 2)
    if of_weights:
        of_rows = (d_weight.transpose(1, 2).unflatten(1, (4, units)) * factors).reshape(weight.shape)
        gradients[2], gradients[1], of_bias = of_rows.split([units, width - units - 1, 1], dim=-1)
        gradients[3] = of_bias.squeeze(-1)
    return tuple(gradients)
