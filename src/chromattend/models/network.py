"""Networks with the transform of counts that is part of them: plain torch, for scoring and explaining."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from chromattend.errors import UserError
from chromattend.files import atomic
from chromattend.models import REGISTRY
from chromattend.models.base import Contract

SCORING_BATCH = 512


class StandardisedLogCounts(nn.Module):
    """log(1 + count), standardised per mark with the mean and deviation of the training genes.

    Counts differ between epigenomes in sequencing depth and between marks in range; in this form a network
    trains alike on all of them. The papers feed raw counts.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, marks: int) -> None:
        """Start as the identity on log counts of `marks` marks."""
        super().__init__()
        self.register_buffer("mean", torch.zeros(marks))
        self.register_buffer("deviation", torch.ones(marks))

    def fit(self, counts: Tensor) -> None:
        """Take mean and deviation from counts, shape (gene, bin, mark)."""
        logs = torch.log1p(counts)
        self.mean.copy_(logs.mean(dim=(0, 1)))
        # A mark without any read would divide by zero.
        self.deviation.copy_(logs.std(dim=(0, 1)).clamp_min(1e-6))

    def forward(self, counts: Tensor) -> Tensor:
        """Transform counts, shape (gene, bin, mark)."""
        return (torch.log1p(counts) - self.mean) / self.deviation


class Network(nn.Module):
    """A network of the registry that takes raw counts."""

    def __init__(self, contract: Contract, options: dict[str, Any]) -> None:
        """Build it with fresh weights.

        Args:
            contract: name, marks and bins.
            options: keyword arguments of the registry's class.

        Raises:
            UserError: the options do not fit the number of bins.
        """
        super().__init__()
        self.contract, self.options = contract, options
        self.transform = StandardisedLogCounts(len(contract.marks))
        try:
            self.network = REGISTRY[contract.model].load()(len(contract.marks), len(contract.bins), **options)
        except ValueError as error:
            raise UserError(f"model_options.{contract.model}: {error}; change them or the bins") from None

    def forward(self, counts: Tensor) -> Tensor:
        """Return the logit of ON, shape (gene,), of raw counts, float32, shape (gene, bin, mark)."""
        return self.network(self.transform(counts))

    @property
    def threshold(self) -> float:
        """Score above which a gene is called ON: a probability."""
        return 0.5

    @torch.inference_mode()
    def score(self, counts: np.ndarray) -> np.ndarray:
        """Return P(ON) per gene, float64, of counts with shape (gene, bin, mark)."""
        self.eval()
        device = self.transform.mean.device
        batches = torch.from_numpy(counts.astype(np.float32)).split(SCORING_BATCH)
        logits = torch.cat([self(batch.to(device)) for batch in batches])
        return torch.sigmoid(logits.double()).cpu().numpy()

    def save(self, path: str | Path) -> None:
        """Write a checkpoint of plain types and tensors, so that loading it runs no code."""
        content = {
            "contract": vars(self.contract),
            "options": self.options,
            "state_dict": {name: tensor.cpu() for name, tensor in self.state_dict().items()},
        }
        # Given a path, torch would write the temporary file's name into the file.
        with atomic(path) as temporary, open(temporary, "wb") as file:
            torch.save(content, file)

    @classmethod
    def load(cls, path: str | Path) -> "Network":
        """Read what `save` wrote, weights only."""
        content = torch.load(path, map_location="cpu", weights_only=True)
        network = cls(Contract(**content["contract"]), content["options"])
        network.load_state_dict(content["state_dict"])
        return network.eval()
