"""A gapped k-mer SVM in the form of a network, so that it is explained, tested and drawn as networks are."""

from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
import torch
import xarray as xr
from torch import Tensor, nn

from chromattend.interpret.influence import COLUMNS
from chromattend.models.base import TrainedModel
from chromattend.models.baseline import Baseline
from chromattend.models.network import Network, Standardise, network_of
from chromattend.sequence.inputs import SequenceInputs
from chromattend.sequence.kernel import gapped_kmer_kernel
from chromattend.sequence.kernel.strings import Strings
from chromattend.sequence.kernel.weights import GappedKmerWeights
from chromattend.sequence.models.gkm_svm import GkmSVM


class Decision(nn.Module):
    """Logit of one-hot sequences by a machine; it has no gradient."""

    def __init__(self, weights: GappedKmerWeights, slope: float, intercept: float) -> None:
        """Take the weights of gapped k-mers, and the logistic curve (Platt) from decision values to logits."""
        super().__init__()
        self.weights, self.slope, self.intercept = weights, slope, intercept
        self.strands = weights.strands

    def forward(self, signal: Tensor) -> Tensor:
        """Return logits, float32, shape (sequence,), of one-hot letters, shape (sequence, position, letter)."""
        return torch.from_numpy(self.slope * self.weights.decision(as_strings(signal)) + self.intercept).float()


class KernelMachine(Network):
    """A trained gapped k-mer SVM; see `Network` for its attributes.

    Its logit is that of the logistic curve through the decision values (Platt), the only one that an SVM has; there is
    no calibration beside it.
    """

    def __init__(self, model: Baseline) -> None:
        """Take a trained model whose estimator is a `GkmSVM`."""
        nn.Module.__init__(self)
        (self.svm,) = model.estimators
        letters = model.input_spec
        self.input_spec = SequenceInputs(**{each.name: getattr(letters, each.name) for each in fields(SequenceInputs)})
        self.kept_epochs = []
        scale, logistic = model.calibrators[0][0], model.calibrators[0][-1]
        slope = float(logistic.coef_[0, 0] / scale.scale_[0])
        intercept = float(logistic.intercept_[0] - slope * scale.mean_[0])
        self.transform = Standardise(self.input_spec.shape[1], raw=True)
        self.register_buffer("calibration", torch.tensor([1.0, 0.0]))
        self.replicates = nn.ModuleList([Decision(self.svm.weights(), slope, intercept)])
        self.eval()

    def untrained(self) -> "KernelMachine":
        """Return the machine with its coefficients permuted among the support vectors, by torch's random numbers."""
        other = object.__new__(KernelMachine)
        nn.Module.__init__(other)
        other.svm, other.input_spec, other.kept_epochs = self.svm.permuted(_permutation(self.svm)), self.input_spec, []
        other.transform = self.transform
        other.register_buffer("calibration", self.calibration)
        own = self.decision
        other.replicates = nn.ModuleList([Decision(other.svm.weights(), own.slope, own.intercept)])
        return other.eval()

    @property
    def decision(self) -> Decision:
        """Its only replicate."""
        (decision,) = self.replicates
        assert isinstance(decision, Decision)
        return decision

    @property
    def weights(self) -> GappedKmerWeights:
        """Weights of gapped k-mers."""
        return self.decision.weights

    def positions(self, signal: Tensor) -> Tensor:
        """Return the weight of every letter of sequences: their sum is the change of the logit from no letters at all.

        Args:
            signal: one-hot letters, shape (sequence, position, letter).

        Returns:
            float32, of the same shape; see `GappedKmerWeights.positions`.
        """
        weights = np.stack(self.weights.positions(as_strings(signal)))
        return (self.decision.slope * torch.from_numpy(weights)).float()[:, :, None] * signal

    def mutagenesis(self, signal: Tensor) -> Tensor:
        """Return the change of the logit by every substitution, as `chromattend.sequence.attribution.mutagenesis`."""
        changes = np.stack(self.weights.mutagenesis(as_strings(signal)))
        known = signal.sum(dim=2, keepdim=True)
        return (self.decision.slope * torch.from_numpy(changes)).float() * known

    def influential(self, dataset: xr.Dataset, explained: xr.Dataset, number: int = 5) -> pd.DataFrame:
        """Return the support vectors with the largest terms in the scores of some sequences.

        The score of a sequence is the sum of one term per support vector and a constant, so the influences are exact.

        Args:
            dataset: dataset of the training.
            explained: sequences to explain.
            number: largest number of supporting sequences, and of opposing ones.

        Returns:
            See `chromattend.interpret.influence.influential`; similarity is the normalised kernel, and agreement is 1.
            Without rows if the SVM learned from explicit features, which keep no support vectors.
        """
        if not self.svm.exact:
            return pd.DataFrame(columns=list(COLUMNS))
        train = np.flatnonzero(dataset["split"].values == "train")[self.svm.rows_]
        names, label = dataset["sequence"].values[train], dataset["label"].values[train]
        strings = Strings.of_rows(explained["letters"].transpose("sequence", "position").values, self.svm.letters)
        kernel = gapped_kmer_kernel(strings, self.svm.support, **self.svm.options, short="zero")
        terms = self.decision.slope * kernel * self.svm.dual_
        with torch.inference_mode():
            logits = self(torch.from_numpy(self.input_spec.signal(explained))).numpy()
        rows: list[dict[str, Any]] = []
        for name, own, similarity, logit in zip(explained["sequence"].values, terms, kernel, logits, strict=True):
            side = 1.0 if logit > 0 else -1.0
            order = np.argsort(-own * side, kind="stable")
            chosen = [*(row for row in order[:number] if own[row] * side > 0)]
            chosen += [row for row in order[::-1][:number] if own[row] * side < 0]
            for rank, row in enumerate(chosen, start=1):
                rows.append(
                    {
                        "example": name,
                        "rank": rank,
                        "train_example": names[row],
                        "label": int(label[row]),
                        "effect": "supports" if own[row] * side > 0 else "opposes",
                        "influence": own[row],
                        "similarity": similarity[row],
                        "agreement": 1.0,
                    }
                )
        return pd.DataFrame(rows, columns=list(COLUMNS))


def explainable(model: TrainedModel) -> Network:
    """Return a network, or a gapped k-mer SVM in the form of one.

    Raises:
        UserError: the model is neither.
    """
    if isinstance(model, Baseline) and isinstance(model.estimators[0], GkmSVM):
        return KernelMachine(model)
    return network_of(model)


def as_strings(signal: Tensor) -> Strings:
    """Return one-hot sequences as strings of one length, with -1 where no letter is known."""
    sequences, positions, letters = signal.shape
    numbers = torch.where(signal.sum(dim=2) > 0, signal.argmax(dim=2), -1).to(torch.int8).numpy()
    return Strings(numbers.reshape(-1), np.arange(sequences + 1, dtype=np.int64) * positions, letters)


def _permutation(svm: GkmSVM) -> np.ndarray:
    size = len(svm.coefficients_ if svm.exact else svm.coef_)
    return torch.randperm(size).numpy()
