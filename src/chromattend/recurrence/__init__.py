"""Many independent bidirectional LSTMs, run as one.

A network of five marks has ten recurrences of a hundred steps, each on matrices so small that arithmetic is only a
minor part of a step's cost. Here all recurrences, of every mark and both directions, are one operation with its own
gradient: in C on a CPU (`compiled`), in Triton on a GPU (`kernels`), and in torch's operators on other devices and in
other precisions (`operators`).
"""

import functools
import importlib
import logging
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from chromattend.recurrence import compiled, operators
from chromattend.recurrence.compiled import use_threads

__all__ = ["BidirectionalLSTM", "bidirectional_lstm", "lacks_compiler", "use_threads"]

logger = logging.getLogger(__name__)


class BidirectionalLSTM(nn.Module):
    """Independent bidirectional LSTMs, each with its own input (Hochreiter and Schmidhuber, 1997).

    The equations, the parameters (including both biases) and their initial distribution are the same as in
    `torch.nn.LSTM`; only the layout differs: a parameter holds the weights of all groups and directions.
    """

    def __init__(self, groups: int, features: int, units: int) -> None:
        """Initialize the weights uniformly within plus and minus 1 / sqrt(units).

        Args:
            groups: number of LSTMs.
            features: number of inputs per step.
            units: number of units per direction.
        """
        super().__init__()
        self.units = units
        # The rows are the input, forget, candidate and output gates, in this order.
        self.input_weight = nn.Parameter(torch.empty(groups, 2, 4 * units, features))
        self.state_weight = nn.Parameter(torch.empty(groups, 2, 4 * units, units))
        self.input_bias = nn.Parameter(torch.empty(groups, 2, 4 * units))
        self.state_bias = nn.Parameter(torch.empty(groups, 2, 4 * units))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(units**-0.5), units**-0.5)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the states of both directions, concatenated, shape (group, gene, step, 2 * units).

        Args:
            inputs: shape (group, gene, step, features).
        """
        return bidirectional_lstm(inputs, self.input_weight, self.state_weight, self.input_bias + self.state_bias)


def bidirectional_lstm(inputs: Tensor, input_weight: Tensor, state_weight: Tensor, bias: Tensor) -> Tensor:
    """Run independent bidirectional LSTMs from zero states.

    Differentiable once, with respect to every argument. `torch.vmap` over models adds their groups.

    Args:
        inputs: shape (group, gene, step, features).
        input_weight: shape (group, 2, 4 * units, features); forward, then backward direction.
        state_weight: shape (group, 2, 4 * units, units).
        bias: shape (group, 2, 4 * units).

    Returns:
        States, shape (group, gene, step, 2 * units): forward direction, then backward direction.
    """
    # The recurrence runs in the weights' precision, even where Lightning runs other operations in a lower one.
    arrays = (inputs.to(state_weight.dtype), input_weight, state_weight, bias)
    keep = torch.is_grad_enabled() and any(array.requires_grad for array in arrays)
    with torch.autocast(inputs.device.type, enabled=False):
        return _Recurrence.apply(keep, *arrays)[0]


def lacks_compiler(network: nn.Module, device: torch.device) -> bool:
    """Return whether LSTMs of a network run in torch's operators because they could not be compiled."""
    recurrent = any(isinstance(module, BidirectionalLSTM) for module in network.modules())
    return recurrent and device.type == "cpu" and compiled.library() is None


def _implementation(inputs: Tensor, state_weight: Tensor) -> Any:
    if inputs.dtype == torch.float32:
        if inputs.device.type == "cpu" and compiled.library() is not None:
            return compiled
        if inputs.device.type == "cuda" and torch.version.cuda is not None:  # not AMD: no TF32 products
            kernels = _kernels()
            if kernels is not None and kernels.fits(inputs, state_weight):
                return kernels
    return operators


@functools.cache
def _kernels() -> Any:
    """Import the kernels; without Triton, log a warning and return None."""
    try:
        return importlib.import_module(f"{__name__}.kernels")
    except ImportError as error:
        logger.warning("LSTMs on a GPU take many times as long without Triton (%s); run pip install triton", error)
        return None


class _Recurrence(torch.autograd.Function):
    """The recurrence with an explicit gradient (backpropagation through time).

    With autograd, every step would add a dozen nodes to the graph, and the gradient's matrix products as many
    allocations.
    """

    @staticmethod
    def forward(keep: bool, *arrays: Tensor) -> tuple[Tensor, ...]:
        """Return the states, and the values that their gradient needs."""
        arrays = tuple(array.contiguous() for array in arrays)
        return _implementation(arrays[0], arrays[2]).forward(*arrays, keep=keep)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        """Save the values that the gradient needs."""
        ctx.mark_non_differentiable(*output[1:])
        ctx.set_materialize_grads(False)
        if inputs[0]:
            ctx.save_for_backward(*inputs[1:], *output)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        """Return the gradients of the arguments from the gradient of the states."""
        if gradient is None:
            return None, None, None, None, None
        saved = [array.contiguous() for array in ctx.saved_tensors[:4]] + list(ctx.saved_tensors[4:])
        of_inputs, *of_weights = ctx.needs_input_grad[1:]
        gradients = _implementation(saved[0], saved[2]).backward(
            gradient.contiguous(), *saved, of_inputs=of_inputs, of_weights=any(of_weights)
        )
        return None, *gradients

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], keep: bool, *arrays: Tensor) -> tuple[Any, Any]:
        """Run the groups of all models in one call."""
        merged = [
            (array.expand(info.batch_size, *array.shape) if dim is None else array.movedim(dim, 0)).flatten(0, 1)
            for array, dim in zip(arrays, in_dims[1:], strict=True)
        ]
        return (bidirectional_lstm(*merged).unflatten(0, (info.batch_size, -1)),), (0,)
