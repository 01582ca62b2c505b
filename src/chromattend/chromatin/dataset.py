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

    Genes whose counts the source does not have are left out, and their number is logged and recorded.

    Args:
        genes: gene table.
        split: `train`, `valid` or `test` by position in the gene table.
        counts: dims gene, bin, mark; the gene coordinate may hold an id twice, as the gene table does in
            reproduction mode: the first goes with the first.
        rpkm: RPKM of all genes of the expression matrix; its median decides the labels.
        published_labels: labels by gene of `counts`, used in place of the median rule if given.
        attributes: provenance.

    Returns:
        `counts[gene, bin, mark]`, `rpkm[gene]` (RPKM), `label[gene]` (0 or 1), `split[gene]` and `depth[mark]`
        (mean count in a bin), with coordinates symbol, chrom, tss and strand by gene.

    Raises:
        UserError: no gene has counts, or a part of the split has no ON or no OFF gene.
    """
    known, rows = _counted(genes, counts, str(attributes["epigenome"]))
    dataset = _assemble(genes[known], counts, rows, {**attributes, "genes_left_out": int((~known).sum())})
    table = genes.loc[known, "gene"]
    if published_labels is None:
        label, meaning = label_by_median(rpkm).loc[table].to_numpy(), "1: RPKM above the epigenome's median"
    else:
        meaning = "1: ON, as published"
        label = published_labels.values[rows].astype(np.int8)
    dataset = dataset.assign(
        rpkm=("gene", rpkm.loc[table].to_numpy(), {"units": "RPKM"}),
        label=("gene", label, {"long_name": meaning}),
        split=("gene", split[known].to_numpy(str)),
    )
    for part in SPLITS:
        chosen = label[dataset["split"].values == part]
        if len(set(chosen)) < 2:
            raise UserError(
                f"{attributes['epigenome']}: the {part} part has {int((chosen == 1).sum())} ON and "
                f"{int((chosen == 0).sum())} OFF genes, but needs both; change the key 'split' or add genes"
            )
    return dataset


def build_unlabelled(
    genes: pd.DataFrame, counts: xr.DataArray, attributes: Mapping[str, object], source: str
) -> xr.Dataset:
    """Join counts and gene table of a sample without expression, to be scored.

    Genes without counts are left out as in `build_dataset`.

    Args:
        genes: gene table.
        counts: dims gene, bin, mark.
        attributes: provenance.
        source: what messages call the counts.

    Returns:
        A dataset as `build_dataset` makes it, without rpkm, label and split.

    Raises:
        UserError: no gene has counts.
    """
    known, rows = _counted(genes, counts, source)
    return _assemble(genes[known], counts, rows, {**attributes, "genes_left_out": int((~known).sum())})


def match_genes(wanted: Genes, available: Genes) -> np.ndarray:
    """Return the row of each wanted gene among those that are available, or -1.

    An id can be listed twice, as in reproduction mode. Its rows are told apart by their symbols, where both sides have
    symbols, and then by their order: the first goes with the first.

    Args:
        wanted, available: tables or datasets with `gene` and, where there is one, `symbol`.

    Returns:
        int64, shape (wanted gene,).
    """
    symbols = all("symbol" in one for one in (wanted, available))
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
        raise UserError(f"{name}: gene {gene} is missing; delete its file and run again")
    return rows


def _counted(genes: pd.DataFrame, counts: xr.DataArray, source: str) -> tuple[np.ndarray, np.ndarray]:
    """Return which genes have counts, and the rows of `counts` that are theirs."""
    rows = match_genes(genes, counts.to_dataset(name="counts"))
    known = rows >= 0
    if not known.any():
        raise UserError(f"{source}: none of the study's genes has counts; compare the gene ids")
    if not known.all():
        logger.warning("%s: %d genes have no counts and are left out", source, int((~known).sum()))
    return known, rows[known]


def _assemble(
    table: pd.DataFrame, counts: xr.DataArray, rows: np.ndarray, attributes: Mapping[str, object]
) -> xr.Dataset:
    """Put the chosen rows of the counts beside their genes."""
    return xr.Dataset(
        {
            "counts": (("gene", "bin", "mark"), counts.transpose("gene", "bin", "mark").values[rows]),
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
        attrs={**attributes, "program": f"chromattend {__version__}"},
    )


def part_sizes(total: int, fractions: Sequence[float]) -> list[int]:
    """Divide `total` by `fractions`; what rounding leaves goes to the largest remainders, first to the first.

    19,802 in equal parts gives the papers' 6601, 6601 and 6600.
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
        mode: `sequential` cuts the table as it is sorted (AttentiveChrome, section 4), `random` shuffles its
            genes first, `chromosome` holds out chromosomes. Rows of one gene never part in the last two.
        fractions: shares of the parts (sequential, random).
        seed: of the shuffling (random).
        valid_chromosomes, test_chromosomes: chromosomes held out (chromosome); all others are for training.

    Returns:
        Part by position in the table.

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
            raise UserError(f"split: no gene is in the {part_name} part; change mode, fractions or chromosomes")
    return chosen


def overlaps_across_splits(genes: pd.DataFrame, split: pd.Series, bins: Bins) -> pd.DataFrame:
    """List the pairs of genes in different parts whose windows overlap: reads that both parts see.

    Rows of the same gene are no pair.

    Returns:
        gene, split, other_gene, other_split, chrom, shared_bp; the part that comes first in train, valid, test
        stands first.
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
