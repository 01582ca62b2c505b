"""Signal of an epigenome's marks, from any file format, with its provenance."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from chromattend import __version__
from chromattend.chromatin.bigwig import bin_bigwig
from chromattend.chromatin.binned import doubled_marks, read_binned
from chromattend.chromatin.bins import Bins
from chromattend.chromatin.count import count_reads
from chromattend.chromatin.excluded import Regions
from chromattend.chromatin.formats import FILES, PUBLISHED_MARKS, format_of
from chromattend.chromatin.reads import ReadOptions, read_bam, read_intervals
from chromattend.files import sha256

logger = logging.getLogger(__name__)

# Attributes that differ between the files of marks; they are kept per mark when marks are joined.
PER_MARK = (
    *("source", "sha256", "format", "reads", "reads_elsewhere", "reads_excluded"),
    *("empty_chromosomes", "median_length", "one_start"),
)


def count_signal(
    path: str | Path,
    genes: pd.DataFrame,
    bins: Bins,
    chrom_sizes: dict[str, int],
    *,
    options: ReadOptions,
    statistic: str,
    attributes: Mapping[str, object],
    excluded: Regions | None = None,
) -> xr.Dataset:
    """Count the reads, or average the signal, of one mark's file; the file extension determines the format.

    Args:
        path: tagAlign or BED (.gz), BAM or bigWig.
        genes: gene table.
        bins: the bins around each TSS.
        chrom_sizes: chromosome lengths (bp).
        options: which reads are counted, and at which position.
        statistic: `mean` or `sum` of a bigWig's values.
        attributes: provenance to store: epigenome, mark, source, genome.
        excluded: regions whose reads are not counted; bigWigs are read as they are.

    Returns:
        `counts[gene, bin]`: int32 for reads, float32 for a bigWig. Attributes add the file's SHA-256 and
        format, and what `count_reads` or `bin_bigwig` found in it.
    """
    kind = format_of(str(path))
    if kind == "bigwig":
        counts, findings = bin_bigwig(path, genes, bins, chrom_sizes, statistic)
    else:
        reader = read_bam if kind == "bam" else read_intervals
        counts, findings = count_reads(reader(path, options, chrom_sizes), genes, bins, chrom_sizes, path, excluded)
    return _packed(
        xr.DataArray(counts, dims=("gene", "bin")),
        genes["gene"].to_numpy(str),
        bins,
        {**attributes, "format": kind, "sha256": sha256(path), **findings},
    )


def count_replicates(
    paths: Sequence[str | Path],
    genes: pd.DataFrame,
    bins: Bins,
    chrom_sizes: dict[str, int],
    *,
    options: ReadOptions,
    statistic: str,
    replicates: str,
    attributes: Mapping[str, object],
    excluded: Regions | None = None,
) -> xr.Dataset:
    """Count the files of one mark, such as replicates or sequencing lanes, see `count_signal`.

    Args:
        paths: all of reads, or all bigWig.
        genes, bins, chrom_sizes, options, statistic, excluded: see `count_signal`.
        replicates: `pool` adds the reads of all files, as if they were one; `mean` averages their counts. bigWigs are
            averaged in any case.
        attributes: as for `count_signal`; `source` names all files, separated by `FILES`.

    Returns:
        As `count_signal`; counts are float32 if they are averages. Reads are summed, chromosomes are empty if they are
        in every file, and of median_length and one_start the largest is kept.
    """
    signals = [
        count_signal(
            path,
            genes,
            bins,
            chrom_sizes,
            options=options,
            statistic=statistic,
            attributes=attributes,
            excluded=excluded,
        )
        for path in paths
    ]
    if len(signals) == 1:
        return signals[0]
    counts = np.stack([signal["counts"].values for signal in signals])
    averaged = replicates == "mean" or signals[0].attrs["format"] == "bigwig"
    joined = counts.mean(axis=0, dtype=np.float64).astype(np.float32) if averaged else counts.sum(axis=0)
    merged = dict(signals[0].attrs)
    for name in ("reads", "reads_elsewhere", "reads_excluded"):
        if name in merged:
            merged[name] = sum(int(signal.attrs[name]) for signal in signals)
    for name in ("median_length", "one_start"):
        if name in merged:
            merged[name] = max(signal.attrs[name] for signal in signals)
    if "empty_chromosomes" in merged:
        empty = [str(signal.attrs["empty_chromosomes"]).split() for signal in signals]
        merged["empty_chromosomes"] = " ".join(chrom for chrom in empty[0] if all(chrom in each for each in empty))
    merged["sha256"] = FILES.join(str(signal.attrs["sha256"]) for signal in signals)
    return signals[0].assign(counts=(("gene", "bin"), joined)).assign_attrs(merged)


def import_binned(
    paths: Sequence[str | Path], bins: Bins, marks: Sequence[str], *, attributes: Mapping[str, object]
) -> xr.Dataset:
    """Import the authors' binned CSV files of one epigenome.

    Counts are not changed, but marks whose counts are all even are named in the log and in the attribute
    `doubled_marks`: see `chromattend.chromatin.binned.doubled_marks`.

    Returns:
        `counts[gene, bin, mark]`, int32, and `label[gene]`.

    Raises:
        UserError: the files are damaged.
    """
    genes, counts, labels = read_binned(paths, bins)
    counts = counts[:, :, [PUBLISHED_MARKS.index(mark) for mark in marks]]
    doubled = doubled_marks(counts, marks)
    if doubled:
        logger.warning("%s: every count of %s is even, so it was probably doubled", paths[0], ", ".join(doubled))
    dataset = _packed(
        xr.DataArray(counts, dims=("gene", "bin", "mark"), coords={"mark": np.array(marks, dtype=str)}),
        genes.to_numpy(str),
        bins,
        {
            **attributes,
            "format": "binned",
            "sha256": FILES.join(sha256(path) for path in paths),
            "doubled_marks": " ".join(doubled),
        },
    )
    return dataset.assign(label=("gene", labels))


def _packed(counts: xr.DataArray, genes: np.ndarray, bins: Bins, attributes: Mapping[str, object]) -> xr.Dataset:
    dataset = counts.assign_coords(gene=genes, bin=bins.offsets).to_dataset(name="counts")
    dataset["bin"].attrs = {
        "units": "bp",
        "long_name": "start of the bin relative to the TSS",
        "size": bins.size,
        "orientation": "strand" if bins.flip_strand else "genome",
    }
    return dataset.assign_attrs(attributes, program=f"chromattend {__version__}")


def join_marks(
    signals: Sequence[xr.Dataset], marks: Sequence[str]
) -> tuple[xr.DataArray, xr.DataArray | None, dict[str, object]]:
    """Join the signal files of an epigenome.

    Args:
        signals: one per mark in the order of `marks`, or the single result of `import_binned`.
        marks: names of the marks.

    Returns:
        Counts with dims gene, bin, mark; the published labels if the source has them; and the attributes of the
        sources: the attributes in `PER_MARK`, prefixed by the mark.
    """
    if "mark" in signals[0].dims:
        (signal,) = signals
        provenance = {name: signal.attrs[name] for name in (*PER_MARK, "doubled_marks") if name in signal.attrs}
        return signal["counts"].sel(mark=list(marks)), signal["label"], provenance
    counts = xr.concat([signal["counts"] for signal in signals], pd.Index(marks, name="mark"), join="exact")
    provenance = {
        f"{mark}_{name}": signal.attrs[name]
        for mark, signal in zip(marks, signals, strict=True)
        for name in PER_MARK
        if name in signal.attrs
    }
    return counts.transpose("gene", "bin", "mark"), None, provenance
