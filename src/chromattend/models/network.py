"""Networks with their transform of the signal, in plain torch, for scoring and explaining."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from chromattend.errors import UserError
from chromattend.files import atomic
from chromattend.models.base import InputSpec, Scores, TrainedModel
from chromattend.models.registry import REGISTRY, read_spec

# Examples scored at once: enough to keep a processor busy; more only take memory.
SCORING_BATCH = 128


def batches(*arrays: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Yield arrays in batches of examples, which are their first dimension."""
    return zip(*(array.split(SCORING_BATCH) for array in arrays), strict=True)


def in_batches(score: Callable[..., Tensor], *arrays: Tensor) -> Tensor:
    """Apply a function in batches of examples, and return its results joined along the first dimension."""
    return torch.cat([score(*batch) for batch in batches(*arrays)])


class Standardise(nn.Module):
    """log(1 + x), standardised per channel with the mean and standard deviation of the training examples.

    Counts differ between epigenomes in sequencing depth and between marks in range; in this form a network trains
    equally well on all of them. The papers use raw counts, which are not transformed.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, channels: int, *, raw: bool = False) -> None:
        """Start as log(1 + x) of the given number of channels or, with `raw`, as the identity."""
        super().__init__()
        self.raw = raw
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("deviation", torch.ones(channels))

    def fit(self, signal: Tensor) -> None:
        """Set mean and standard deviation from signal, shape (example, position, channel)."""
        if self.raw:
            return
        logs = torch.log1p(signal)
        self.mean.copy_(logs.mean(dim=(0, 1)))
        # A constant channel would divide by zero.
        self.deviation.copy_(logs.std(dim=(0, 1)).clamp_min(1e-6))

    def forward(self, signal: Tensor) -> Tensor:
        """Transform signal, shape (example, position, channel)."""
        return signal if self.raw else (torch.log1p(signal) - self.mean) / self.deviation


class Network(nn.Module):
    """A network of the registry, with one replicate per seed; `input_spec` reads its input from a dataset.

    Attributes:
        input_spec: an instance of the track's class, see `InputSpec`.
        calibration: slope and intercept of the logistic curve from the network's outputs to P(ON), shape (2,).
        kept_epochs: for each replicate, the epoch of the training that it was kept from, counted from 0; empty if the
            network was not trained, or by a version that did not record it.
    """

    input_spec: Any
    calibration: Tensor

    def __init__(self, input_spec: InputSpec, options: dict[str, Any], replicates: int = 1) -> None:
        """Build the network with new random weights.

        Args:
            input_spec: name and sizes of the network.
            options: keyword arguments of the registry's class.
            replicates: number of replicates, to be trained from different seeds.

        Raises:
            UserError: the options do not fit the number of positions.
        """
        super().__init__()
        self.input_spec, self.options = input_spec, options
        self.transform = Standardise(input_spec.shape[1], raw=not input_spec.logarithmic)
        self.register_buffer("calibration", torch.tensor([1.0, 0.0]))
        self.kept_epochs: list[int] = []
        spec = REGISTRY[input_spec.model]
        build = spec.load()
        try:
            self.replicates = nn.ModuleList(build(**input_spec.sizes, **options) for _ in range(replicates))
        except ValueError as error:
            key = "model_options" if spec.track == "chromatin" else f"{spec.track}.model_options"
            raise UserError(f"{key}.{spec.name}: {error}; change the options or the input") from None

    @classmethod
    def together(cls, networks: Sequence["Network"]) -> "Network":
        """Return one network with the replicates of several networks of the same data."""
        first = networks[0]
        joined = cls(first.input_spec, first.options, 0)
        joined.transform = first.transform
        joined.replicates = nn.ModuleList(replicate for network in networks for replicate in network.replicates)
        joined.kept_epochs = [epoch for network in networks for epoch in network.kept_epochs]
        return joined.eval()

    def untrained(self) -> "Network":
        """Return a network of the same shape and transform with new random weights, by torch's random numbers."""
        other = Network(self.input_spec, self.options, len(self.replicates))
        other.transform = self.transform
        return other.eval()

    def calibrated(self, outputs: Tensor) -> Tensor:
        """Return the logits whose sigmoid is the calibrated P(ON); see `calibrate`."""
        slope, intercept = self.calibration.unbind()
        return slope * outputs + intercept

    def outputs(self, signal: Tensor, *context: Tensor) -> Tensor:
        """Return logits of the positive class, or predicted values, shape (replicate, example).

        Args:
            signal: see `InputSpec.signal`, float32, shape (example, position, channel).
            context: see `InputSpec.context`, int64, shape (example,), for a model that takes a context.
        """
        inputs = self.transform(signal)
        return self.calibrated(torch.stack([replicate(inputs, *context) for replicate in self.replicates]))

    def forward(self, signal: Tensor, *context: Tensor) -> Tensor:
        """Return the mean of `outputs` over the replicates, shape (example,)."""
        return self.outputs(signal, *context).mean(dim=0)

    def arrays(self, dataset: xr.Dataset) -> tuple[Tensor, ...]:
        """Return the network's input from a dataset: signal and, if the network takes it, context; see `outputs`."""
        arrays = (self.input_spec.signal(dataset), self.input_spec.context(dataset))
        return tuple(torch.from_numpy(np.ascontiguousarray(array)) for array in arrays if array is not None)

    def scores(self, dataset: xr.Dataset) -> Scores:
        """Score every example of a dataset once per replicate; the joint score is the score of the mean output."""
        return self.scores_of(*self.arrays(dataset))

    @torch.inference_mode()
    def scores_of(self, *arrays: Tensor) -> Scores:
        """Score examples as `scores` does; arrays are those of `arrays`."""
        self.eval()
        device = self.transform.mean.device
        parts = [self.outputs(*(array.to(device) for array in batch)) for batch in batches(*arrays)]
        outputs = torch.cat(parts, dim=1).double()
        return Scores(self._probability(outputs.mean(dim=0)), self._probability(outputs))

    def score(self, dataset: xr.Dataset) -> np.ndarray:
        """Return the joint scores of `scores`, float64, shape (example,)."""
        return self.scores(dataset).joint

    def _probability(self, outputs: Tensor) -> np.ndarray:
        if self.input_spec.task == "classification":
            outputs = torch.sigmoid(outputs)
        return outputs.cpu().numpy()

    def save(self, path: str | Path) -> None:
        """Write a checkpoint of plain types and tensors, so that loading it runs no code."""
        content = {
            "contract": vars(self.input_spec),  # the key of older versions, whose checkpoints are also read
            "options": self.options,
            "replicates": len(self.replicates),
            "kept_epochs": self.kept_epochs,
            "state_dict": {name: tensor.cpu() for name, tensor in self.state_dict().items()},
        }
        # If given a path, torch would write the name of the temporary file into the file.
        with atomic(path) as temporary, open(temporary, "wb") as file:
            torch.save(content, file)

    @classmethod
    def load(cls, path: str | Path) -> "Network":
        """Read a checkpoint from `save`; no code is run."""
        content = torch.load(path, map_location="cpu", weights_only=True)
        network = cls(read_spec(content["contract"]), content["options"], content["replicates"])
        # Files of older versions have neither a calibration nor the epochs.
        network.load_state_dict({"calibration": network.calibration} | content["state_dict"])
        network.kept_epochs = content.get("kept_epochs", [])
        # Explanations need gradients of the inputs; gradients of the weights would double the cost.
        return network.eval().requires_grad_(False)


def network_of(model: TrainedModel, needs_attention: bool = False) -> Network:
    """Return a trained model as a network.

    Raises:
        UserError: the model is not a network, or has no attention but needs it.
    """
    name = model.input_spec.model
    if not isinstance(model, Network):
        raise UserError(f"{name}: is not a network, so it has no gradients; explain a network")
    if needs_attention and not REGISTRY[name].attention:
        attentive = [spec.name for spec in REGISTRY.values() if spec.attention and spec.scope == "epigenome"]
        raise UserError(f"{name}: has no attention; choose one of {', '.join(attentive)}")
    return model
