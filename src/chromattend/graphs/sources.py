"""Samples from the chromatin track's data: marks x groups of bins of genes, and expression in epigenomes.

The functions take arrays and tables; the track's files are read by the script that calls them.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from chromattend.errors import UserError
from chromattend.graphs.matrices import Matrix

# Standard deviation (log2) below which a gene's expression differs by rounding only.
LEAST = 1e-9


def genes_of_epigenome(
    counts: np.ndarray,
    marks: Sequence[str],
    genes: pd.DataFrame,
    bin_groups: int,
    source: str,
    labels: np.ndarray | None = None,
    label: str = "",
) -> Matrix:
    """Return the genes of an epigenome as samples, and the summed counts of marks in groups of bins as variables.

    Args:
        counts: reads, shape (gene, bin, mark).
        marks: names of the marks.
        genes: gene, chrom and tss of each row; rows of a gene that is listed before are left out.
        bin_groups: number of groups, of neighbouring bins, that each mark's bins are summed to.
        source: name of the epigenome's data, for messages.
        labels: 1 for ON, 0 for OFF, shape (gene,).
        label: `ON` or `OFF` for the genes of this class only; empty for all.

    Returns:
        Variables `MARK:GROUP`, groups from 1 along the window, mark by mark; samples in the order of their positions,
        so that neighbours are next to each other; blocks are chromosomes.

    Raises:
        UserError: the number of groups does not divide the number of bins.
    """
    number, bins, _ = counts.shape
    if bins % bin_groups:
        raise UserError(f"{source}: has {bins} bins, which {bin_groups} groups do not divide evenly")
    order = np.lexsort((genes["tss"], genes["chrom"]))
    wanted = ~genes["gene"].duplicated().to_numpy()
    if label:
        if labels is None:
            raise UserError(f"{source}: has no labels; take all genes")
        wanted &= labels == (1 if label == "ON" else 0)
    order = order[wanted[order]]
    sums = counts.reshape(number, bin_groups, bins // bin_groups, len(marks)).sum(axis=2, dtype=np.float64)
    samples = sums[order].transpose(0, 2, 1).reshape(len(order), -1)
    variables = tuple(f"{mark}:{group}" for mark in marks for group in range(1, bin_groups + 1))
    return Matrix(source, variables, samples, genes["chrom"].to_numpy(str)[order])


def expression_of_epigenomes(
    rpkm: pd.DataFrame,
    contexts: Mapping[str, Sequence[str]],
    groups: Mapping[str, str],
    genes: int,
    source: str,
) -> dict[str, Matrix]:
    """Return epigenomes as samples, and the expression of the genes that vary most as variables.

    Values are log2(1 + RPKM), minus the mean of the epigenome's group, so that graphs show what varies within lineages.

    Args:
        rpkm: RPKM by gene, one column per epigenome.
        contexts: name of each context and its epigenomes.
        groups: group of each epigenome; those that are alone in their group in a context are not given.
        genes: number of genes: those with the largest variance within groups, over all contexts together.
        source: name of the matrix, for messages.

    Raises:
        UserError: the matrix has fewer genes that vary in every context.
    """
    values = {}
    for name, epigenomes in contexts.items():
        table = np.log2(1 + rpkm[list(epigenomes)].to_numpy().T)
        of_group = pd.Series([groups[epigenome] for epigenome in epigenomes])
        for rows in of_group.groupby(of_group).indices.values():
            table[rows] -= table[rows].mean(axis=0)
        values[name] = table
    varying = np.logical_and.reduce([table.std(axis=0) > LEAST for table in values.values()])
    if varying.sum() < genes:
        raise UserError(
            f"{source}: only {int(varying.sum())} of {len(rpkm)} genes vary in every context; lower "
            f"graphs.variables.genes, {genes}"
        )
    spread = np.where(varying, sum((table**2).sum(axis=0) for table in values.values()), -1)
    chosen = np.sort(np.argsort(-spread, kind="stable")[:genes])
    names = tuple(rpkm.index[chosen].astype(str))
    return {name: Matrix(source, names, table[:, chosen]) for name, table in values.items()}
