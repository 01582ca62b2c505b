"""Networks with the transform of counts that is part of them: plain torch, for scoring and explaining."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from chromattend.errors import UserError
from chromattend.files import atomic
from chromattend.models.base import Contract, TrainedModel
from chromattend.models.registry import REGISTRY

# Genes scored at once: so many keep a processor busy, and more only take memory.
SCORING_BATCH = 128


def in_batches(score: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
    """Return a value per gene, shape (gene,), of inputs with shape (gene, bin, mark), some genes at a time."""
    return torch.cat([score(part) for part in inputs.split(SCORING_BATCH)])


class Standardise(nn.Module):
    """log(1 + x), standardised per mark with the mean and deviation of the training genes.

    Counts differ between epigenomes in sequencing depth and between marks in range; in this form a network
    trains alike on all of them. The papers feed raw counts: then it changes nothing.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, marks: int, *, raw: bool = False) -> None:
        """Start as the identity on logarithms of `marks` marks, or with `raw` on the values themselves."""
        super().__init__()
        self.raw = raw
        self.register_buffer("mean", torch.zeros(marks))
        self.register_buffer("deviation", torch.ones(marks))

    def fit(self, signal: Tensor) -> None:
        """Take mean and deviation from signal, shape (gene, bin, mark)."""
        if self.raw:
            return
        logs = torch.log1p(signal)
        self.mean.copy_(logs.mean(dim=(0, 1)))
        # A mark without any read would divide by zero.
        self.deviation.copy_(logs.std(dim=(0, 1)).clamp_min(1e-6))

    def forward(self, signal: Tensor) -> Tensor:
        """Transform signal, shape (gene, bin, mark)."""
        return signal if self.raw else (torch.log1p(signal) - self.mean) / self.deviation


class Network(nn.Module):
    """A network of the registry, in one replicate per seed, that takes the signal of its contract."""

    def __init__(self, contract: Contract, options: dict[str, Any], replicates: int = 1) -> None:
        """Build it with fresh weights.

        Args:
            contract: name, marks and bins.
            options: keyword arguments of the registry's class.
            replicates: how many, trained from different seeds.

        Raises:
            UserError: the options do not fit the number of bins.
        """
        super().__init__()
        self.contract, self.options = contract, options
        marks, bins = len(contract.marks), len(contract.bins)
        known = {"epigenomes": len(contract.epigenomes)} if contract.epigenomes else {}
        self.transform = Standardise(marks, raw=contract.inputs == "raw")
        build = REGISTRY[contract.model].load()
        try:
            self.replicates = nn.ModuleList(build(marks, bins, **known, **options) for _ in range(replicates))
        except ValueError as error:
            raise UserError(f"model_options.{contract.model}: {error}; change them or the bins") from None

    @classmethod
    def together(cls, networks: Sequence["Network"]) -> "Network":
        """Return one network of the replicates of several, all of the same data."""
        first = networks[0]
        joined = cls(first.contract, first.options, 0)
        joined.transform = first.transform
        joined.replicates = nn.ModuleList(replicate for network in networks for replicate in network.replicates)
        return joined.eval()

    def outputs(self, signal: Tensor, context: Tensor | None = None) -> Tensor:
        """Return logits of ON, or predicted values, shape (replicate, gene).

        Args:
            signal: see `Contract.signal`, float32, shape (gene, bin, mark).
            context: see `Contract.context`, int64, shape (gene,), for a model that knows epigenomes.
        """
        inputs = (self.transform(signal), *([] if context is None else [context]))
        return torch.stack([replicate(*inputs) for replicate in self.replicates])

    def forward(self, signal: Tensor, context: Tensor | None = None) -> Tensor:
        """Return the mean of `outputs` over the replicates, shape (gene,)."""
        return self.outputs(signal, context).mean(dim=0)

    @torch.inference_mode()
    def scores(self, signal: np.ndarray, context: np.ndarray | None = None) -> np.ndarray:
        """Return P(ON), or the predicted value of a regression, per seed and gene, float64, shape (seed, gene)."""
        return self._probability(self._outputs(signal, context))

    @torch.inference_mode()
    def score(self, signal: np.ndarray, context: np.ndarray | None = None) -> np.ndarray:
        """Return P(ON), or the predicted value, by the mean output of the replicates, float64, shape (gene,)."""
        return self._probability(self._outputs(signal, context).mean(dim=0))

    def _outputs(self, signal: np.ndarray, context: np.ndarray | None) -> Tensor:
        self.eval()
        device = self.transform.mean.device
        batches = torch.from_numpy(np.ascontiguousarray(signal, dtype=np.float32)).split(SCORING_BATCH)
        contexts = [None] * len(batches) if context is None else torch.from_numpy(context).split(SCORING_BATCH)
        return torch.cat(
            [
                self.outputs(batch.to(device), None if known is None else known.to(device))
                for batch, known in zip(batches, contexts, strict=True)
            ],
            dim=1,
        ).double()

    def _probability(self, outputs: Tensor) -> np.ndarray:
        if self.contract.task == "classification":
            outputs = torch.sigmoid(outputs)
        return outputs.cpu().numpy()

    def save(self, path: str | Path) -> None:
        """Write a checkpoint of plain types and tensors, so that loading it runs no code."""
        content = {
            "contract": vars(self.contract),
            "options": self.options,
            "replicates": len(self.replicates),
            "state_dict": {name: tensor.cpu() for name, tensor in self.state_dict().items()},
        }
        # Given a path, torch would write the temporary file's name into the file.
        with atomic(path) as temporary, open(temporary, "wb") as file:
            torch.save(content, file)

    @classmethod
    def load(cls, path: str | Path) -> "Network":
        """Read what `save` wrote, weights only."""
        content = torch.load(path, map_location="cpu", weights_only=True)
        network = cls(Contract(**content["contract"]), content["options"], content["replicates"])
        network.load_state_dict(content["state_dict"])
        # Explanations take gradients of the inputs; those of the weights would cost as much again.
        return network.eval().requires_grad_(False)


def network_of(model: TrainedModel, needs_attention: bool = False) -> Network:
    """Return a trained model as a network.

    Raises:
        UserError: it is no network, or has no attention where that is needed.
    """
    name = model.contract.model
    if not isinstance(model, Network):
        raise UserError(f"{name}: is no network, so it has no gradients; explain one of the networks")
    if needs_attention and not REGISTRY[name].attention:
        attentive = [spec.name for spec in REGISTRY.values() if spec.attention and spec.scope == "epigenome"]
        raise UserError(f"{name}: has no attention; choose one of {', '.join(attentive)}")
    return model
