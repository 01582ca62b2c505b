"""Inputs of chromatin models: signal of the right marks and bins, in the form of the training data."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import xarray as xr

from chromattend.errors import UserError
from chromattend.models.base import Form


@dataclass(frozen=True)
class ChromatinInputs:
    """Input data of a trained chromatin model; see `chromattend.models.base.InputSpec`.

    Attributes:
        model: name in the registry.
        marks: marks in order.
        bins: start of each bin relative to the TSS (bp).
        inputs: `raw` counts, their logarithm (`log`), or the logarithm of counts divided by the sample's mean count of
            the mark per bin (`depth`): the variable `depth` of the dataset or, without it, the mean over the dataset's
            genes. The division is done here, the logarithm by the model.
        quantity: counted `reads`, or averaged `signal`.
        bin_size: width of a bin (bp).
        orientation: whether bins run along the `genome`, or along the gene's `strand`.
        counting: how reads were counted or signal was summarised, as JSON; empty if unknown.
        task: `classification` into ON and OFF, or `regression` of the dataset's variable `target`.
        epigenomes: training epigenomes of a model that takes the epigenome as input; empty for other models.
        signal_marks: marks that came as averaged signal, beside reads of others; empty with `reads`, and if unknown.
    """

    noun: ClassVar[str] = "gene"

    model: str
    marks: list[str]
    bins: list[int]
    inputs: Form = "log"
    quantity: str = "reads"
    bin_size: int = 100
    orientation: str = "genome"
    counting: str = ""
    task: str = "classification"
    epigenomes: list[str] = field(default_factory=list)
    signal_marks: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, model: str, dataset: xr.Dataset, inputs: Form = "log") -> "ChromatinInputs":
        """Return the inputs of a model trained on a dataset.

        Args:
            model: name in the registry.
            dataset: see `chromattend.chromatin.dataset.build_dataset`.
            inputs: form of the counts.
        """
        bins = dataset["bin"].values.tolist()
        described = dataset["bin"].attrs
        return cls(
            model,
            dataset["mark"].values.tolist(),
            bins,
            inputs,
            quantity="signal" if dataset["counts"].dtype.kind == "f" else "reads",
            bin_size=int(described.get("size", bins[1] - bins[0] if len(bins) > 1 else 100)),
            orientation=described.get("orientation", "genome"),
            counting=dataset.attrs.get("counting", ""),
            task="regression" if "target" in dataset else "classification",
            epigenomes=sorted(set(dataset["epigenome"].values.tolist())) if "epigenome" in dataset.coords else [],
            signal_marks=[
                mark for mark in dataset["mark"].values.tolist() if dataset.attrs.get(f"{mark}_format") == "bigwig"
            ],
        )

    @property
    def sizes(self) -> dict[str, int]:
        """Arguments of the network's class: numbers of marks, bins and, if it takes them, epigenomes."""
        epigenomes = {"epigenomes": len(self.epigenomes)} if self.epigenomes else {}
        return {"marks": len(self.marks), "bins": len(self.bins), **epigenomes}

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of bins and marks of a gene's signal."""
        return len(self.bins), len(self.marks)

    @property
    def logarithmic(self) -> bool:
        """Whether models take the logarithm of the signal."""
        return self.inputs != "raw"

    def check(self, dataset: xr.Dataset) -> None:
        """Raise a `UserError` if marks, bins or the kind of values of a dataset differ from the training data."""
        other = ChromatinInputs.of(self.model, dataset)
        for what in ("marks", "bins", "bin_size", "quantity", "orientation", "counting"):
            mine, theirs = getattr(self, what), getattr(other, what)
            if mine != theirs and (what != "counting" or (mine and theirs)):
                raise UserError(
                    f"{self.model}: was trained on {what.replace('_', ' ')} {_short(mine)}, but the data have "
                    f"{_short(theirs)}; train it again on such data"
                )

    def signal(self, dataset: xr.Dataset) -> np.ndarray:
        """Return the signal of a dataset in the model's form, float32, shape (gene, bin, mark).

        Raises:
            UserError: marks or bins differ from the training data, or values are missing or negative.
        """
        self.check(dataset)
        signal = dataset["counts"].transpose("gene", "bin", "mark").values.astype(np.float32)
        valid = signal >= 0  # also false for NaN
        if not valid.all():
            gene, bin_, mark = np.argwhere(~valid)[0]
            raise UserError(
                f"{dataset.attrs.get('epigenome', self.model)}: gene {dataset['gene'].values[gene]}, "
                f"{self.marks[mark]}, bin {self.bins[bin_]} bp has the value {signal[gene, bin_, mark]:g}, which is "
                "not a count; count its source again"
            )
        if self.inputs == "depth":
            signal /= _depth(dataset, signal)
        return signal

    def context(self, dataset: xr.Dataset) -> np.ndarray | None:
        """Return the number of each gene's epigenome in `epigenomes`, from 1, or 0 for an unknown epigenome.

        Returns:
            int64, shape (gene,); None for a model that does not take the epigenome as input.
        """
        if not self.epigenomes:
            return None
        numbers = {name: number for number, name in enumerate(self.epigenomes, start=1)}
        if "epigenome" in dataset.coords:
            return np.array([numbers.get(name, 0) for name in dataset["epigenome"].values], dtype=np.int64)
        return np.full(dataset.sizes["gene"], numbers.get(dataset.attrs.get("epigenome", ""), 0), dtype=np.int64)

    def target(self, dataset: xr.Dataset) -> np.ndarray:
        """Return the label, or the variable `target` of a regression, float32, shape (gene,)."""
        return dataset["label" if self.task == "classification" else "target"].values.astype(np.float32)

    def examples(self, dataset: xr.Dataset) -> dict[str, np.ndarray]:
        """Return the columns gene and symbol."""
        return {name: dataset[name].values for name in ("gene", "symbol")}

    def redraw(self, dataset: xr.Dataset, rows: np.ndarray) -> None:
        """Return None: genes are not drawn."""

    def thinned(self, dataset: xr.Dataset, rows: np.ndarray, share: float, seed: int) -> np.ndarray:
        """Return the signal of genes as if only a share of the reads had been sequenced.

        Each read is kept with the share as probability, and the depth is the share of the sample's.

        Args:
            dataset: a whole dataset.
            rows: numbers of genes.
            share: share of the reads, above 0, below 1.
            seed: seed of the reads that are kept.

        Returns:
            float32, shape (row, bin, mark).

        Raises:
            UserError: the dataset has averaged signal.
        """
        if self.quantity != "reads":
            raise UserError(
                f"training.thin: {self.model} learns from averaged {self.quantity}, which has no reads to leave out; "
                "remove the key, or count reads"
            )
        counts = dataset["counts"].transpose("gene", "bin", "mark")
        depth = dataset["depth"] if "depth" in dataset else counts.mean(["gene", "bin"], dtype=np.float64)
        chosen = dataset.assign(counts=counts, depth=depth * share).isel(gene=rows)
        kept = np.random.default_rng(seed).binomial(chosen["counts"].values, share)
        return self.signal(chosen.assign(counts=(("gene", "bin", "mark"), kept)))

    def measured(self, dataset: xr.Dataset) -> np.ndarray | None:
        """Return log(1 + RPKM), float32, shape (gene,), or None if the dataset has no RPKM."""
        return np.log1p(dataset["rpkm"].values).astype(np.float32) if "rpkm" in dataset else None


def _depth(dataset: xr.Dataset, signal: np.ndarray) -> np.ndarray:
    """Return the mean value of each mark per bin of the sample; broadcasts against shape (gene, bin, mark)."""
    if "depth" not in dataset:
        depth = signal.mean(axis=(0, 1), dtype=np.float64)
    elif "gene" in dataset["depth"].dims:  # several samples
        depth = dataset["depth"].transpose("gene", "mark").values[:, None]
    else:
        depth = dataset["depth"].values
    # A mark without reads is not divided.
    return np.where(depth > 0, depth, 1).astype(np.float32)


def _short(values: object) -> str:
    if not isinstance(values, list):
        return str(values)
    names = [str(value) for value in values]
    return ", ".join(names) if len(names) <= 6 else f"{names[0]} to {names[-1]} ({len(names)})"
