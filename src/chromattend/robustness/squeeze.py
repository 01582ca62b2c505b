"""Feature squeezing (Xu, Evans, Qi, NDSS 2018): coarser inputs, on which a model should say what it said before.

Every squeezer has one definition, which is exact and has gradients: the detector and an attack on it act on the same
function.
"""

import re
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from chromattend.errors import UserError

Kind = Literal["bits", "median", "nlm"]
# Examples squeezed at once: windows of all of them take as many times the memory of the inputs as a window has values.
_BATCH = 250
# Grey levels of 8 bits: the unit of the strength of non-local means.
_GREY = 255


@dataclass(frozen=True)
class Squeezer:
    """A squeezer of inputs between 0 and 1.

    - `bits_N`, bit depth (section III.A of the paper): the nearest of 2^N levels from 0 to 1. Its gradient is that of
      the identity, since the true one is 0 almost everywhere (the straight-through estimate: Bengio, Leonard,
      Courville, arXiv 1308.3432; Athalye, Carlini, Wagner, ICML 2018, section 4.1).
    - `median_N`, local smoothing (section III.B): the median of a window of N values along each axis, as
      `scipy.ndimage.median_filter` in the mode `reflect` gives it. For an even N the window reaches one more value back
      than forward, and the median is the upper one of the two in the middle.
    - `nlm_W_P_S`, non-local means (section III.B; Buades, Coll, Morel, CVPR 2005): the mean of all values of a window
      of W values along each axis, with the weights exp(-d^2 / h^2). d^2 is the mean squared difference of the patches
      of P values along each axis around both values, over all channels, and h is S / 255, so S is in grey levels of 8
      bits. Borders are reflected as for the median.

    Attributes:
        name: such as `bits_1`, `median_2` or `nlm_11_3_4`.
        kind: what it does.
        sizes: the numbers of its name.
    """

    name: str
    kind: Kind
    sizes: tuple[int, ...]

    @classmethod
    def parse(cls, name: str) -> "Squeezer":
        """Return the squeezer of a name.

        Raises:
            UserError: no squeezer has this name.
        """
        kind, *numbers = name.split("_")
        if re.fullmatch(r"bits_[1-8]|median_[1-9][0-9]?|nlm(_[1-9][0-9]?){3}", name) is None:
            raise UserError(
                f"{name}: is not a squeezer; choose bits_1 to bits_8, median_N with a window of N values, or nlm_W_P_S "
                "with the window, the patch and the strength of non-local means, such as nlm_11_3_4"
            )
        sizes = tuple(map(int, numbers))
        if kind == "nlm" and not (sizes[0] % 2 and sizes[1] % 2):
            raise UserError(f"{name}: window {sizes[0]} and patch {sizes[1]} must be odd numbers to have a centre")
        return cls(name, kind, sizes)  # type: ignore[arg-type]

    def __call__(self, inputs: Tensor) -> Tensor:
        """Return squeezed inputs.

        Args:
            inputs: floating-point, shape (example, channel, height, width) or (example, channel, position).
        """
        return torch.cat([self._squeeze(part) for part in inputs.split(_BATCH)])

    def _squeeze(self, inputs: Tensor) -> Tensor:
        if self.kind == "bits":
            rounded: Tensor = _Round.apply(inputs.clamp(0, 1), 2 ** self.sizes[0] - 1)
            return rounded
        if self.kind == "median":
            return _median(inputs, self.sizes[0])
        window, patch, strength = self.sizes
        return _non_local_means(inputs, window, patch, strength / _GREY)


def largest_logs(counts: np.ndarray) -> np.ndarray:
    """Return the largest log(1 + count) of each channel, float32, shape (channel,).

    Args:
        counts: legitimate counts, shape (example, position, channel).
    """
    largest: np.ndarray = np.log1p(counts.max(axis=(0, 1)).astype(np.float32))
    # A channel without counts would divide by zero.
    return np.maximum(largest, np.float32(np.log(2)))


def squeeze_counts(squeezer: Squeezer, counts: Tensor, largest: Tensor) -> Tensor:
    """Return counts that are squeezed along the positions, on the scale of their logarithm.

    A channel's log(1 + count), divided by its largest value, is what a grey level is to an image. Squeezed counts are
    not whole numbers. Bit depth lowers counts above the largest one to it.

    Args:
        squeezer: what to do.
        counts: float32, from 0, shape (example, position, channel).
        largest: largest log(1 + count) of each channel, shape (channel,), see `largest_logs`.
    """
    values = counts.movedim(2, 1)
    if squeezer.kind == "median":  # equal on both scales, and exact without the logarithm
        return squeezer(values).movedim(1, 2)
    scale = largest[:, None]
    return torch.expm1(squeezer(torch.log1p(values) / scale) * scale).movedim(1, 2)


class _Round(torch.autograd.Function):
    """Rounding to steps of 1 / levels, with the gradient of the identity."""

    @staticmethod
    def forward(ctx: object, inputs: Tensor, levels: int) -> Tensor:
        return (inputs * levels).round() / levels

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None


def _reflected(inputs: Tensor, before: int, after: int) -> Tensor:
    """Extend all axes of positions by their mirror image, which repeats the first and the last value."""
    for axis in range(2, inputs.ndim):
        size = inputs.shape[axis]
        places = torch.arange(-before, size + after, device=inputs.device) % (2 * size)
        inputs = inputs.index_select(axis, torch.where(places < size, places, 2 * size - 1 - places))
    return inputs


def _shifted(padded: Tensor, sizes: torch.Size, window: int) -> list[Tensor]:
    """Return the views of padded inputs at each shift within a window."""
    axes = sizes[2:]
    views = []
    for shift in product(range(window), repeat=len(axes)):
        view = padded
        for axis, (start, size) in enumerate(zip(shift, axes, strict=True), start=2):
            view = view.narrow(axis, start, size)
        views.append(view)
    return views


def _median(inputs: Tensor, window: int) -> Tensor:
    padded = _reflected(inputs, window // 2, window - 1 - window // 2)
    values = torch.stack(_shifted(padded, inputs.shape, window), dim=-1)
    return values.sort(dim=-1).values[..., values.shape[-1] // 2]


def _non_local_means(inputs: Tensor, window: int, patch: int, strength: float) -> Tensor:
    mean = functional.avg_pool2d if inputs.ndim == 4 else functional.avg_pool1d
    reach, margin = window // 2, patch // 2
    padded = _reflected(inputs, reach + margin, reach + margin)
    # Patches reach beyond the border, too.
    views = _shifted(padded, torch.Size([*inputs.shape[:2], *(size + 2 * margin for size in inputs.shape[2:])]), window)
    own = views[len(views) // 2]
    total, weights = torch.zeros_like(inputs), inputs.new_zeros(inputs.shape[0], 1, *inputs.shape[2:])
    for other in views:
        squares = mean(((own - other) ** 2).mean(dim=1, keepdim=True), patch, stride=1)
        weight = torch.exp(-squares / strength**2)
        centre = other
        for axis in range(2, inputs.ndim):
            centre = centre.narrow(axis, margin, inputs.shape[axis])
        total, weights = total + weight * centre, weights + weight
    return total / weights
