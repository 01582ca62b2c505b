"""One dataset per epigenome: counts, RPKM, label and split of every gene, and the split rules."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from chromattend import __version__
from chromattend.chromatin.bins import Bins
from chromattend.chromatin.expression import label_by_median
from chromattend.errors import UserError

logger = logging.getLogger(__name__)

SPLITS = ("train", "valid", "test")
# Labels by the median make half of the genes ON, if the matrix has the study's genes; shares beyond these limits warn.
FEWEST_ON, MOST_ON = 0.35, 0.65
Genes = pd.DataFrame | xr.Dataset


def build_dataset(
    genes: pd.DataFrame,
    split: pd.Series,
    counts: xr.DataArray,
    rpkm: pd.Series,
    published_labels: xr.DataArray | None,
    attributes: Mapping[str, object],
) -> xr.Dataset:
    """Join counts, expression, label and split of one epigenome.

    Genes without counts are left out; their number is logged and recorded.

    Args:
        genes: gene table.
        split: `train`, `valid` or `test`, by row of the gene table.
        counts: dims gene, bin, mark; ids can be duplicated, as in the gene table in reproduction mode: duplicates are
            matched in order.
        rpkm: RPKM of all genes of the expression matrix; its median sets the labels.
        published_labels: labels by gene of `counts`; if given, they replace the median rule.
        attributes: provenance.

    Returns:
        `counts[gene, bin, mark]`, `rpkm[gene]` (RPKM), `label[gene]` (0 or 1; the attribute threshold is the
        median that they were set by), `split[gene]` and `depth[mark]`
        (mean count per bin), with coordinates symbol, chrom, tss and strand by gene.

    Raises:
        UserError: no gene has counts, or the epigenome or a part of the split has no ON or no OFF gene.
    """
    epigenome = str(attributes["epigenome"])
    counted, rows = _counted(genes, counts, epigenome)
    dataset = _assemble(genes[counted], counts, rows, attributes, epigenome, int((~counted).sum()))
    table = genes.loc[counted, "gene"]
    if published_labels is None:
        label, meaning = label_by_median(rpkm).loc[table].to_numpy(), "1: expression above the epigenome's median"
        threshold = {"threshold": float(rpkm.median())}
        _check_median(rpkm, table, label, epigenome)
    else:
        meaning, threshold = "1: ON, as published", {}
        label = published_labels.values[rows].astype(np.int8)
    dataset = dataset.assign(
        rpkm=("gene", rpkm.loc[table].to_numpy(), {"units": "RPKM"}),
        label=("gene", label, {"long_name": meaning} | threshold),
        split=("gene", split[counted].to_numpy(str)),
    )
    for part in SPLITS:
        chosen = label[dataset["split"].values == part]
        if len(set(chosen)) < 2:
            raise UserError(
                f"{epigenome}: the {part} part has {int((chosen == 1).sum())} ON and "
                f"{int((chosen == 0).sum())} OFF genes, but needs both; change the key 'split' or add genes"
            )
    return dataset


def _check_median(rpkm: pd.Series, genes: pd.Series, label: np.ndarray, epigenome: str) -> None:
    """Warn if far more or fewer than half of the genes are ON, and refuse if all or none are: no split mends this."""
    share = float(label.mean())
    if FEWEST_ON <= share <= MOST_ON:
        return
    median, outside = rpkm.median(), int((~rpkm.index.isin(genes)).sum())
    reason = (
        f"the median of its RPKM, {median:g}, is over all {len(rpkm)} genes of the expression matrix, {outside} of "
        "which are not among them; give a matrix of the study's genes"
        if outside
        else f"{int((rpkm == median).sum())} of them have exactly the median RPKM, {median:g}; give finer values"
    )
    if share in (0, 1):
        raise UserError(f"{epigenome}: all {len(label)} genes are {'ON' if share else 'OFF'}: {reason}")
    logger.warning("%s: %.0f %% of the %d genes are ON: %s", epigenome, 100 * share, len(label), reason)


def build_unlabelled(
    genes: pd.DataFrame, counts: xr.DataArray, attributes: Mapping[str, object], source: str
) -> xr.Dataset:
    """Join counts and gene table of a sample without expression, for scoring.

    Genes without counts are left out as in `build_dataset`.

    Args:
        genes: gene table.
        counts: dims gene, bin, mark.
        attributes: provenance.
        source: name of the counts in messages.

    Returns:
        A dataset as from `build_dataset`, without rpkm, label and split.

    Raises:
        UserError: no gene has counts.
    """
    counted, rows = _counted(genes, counts, source)
    return _assemble(genes[counted], counts, rows, attributes, source, int((~counted).sum()))


def match_genes(wanted: Genes, available: Genes) -> np.ndarray:
    """Return the row of each wanted gene among the available genes, or -1.

    An id can be duplicated, as in reproduction mode. Its rows are matched by symbol, if both sides have symbols, and
    then in order.

    Args:
        wanted, available: tables or datasets with `gene` and, optionally, `symbol`.

    Returns:
        int64, shape (wanted gene,).
    """
    symbols = all("symbol" in genes for genes in (wanted, available))
    return _keys(available, symbols).get_indexer(_keys(wanted, symbols))


def _keys(genes: Genes, symbols: bool) -> pd.MultiIndex:
    names = ["gene", *(["symbol"] if symbols else [])]
    table = pd.DataFrame({name: np.asarray(genes[name].values).astype(str) for name in names})
    return pd.MultiIndex.from_frame(table.assign(occurrence=table.groupby(names).cumcount()))


def rows_of(dataset: xr.Dataset, genes: Genes) -> np.ndarray:
    """Return the row of each gene in a dataset or a signal file, see `match_genes`.

    Raises:
        UserError: the dataset lacks a gene.
    """
    rows = match_genes(genes, dataset)
    if (rows < 0).any():
        gene = np.asarray(genes["gene"].values)[int(np.argmin(rows))]
        name = dataset.attrs.get("epigenome", "the dataset")
        raise UserError(f"{name}: lacks gene {gene}; delete the file of this epigenome and run again")
    return rows


def _counted(genes: pd.DataFrame, counts: xr.DataArray, source: str) -> tuple[np.ndarray, np.ndarray]:
    """Return a mask of the genes that have counts, and their rows in `counts`."""
    rows = match_genes(genes, counts.to_dataset(name="counts"))
    counted = rows >= 0
    if not counted.any():
        raise UserError(f"{source}: none of the study's genes has counts; compare the gene ids")
    if not counted.all():
        left_out = int((~counted).sum())
        logger.warning("%s: %d of %d genes have no counts and are left out", source, left_out, len(counted))
    return counted, rows[counted]


def _assemble(
    table: pd.DataFrame,
    counts: xr.DataArray,
    rows: np.ndarray,
    attributes: Mapping[str, object],
    source: str,
    left_out: int,
) -> xr.Dataset:
    """Join the given rows of the counts with their genes, and log the marks that tell no gene from another."""
    values = counts.transpose("gene", "bin", "mark").values
    for mark, of_mark in zip(counts["mark"].values, np.moveaxis(values, 2, 0), strict=True):
        if of_mark.min() == of_mark.max():
            logger.warning(
                "%s: %s is %g in every bin of every gene; check that its file is whole, of this mark and of the "
                "annotation's genome build",
                source,
                mark,
                of_mark.flat[0],
            )
    return xr.Dataset(
        {
            "counts": (("gene", "bin", "mark"), values[rows]),
            "depth": (
                "mark",
                counts.mean(["gene", "bin"], dtype=np.float64).values,
                {"long_name": "mean of all bins of all genes"},
            ),
        },
        coords={
            "gene": table["gene"].to_numpy(str),
            "bin": counts["bin"],
            "mark": counts["mark"].values.astype(str),
            **{name: ("gene", table[name].to_numpy(str)) for name in ("symbol", "chrom", "strand")},
            "tss": ("gene", table["tss"].to_numpy(np.int64), {"units": "bp"}),
        },
        attrs={**attributes, "genes_left_out": left_out, "program": f"chromattend {__version__}"},
    )


def part_sizes(total: int, fractions: Sequence[float]) -> list[int]:
    """Divide `total` by `fractions`; the rest goes to the largest remainders, earlier parts first.

    Three equal parts of 19,802 are 6601, 6601 and 6600, as in the papers.
    """
    exact = total * np.asarray(fractions, dtype=float) / sum(fractions)
    sizes = np.floor(exact + 1e-9).astype(int)
    order = np.argsort(-(exact - sizes), kind="stable")
    sizes[order[: total - sizes.sum()]] += 1
    return sizes.tolist()


def assign_split(
    genes: pd.DataFrame,
    mode: str,
    *,
    fractions: Sequence[float] = (1, 1, 1),
    seed: int = 1,
    valid_chromosomes: Sequence[str] = (),
    test_chromosomes: Sequence[str] = (),
) -> pd.Series:
    """Assign every gene to train, valid or test.

    Args:
        genes: gene table, sorted by gene.
        mode: `sequential` cuts the table in its sorted order (AttentiveChrome, section 4), `random` shuffles the
            genes first, `chromosome` holds out chromosomes. The last two keep the rows of a gene in one part.
        fractions: shares of the parts (sequential, random).
        seed: seed of the shuffling (random).
        valid_chromosomes, test_chromosomes: chromosomes held out (chromosome); the rest are for training.

    Returns:
        Part by row of the table.

    Raises:
        UserError: a part is empty.
    """
    if mode == "chromosome":
        chosen = pd.Series("train", index=genes.index)
        chosen[genes["chrom"].isin(valid_chromosomes)] = "valid"
        chosen[genes["chrom"].isin(test_chromosomes)] = "test"
    elif mode == "random":
        unique = genes["gene"].unique()
        shuffled = np.random.default_rng(seed).permutation(unique)
        part = pd.Series(np.repeat(SPLITS, part_sizes(len(unique), fractions)), index=shuffled)
        chosen = genes["gene"].map(part)
    else:
        chosen = pd.Series(np.repeat(SPLITS, part_sizes(len(genes), fractions)), index=genes.index)
    for part_name in SPLITS:
        if not (chosen == part_name).any():
            fix = "change mode or fractions"
            if mode == "chromosome":
                places = ", ".join(f"{chrom} ({number})" for chrom, number in genes["chrom"].value_counts().items())
                fix = f"the {len(genes)} genes are on {places}; choose other chromosomes, or split.mode: random"
            raise UserError(f"split: no gene is in the {part_name} part; {fix}")
    return chosen


def overlaps_across_splits(genes: pd.DataFrame, split: pd.Series, bins: Bins) -> pd.DataFrame:
    """List the pairs of genes in different parts whose windows overlap, so that both parts share reads.

    Rows of the same gene do not form a pair.

    Returns:
        gene, split, other_gene, other_split, chrom, shared_bp; the gene of the earlier part (train, valid, test) is
        first.
    """
    width = bins.number * bins.size
    pairs = []
    starts = pd.Series(bins.starts(genes), index=genes.index)
    for chrom, index in genes.groupby("chrom", sort=True).groups.items():
        ordered = starts.loc[index].sort_values(kind="stable")
        position = ordered.to_numpy()
        last = np.searchsorted(position, position + width, side="left")
        for row, stop in enumerate(last):
            for other in range(row + 1, stop):
                first, second = ordered.index[row], ordered.index[other]
                if split[first] == split[second]:
                    continue
                if SPLITS.index(split[first]) > SPLITS.index(split[second]):
                    first, second = second, first
                shared = width - (position[other] - position[row])
                pairs.append((genes.gene[first], split[first], genes.gene[second], split[second], chrom, shared))
    columns = ["gene", "split", "other_gene", "other_split", "chrom", "shared_bp"]
    return pd.DataFrame(pairs, columns=columns).sort_values(["gene", "other_gene"], ignore_index=True)
