"""The recurrence in C, compiled for this machine's CPU on first use."""

import ctypes
import functools
import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

from chromattend.compiled import load

SOURCE = Path(__file__).with_name("lstm.c")


@functools.cache
def library() -> ctypes.CDLL | None:
    """Return the compiled functions; if they cannot be compiled, log a warning and return None."""
    functions = load(SOURCE, "LSTMs on a CPU take twice as long")
    if functions is None:
        return None
    _keep_freed_memory()
    functions.lstm_kept.restype = ctypes.c_long
    functions.lstm_kept.argtypes = [ctypes.c_long]
    functions.lstm_forward.argtypes = [ctypes.c_long] * 7 + [ctypes.c_void_p] * 6
    functions.lstm_backward.argtypes = [ctypes.c_long] * 7 + [ctypes.c_void_p] * 10
    return functions


def _keep_freed_memory() -> None:
    """Make glibc keep freed memory for later allocations.

    By default glibc returns blocks above 32 MB to the system; faulting the states of a large batch in again, page by
    page, costs a third of each step.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        trim_threshold, mmap_max = -1, -4  # malloc.h
        set_option(trim_threshold, 2**31 - 1)
        set_option(mmap_max, 0)


def forward(
    inputs: Tensor, input_weight: Tensor, state_weight: Tensor, bias: Tensor, *, keep: bool
) -> tuple[Tensor, ...]:
    """Return the states of `bidirectional_lstm` and, with `keep`, the other values that `backward` needs.

    Args:
        inputs, input_weight, state_weight, bias: its arguments, contiguous, float32.
        keep: whether `backward` will be called.
    """
    functions, shape = _library(), _shape(inputs, state_weight)
    groups, genes, steps, _, units = shape
    states = inputs.new_empty(groups, genes, steps, 2 * units)
    kept = inputs.new_empty(2 * groups, steps, genes, functions.lstm_kept(units)) if keep else None
    _call(functions.lstm_forward, shape, [inputs, input_weight, state_weight, bias, states, kept])
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
    d_inputs = inputs.new_empty(2, *inputs.shape) if of_inputs else None  # one array per direction
    d_weights = [torch.empty_like(array) if of_weights else None for array in (input_weight, state_weight, bias)]
    arrays = [inputs, input_weight, state_weight, states, kept, gradient, d_inputs, *d_weights]
    _call(_library().lstm_backward, _shape(inputs, state_weight), arrays)
    return None if d_inputs is None else d_inputs.sum(dim=0), *d_weights


def _library() -> ctypes.CDLL:
    functions = library()
    assert functions is not None
    return functions


def _shape(inputs: Tensor, state_weight: Tensor) -> tuple[int, ...]:
    return *inputs.shape, state_weight.shape[-1]


# Threads that process the runs of a recurrence in parallel; the pool starts a thread only when it is needed.
_thread_count = 1
_pool = functools.cache(ThreadPoolExecutor)
# A forked process has the pool but none of its threads, and would wait for them forever.
os.register_at_fork(after_in_child=_pool.cache_clear)


def use_threads(count: int) -> None:
    """Set the number of threads that networks use in this process.

    Only recurrences use them: torch's own threads wait for work by spinning, which takes CPU time from working
    threads.
    """
    global _thread_count
    _thread_count = count
    torch.set_num_threads(1)


def _call(function: Callable[..., int], shape: tuple[int, ...], arrays: list[Tensor | None]) -> None:
    """Call a function of the library, with the runs divided among the threads."""
    pointers = [None if array is None else array.data_ptr() for array in arrays]
    runs = 2 * shape[0]
    threads = min(_thread_count, runs)
    bounds = [runs * thread // threads for thread in range(threads + 1)]
    first, *others = (
        functools.partial(function, begin, end, *shape, *pointers) for begin, end in itertools.pairwise(bounds)
    )
    waiting = [_pool(_thread_count).submit(part) for part in others]
    failed = max([first(), *(each.result() for each in waiting)])
    if failed:
        raise MemoryError("not enough memory for the states of an LSTM")
