"""What a network says of its reasons, as functions of counts: attention and an attribution."""

import numpy as np
import torch
from torch import Tensor

from chromattend.interpret.attribution import Explained, attribute
from chromattend.models.network import SCORING_BATCH, Network
from chromattend.models.registry import REGISTRY
from chromattend.robustness.subject import CountModel

# Defined for every network, and the cheapest of the signed methods: noise needs a map of every draw.
METHOD = "input_x_gradient"


class Maps:
    """Attention and attribution of a model of counts.

    Attributes:
        attentive: whether the model has attention.
    """

    def __init__(self, subject: CountModel) -> None:
        """Explain a network; a model without gradients has no maps, see `of`."""
        assert isinstance(subject.model, Network)
        self.subject, self.network = subject, subject.model
        self.factor = torch.from_numpy(subject.factor)
        self.explained = Explained(subject.model)
        self.attentive = bool(REGISTRY[subject.model.input_spec.model].attention)

    @classmethod
    def of(cls, subject: CountModel) -> "Maps | None":
        """Return the maps of a network that sees the signal only, or None for other models."""
        return cls(subject) if subject.differentiable and subject.context is None else None

    def alpha(self, counts: Tensor) -> Tensor:
        """Return attention over the bins, differentiable, shape (example, position, channel).

        Args:
            counts: float32, shape (example, position, channel).
        """
        return self.explained.attend(self.network.transform(counts * self.factor))[0]

    @torch.inference_mode()
    def attend(self, counts: np.ndarray, kept: float | np.ndarray = 1.0) -> tuple[np.ndarray, np.ndarray | None]:
        """Return attention over the bins and over the marks.

        Args:
            counts: shape (example, position, channel).
            kept: see `CountModel.probability`.

        Returns:
            alpha, shape (example, position, channel), and beta, shape (example, channel), or None.
        """
        parts = [self.explained.attend(inputs) for inputs in self._inputs(counts, kept).split(SCORING_BATCH)]
        alpha = torch.cat([alpha for alpha, _ in parts]).numpy()
        betas = [beta for _, beta in parts if beta is not None]
        return alpha, torch.cat(betas).numpy() if betas else None

    def attribute(self, counts: np.ndarray, kept: float | np.ndarray = 1.0) -> np.ndarray:
        """Return input x gradient, shape (example, position, channel); see `attend`."""
        inputs = self._inputs(counts, kept)
        reference = self.network.transform(torch.zeros(1, *counts.shape[1:]))
        return attribute(self.explained, inputs, reference, METHOD).numpy()

    def _inputs(self, counts: np.ndarray, kept: float | np.ndarray) -> Tensor:
        return self.network.transform(torch.from_numpy(np.ascontiguousarray(self.subject.signal(counts, kept))))
