"""The authors' binned CSV files: counts and labels as published with DeepChrome and AttentiveChrome."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv

from chromattend.chromatin.bins import Bins
from chromattend.chromatin.formats import PUBLISHED_MARKS
from chromattend.chromatin.genes import without_version
from chromattend.errors import UserError
from chromattend.text import open_bytes

# The gene field holds the last six of an Ensembl id's eleven digits.
GENE_PREFIX = "ENSG00000"


def read_binned(paths: Sequence[str | Path], bins: Bins) -> tuple[pd.Index, np.ndarray, np.ndarray]:
    """Read binned CSV files of one epigenome.

    Args:
        paths: train, valid and test file, or a single one; they are joined in this order.
        bins: the bins of the study; the files must have the same number of bins.

    Returns:
        Gene ids, shape (gene,); counts, int32, shape (gene, bin, mark) with the marks in the order of
        `PUBLISHED_MARKS`; labels, int8, shape (gene,).

    Raises:
        UserError: a file is damaged or has another layout; the message names the line.
    """
    if bins.flip_strand:
        raise UserError("bins.flip_strand: binned CSV files are in genome orientation; set it to false")
    tables = [_read_one(Path(path), bins.number) for path in paths]
    genes = pd.Index(np.concatenate([genes for genes, _, _ in tables]), name="gene")
    counts = np.concatenate([counts for _, counts, _ in tables])
    labels = np.concatenate([labels for _, _, labels in tables])
    return genes, counts, labels


def _read_one(path: Path, bins: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    # The files have no header; bins count from 1.
    columns = ["gene", "bin", *PUBLISHED_MARKS, "label"]
    try:
        with open_bytes(path) as stream:
            table = pa.csv.read_csv(
                stream,
                read_options=pa.csv.ReadOptions(column_names=columns, use_threads=False),
                convert_options=pa.csv.ConvertOptions(
                    column_types={name: pa.string() if name == "gene" else pa.int32() for name in columns},
                    null_values=[],
                ),
            )
    except pa.ArrowInvalid as error:
        problem = str(error).splitlines()[0].replace("Row #", "line ")
        raise UserError(
            f"{path}: is not a binned CSV ({problem}); give gene, bin, "
            f"{', '.join(PUBLISHED_MARKS)}, label without a header line"
        ) from None
    numbers = np.stack([table[name].to_numpy() for name in columns[1:]], axis=1)
    names = table["gene"].to_pandas().to_numpy()
    expected = np.resize(np.arange(1, bins + 1), len(numbers))
    wrong = np.flatnonzero(numbers[:, 0] != expected)
    if len(wrong) or len(numbers) % bins:
        line = (wrong[0] if len(wrong) else len(numbers) - 1) + 1
        raise UserError(
            f"{path}: line {line}: bins of gene {names[line - 1]} are incomplete or out of order at bin "
            f"{numbers[line - 1, 0]}; give every gene bins 1 to {bins} in order, as the window and bin size require"
        )
    per_gene = numbers.reshape(-1, bins, numbers.shape[1])
    gene_names = names.reshape(-1, bins)
    for what, uneven in (
        ("gene", (gene_names != gene_names[:, :1]).any(axis=1)),
        ("label", (per_gene[:, :, -1] != per_gene[:, :1, -1]).any(axis=1)),
    ):
        if uneven.any():
            first = int(np.argmax(uneven))
            raise UserError(
                f"{path}: line {first * bins + 1}: the {what} changes within a gene's {bins} bins; repair it"
            )
    labels = per_gene[:, 0, -1]
    if not np.isin(labels, (0, 1)).all():
        first = int(np.argmax(~np.isin(labels, (0, 1))))
        raise UserError(f"{path}: line {first * bins + 1}: label {labels[first]} is neither 0 nor 1; repair it")
    if (per_gene[:, :, 1:-1] < 0).any():
        first = int(np.argmax((numbers[:, 1:-1] < 0).any(axis=1)))
        raise UserError(f"{path}: line {first + 1}: a count is negative; repair it")
    genes = np.array([_gene_id(name.strip()) for name in gene_names[:, 0]])
    return genes, per_gene[:, :, 1:-1].astype(np.int32), labels.astype(np.int8)


def _gene_id(name: str) -> str:
    return GENE_PREFIX + name.zfill(6) if name.isdecimal() else without_version(name)


def doubled_marks(counts: np.ndarray, marks: Sequence[str]) -> list[str]:
    """Return the marks whose counts are all even, a sign that they were doubled.

    H3K4me3 of the DeepChrome release is twice the true count in every bin. The counts are not changed: it is up to
    the user to halve them.

    Args:
        counts: shape (gene, bin, mark).
        marks: names along the last axis.
    """
    return [mark for index, mark in enumerate(marks) if counts[..., index].any() and not (counts[..., index] % 2).any()]
