"""Data quality: measures to check before any AUC, and the limits at which they warn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
import yaml

from chromattend.chromatin.binned import doubled_marks
from chromattend.chromatin.chromosomes import cause_of_empty, may_be_absent
from chromattend.chromatin.count import LONGEST_READS
from chromattend.chromatin.dataset import FEWEST_ON, MOST_ON, SPLITS, rows_of
from chromattend.chromatin.formats import FILES
from chromattend.chromatin.genes import FEW_IN_COMMON
from chromattend.errors import listed
from chromattend.files import atomic, read_table

MARK_COLUMNS = [
    *("epigenome", "mark", "role", "format", "reads", "reads_elsewhere", "share_elsewhere", "depth"),
    *("relative_depth", "without_signal", "empty_chromosomes", "genes_without_data"),
    *("median_length", "one_start", "all_even", "constant"),
]
EPIGENOME_COLUMNS = [
    *("genes", "genes_in_common", "genes_left_out", "left_out", "train_genes", "split_mode"),
    *("on_share", "on_train", "on_valid", "on_test", "on_range", "overlap"),
]
# Columns of integers, some of them missing.
WHOLE = (
    *("reads", "reads_elsewhere", "genes_without_data", "one_start", "all_even", "constant"),
    *("genes", "genes_left_out", "train_genes"),
)
# Measures that are 1 or 0 -> what tables show as their limit.
FLAGS = {"one_start": "one start", "all_even": "all even", "constant": "one value"}
# What a file holds, in the table of sources, if it is not a single mark.
ALL_MARKS, EXPRESSION = "all marks", "expression"
WARNING_COLUMNS = ["epigenome", "mark", "what", "value", "threshold", "advice"]


@dataclass(frozen=True)
class Check:
    """A measure and the limit beyond which it warns.

    Attributes:
        measure: column of the quality table, or `copies`: the number of other files with the same content.
        what: name of the warning.
        limit: last value without a warning.
        above: whether values above the limit warn; otherwise values below it do.
        of_mark: whether each mark is judged; otherwise the epigenome as a whole is.
        why: what is measured, and why it matters.
        advice: what to do about it; its fields are measures of the mark, see `warnings_table`.
        share: whether it is a fraction, which pages show in per cent.
    """

    measure: str
    what: str
    limit: float
    above: bool
    of_mark: bool
    why: str
    advice: str
    share: bool = True

    @property
    def threshold(self) -> str:
        """The limit as shown in tables."""
        if self.measure in FLAGS:
            return FLAGS[self.measure]
        sign = ">" if self.above else "<"
        return f"{sign} {100 * self.limit:g} %" if self.share else f"{sign} {self.limit:g}"

    def shown(self, value: float) -> str:
        """Format a value of the measure for pages."""
        if self.measure in FLAGS:
            return "yes" if value else "no"
        if self.share:
            return f"{value:.1%}".replace("%", " %")
        return f"{value:,.0f}" if value.is_integer() else f"{value:.3g}"


# Fewer training genes are a small study.
FEW_TO_TRAIN = 1000
# What to do if the parts have different shares of ON genes, by the rule of the split.
BALANCE = {
    "sequential": "Use split.mode chromosome or random, unless you repeat the published study.",
    "chromosome": "Hold out more or other chromosomes.",
    "random": "The parts are small: give more genes, or another split.seed.",
}

# All limits in one place. They only inform: no stage leaves anything out because of them.
CHECKS = (
    Check(
        *("depth", "few reads", 0.2, False, True),
        "Mean reads per bin over the windows of all genes. Below the limit, most bins have no read, and models see "
        "noise.",
        "Take a deeper experiment, or wider bins (bins.size); read this epigenome's AUCs as a lower bound.",
        share=False,
    ),
    Check(
        *("relative_depth", "mark much shallower than others", 0.2, False, True),
        "Depth of the mark, divided by the median depth of the model's marks in the same epigenome. The mark's "
        "importance will be too low.",
        "Compare its number of reads with the other marks': with far fewer, the file is shallow or cut off; with as "
        "many, its enrichment failed, or it is the file of another mark or of the input.",
        share=False,
    ),
    Check(
        *("genes_without_data", "chromosomes without data", 0, True, True),
        "Genes on chromosomes on which the file holds nothing; they have 0 in every bin, which is not measured. "
        "Chromosome Y is not judged, because a female sample has none.",
        "Holds nothing on {empty_chromosomes}, with {genes_without_data} genes; {cause}.",
        share=False,
    ),
    Check(
        *("without_signal", "genes without signal", 0.5, True, True),
        "Genes without any signal of the mark in their window. A large share means a failed or shallow experiment, "
        "another genome build, or a file that holds peaks only.",
        "Give the aligned reads or an unfiltered signal of a whole, deep enough experiment, of the annotation's genome "
        "build.",
    ),
    Check(
        *("median_length", "intervals longer than reads", LONGEST_READS, True, True),
        "Median length of the intervals that were counted as reads (bp). Reads and fragments are shorter; peaks and "
        "domains are not counts of reads.",
        "Intervals are {median_length:,.0f} bp long in the median: if they are peaks or domains, give the aligned "
        "reads instead. Reads of nanopore or PacBio experiments may be this long.",
        share=False,
    ),
    Check(
        *("one_start", "all reads start at one position", 0, True, True),
        "All reads of the file have the same start, as no experiment has.",
        "Create the file again from the aligned reads.",
        share=False,
    ),
    Check(
        *("share_elsewhere", "reads elsewhere", 0.1, True, True),
        "Reads on chromosomes that genome.chrom_sizes does not list; they are not counted. They may be on contigs, on "
        "the mitochondrial chromosome, or of a spike-in.",
        "The log of the counting names the chromosomes: if genes of the study are there, give their sizes in "
        "genome.chrom_sizes; reads of contigs, mitochondria and spike-ins are rightly left out.",
    ),
    Check(
        *("all_even", "all counts even", 0, True, True),
        "Every count of the mark is even: the counts were doubled, like H3K4me3 in the binned CSV files published with "
        "DeepChrome. They are not changed; models are not affected, but depths cannot be compared.",
        "Do not compare this mark's counts with other sources; count the reads again if you need them.",
        share=False,
    ),
    Check(
        *("constant", "same value in every bin", 0, True, True),
        "Every bin of every gene has the same value other than 0, so the mark tells no gene from another.",
        "Check how the file was made, and give the reads or the signal of the mark.",
        share=False,
    ),
    Check(
        *("copies", "same content as another file", 0, True, True),
        "Number of other marks or epigenomes of the study whose files have the same SHA-256.",
        "Has the same content as {copy_of}; give each mark and epigenome its own file, unless this is meant.",
        share=False,
    ),
    Check(
        *("genes_in_common", "few genes in common", FEW_IN_COMMON, False, False),
        "Share of the genes of annotation or expression matrix, whichever has fewer, that are in both. A small share "
        "means other kinds of gene ids, or files of different genomes or releases.",
        "Compare the gene ids of annotation and matrix; the log of the rule genes has examples of both.",
    ),
    Check(
        *("left_out", "genes left out", 0.05, True, False),
        "Genes of the study without counts in the source. Models of this epigenome are not trained or tested on them.",
        "Compare the gene ids; compare models within the epigenome only, as its test genes are others.",
    ),
    Check(
        *("train_genes", "few training genes", FEW_TO_TRAIN, False, False),
        "Genes that models learn from. With few, networks often do not beat a logistic regression, and AUCs of single "
        "splits differ by several hundredths.",
        "Compare networks with logistic_regression and random_forest before you trust them, give training the larger "
        "part (split), or more genes; pan_epigenome learns from the genes of all epigenomes.",
        share=False,
    ),
    Check(
        *("on_share", "many genes ON", MOST_ON, True, False),
        "Share of ON genes, where the median of the expression matrix sets the labels. The median is over all genes of "
        "the matrix, so genes outside the study, such as non-coding genes at 0, lower it.",
        "The median is probably lowered by genes outside the study, such as non-coding genes at 0: give a matrix of "
        "the study's genes.",
    ),
    Check(
        *("on_share", "few genes ON", FEWEST_ON, False, False),
        "Share of ON genes, where the median of the expression matrix sets the labels. Genes outside the study with "
        "high values raise the median, and genes that have exactly the median's value, such as 0, are OFF.",
        "The median is probably raised by genes outside the study, or shared by many genes: give a matrix of the "
        "study's genes, with values that are not rounded to the same number.",
    ),
    Check(
        *("on_range", "label balance differs between parts", 0.15, True, False),
        "Largest minus smallest share of ON genes among train, validation and test. A sequential split by Ensembl id "
        "puts more ON genes into train.",
        "{balance} Judge AUPR by its base rate.",
    ),
    Check(
        *("overlap", "test windows seen in training", 0.05, True, False),
        "Test genes whose window overlaps the window of a train or validation gene: the same reads are in both.",
        "Use split.mode chromosome, which has no such overlaps, unless you repeat the published study or have genes on "
        "few chromosomes only.",
    ),
)


def quality_table(
    dataset: xr.Dataset, signals: Sequence[xr.Dataset], overlaps: pd.DataFrame, gene_counts: pd.DataFrame
) -> pd.DataFrame:
    """Measure the data of one epigenome.

    Args:
        dataset: see `chromattend.chromatin.dataset.build_dataset`.
        signals: signal of marks that no model sees (the validation mark), see
            `chromattend.chromatin.signal.count_signal`.
        overlaps: see `chromattend.chromatin.dataset.overlaps_across_splits`.
        gene_counts: see `chromattend.chromatin.genes.count_genes`.

    Returns:
        One row per mark: epigenome, mark, role (model or validation), format, reads (counted), reads_elsewhere,
        share_elsewhere (of all reads), depth (mean per bin), relative_depth (over the median of the model's marks),
        without_signal (share of genes), empty_chromosomes (those with genes on which the file holds nothing),
        genes_without_data (genes on these, without chromosome Y), median_length (of reads, bp), one_start, all_even and
        constant (1 or 0); then the same in each row: genes, genes_in_common (share of the genes of annotation or
        matrix, whichever has fewer, that are in both), genes_left_out, left_out (share), train_genes (their number),
        split_mode, on_share (of ON genes; missing with published labels), on_train, on_valid, on_test (share of ON
        genes in each part), on_range (their range) and overlap (share of test genes whose window overlaps a train or
        validation window). Values that a source does not give are missing: what is known of reads for bigWig and binned
        CSV, chromosomes of a binned CSV, and, for a bigWig, whose values are not reads, relative_depth and all_even.
    """
    marks = [str(mark) for mark in dataset["mark"].values]
    rows = [
        _of_mark(dataset["counts"].sel(mark=mark).values, dataset, mark, "model", _provenance(dataset.attrs, mark))
        for mark in marks
    ]
    counted = [row for row in rows if row["all_even"] is not None]
    middle = np.median([row["depth"] for row in counted]) if counted else 0
    for row in counted:
        if middle > 0:
            row["relative_depth"] = row["depth"] / middle
    rows += [
        _of_mark(
            signal["counts"].values[rows_of(signal, dataset)],
            dataset,
            str(signal.attrs["mark"]),
            "validation",
            signal.attrs,
        )
        for signal in signals
    ]
    whole = _of_epigenome(dataset, overlaps) | {"genes_in_common": gene_counts["share"].item()}
    table = pd.DataFrame([{"epigenome": str(dataset.attrs["epigenome"]), **row, **whole} for row in rows])
    types = dict.fromkeys(WHOLE, "Int64") | {"median_length": "float64"}
    return table.reindex(columns=[*MARK_COLUMNS, *EPIGENOME_COLUMNS]).astype(types)


def read_quality(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Read and join the quality tables of several epigenomes.

    Args:
        paths: files of `quality_table`.

    Returns:
        Their rows, in the order of the paths.
    """
    tables = [read_table(path) for path in paths]
    return pd.concat(tables, ignore_index=True).astype(dict.fromkeys(WHOLE, "Int64"))


def _provenance(attributes: Mapping[str, Any], mark: str) -> dict[str, Any]:
    """Return the attributes of one mark's source, or of the binned CSV of all marks."""
    own = {name.removeprefix(f"{mark}_"): value for name, value in attributes.items() if name.startswith(f"{mark}_")}
    return own or {name: attributes[name] for name in ("source", "sha256", "format") if name in attributes}


def _of_mark(
    counts: np.ndarray, dataset: xr.Dataset, mark: str, role: str, source: Mapping[str, Any]
) -> dict[str, Any]:
    row: dict[str, Any] = {"mark": mark, "role": role, "format": source.get("format")}
    row |= {name: source.get(name) for name in ("reads", "reads_elsewhere", "median_length", "one_start")}
    if "empty_chromosomes" in source:
        empty = str(source["empty_chromosomes"])
        row["empty_chromosomes"] = empty or np.nan
        row["genes_without_data"] = _genes_on(dataset, empty)
    if row["reads"] is not None and row["reads_elsewhere"] is not None:
        total = int(row["reads"]) + int(row["reads_elsewhere"])
        row["share_elsewhere"] = int(row["reads_elsewhere"]) / total if total else 0.0
    row["depth"] = float(counts.mean(dtype=np.float64))
    row["without_signal"] = float((counts == 0).all(axis=1).mean())
    # Values of a bigWig are not read counts. Beside one, the counts of other marks are whole numbers of another type.
    counted = source.get("format") != "bigwig"
    row["all_even"] = int(bool(doubled_marks(counts[..., None], [mark]))) if counted else None
    row["constant"] = int(counts.min() == counts.max() != 0)
    return row


def _genes_on(dataset: xr.Dataset, chroms: str) -> int:
    """Count the genes on chromosomes, separated by spaces, which good data do not lack."""
    judged = [chrom for chrom in chroms.split() if not may_be_absent(chrom)]
    return int(np.isin(dataset["chrom"].values, judged).sum()) if judged else 0


def _of_epigenome(dataset: xr.Dataset, overlaps: pd.DataFrame) -> dict[str, Any]:
    split, label = dataset["split"].values, dataset["label"].values
    left_out = int(dataset.attrs["genes_left_out"])
    on = {part: float((label[split == part] == 1).mean()) for part in SPLITS}
    # Each pair lists the gene of the earlier part first, so a test gene is always the other gene.
    seen = set(overlaps.loc[overlaps["other_split"] == "test", "other_gene"])
    test = dataset["gene"].values[split == "test"]
    return {
        "genes": len(label),
        "genes_left_out": left_out,
        "left_out": left_out / (len(label) + left_out),
        "train_genes": int((split == "train").sum()),
        "split_mode": dataset.attrs.get("split_rule", ""),
        "on_share": None if dataset.attrs.get("labels") == "published" else float((label == 1).mean()),
        **{f"on_{part}": share for part, share in on.items()},
        "on_range": max(on.values()) - min(on.values()),
        "overlap": float(np.isin(test, list(seen)).mean()),
    }


def sources_table(dataset: xr.Dataset, signals: Sequence[xr.Dataset]) -> pd.DataFrame:
    """List the files that an epigenome's data come from.

    Args:
        dataset, signals: see `quality_table`.

    Returns:
        epigenome, data (name of the mark, all marks, or expression), format, source (URL or path), sha256; one row
        per file of several.
    """
    attributes = dataset.attrs
    sources: list[tuple[str, Mapping[str, Any]]] = []
    if "source" in attributes:
        sources.append((ALL_MARKS, _provenance(attributes, "")))
    else:
        sources += [(str(mark), _provenance(attributes, str(mark))) for mark in dataset["mark"].values]
    sources += [(str(signal.attrs["mark"]), signal.attrs) for signal in signals]
    expression = {"source": attributes["expression_source"], "sha256": attributes["expression_sha256"]}
    sources.append((EXPRESSION, {**expression, "format": f"{attributes.get('expression_unit', 'expression')} matrix"}))
    rows = []
    for data, source in sources:
        places, checksums = (str(source.get(name, "")).split(FILES) for name in ("source", "sha256"))
        if len(places) != len(checksums):
            places, checksums = [str(source.get("source", ""))], [str(source.get("sha256", ""))]
        rows += [
            {"data": data, "format": source.get("format", ""), "source": place, "sha256": checksum}
            for place, checksum in zip(places, checksums, strict=True)
        ]
    table = pd.DataFrame(rows)
    table.insert(0, "epigenome", str(attributes["epigenome"]))
    return table


def warnings_table(quality: pd.DataFrame, sources: pd.DataFrame) -> pd.DataFrame:
    """Judge the measures by the limits of `CHECKS`.

    Args:
        quality: see `quality_table`, of any number of epigenomes.
        sources: see `sources_table`, of the same epigenomes.

    Returns:
        epigenome, mark (empty if the warning is about the epigenome as a whole), what, value, threshold and advice,
        which begins with the mark's file: one row per warning, in the order of the epigenomes. Depths of a bigWig are
        not judged.
    """
    files, rows = _files(sources), []
    for epigenome, table in quality.groupby("epigenome", sort=False):
        for check in CHECKS:
            for measures in (table if check.of_mark else table.iloc[:1]).to_dict("records"):
                mark = str(measures["mark"])
                file = files.get((str(epigenome), mark)) or files.get((str(epigenome), ALL_MARKS)) or {}
                row = {str(name): value for name, value in measures.items()} | file
                value = row.get(check.measure)
                if pd.isna(value) or (check.measure == "depth" and pd.isna(row["all_even"])):
                    continue
                if (value > check.limit) if check.above else (value < check.limit):
                    rows.append(
                        {
                            "epigenome": epigenome,
                            "mark": mark if check.of_mark else "",
                            "what": check.what,
                            "value": float(value),
                            "threshold": check.threshold,
                            "advice": _advice(check, row),
                        }
                    )
    return pd.DataFrame(rows, columns=WARNING_COLUMNS)


# Columns of the quality table for MultiQC, with the head that each has there.
_MULTIQC = {
    "reads": ("Reads", "Reads that were counted", "{:,.0f}"),
    "depth": ("Depth", "Mean count per bin over the windows of all genes", "{:,.2f}"),
    "relative_depth": ("Relative depth", "Depth over the median depth of the models' marks", "{:,.2f}"),
    "without_signal": ("Without signal", "Share of genes without any signal of the mark in their window", "{:,.2f}"),
    "share_elsewhere": ("Elsewhere", "Share of reads on chromosomes that the genome does not list", "{:,.2f}"),
}


def write_multiqc(path: str | Path, quality: pd.DataFrame) -> None:
    """Write the measures of all marks as custom content of MultiQC, which finds files named `*_mqc.tsv`.

    Args:
        path: the file.
        quality: see `quality_table`, of any number of epigenomes.
    """
    head = {
        "id": "chromattend_quality",
        "section_name": "chromattend",
        "description": "Marks around the TSS of the genes of the study.",
        "plot_type": "table",
        "pconfig": {"id": "chromattend_quality_table", "title": "chromattend: data quality"},
        "headers": {
            name: {"title": title, "description": description, "format": shown}
            for name, (title, description, shown) in _MULTIQC.items()
        },
    }
    text = "".join(f"# {line}\n" for line in yaml.safe_dump(head, sort_keys=False).splitlines())
    table = quality[list(_MULTIQC)].copy()
    table.insert(0, "Sample", quality["epigenome"].astype(str) + " " + quality["mark"].astype(str))
    with atomic(path) as temporary:
        temporary.write_text(text + table.to_csv(sep="\t", index=False, float_format="%.4g", lineterminator="\n"))


def _files(sources: pd.DataFrame) -> dict[tuple[str, str], dict[str, Any]]:
    """Return source, copies and copy_of (the files with the same content) by epigenome and data."""
    signal = sources[sources["data"] != EXPRESSION]
    files = {}
    for (epigenome, data), table in signal.groupby(["epigenome", "data"], sort=False):
        same = signal[signal["sha256"].isin(table["sha256"].dropna()) & (signal["sha256"] != "")]
        others = same[(same["epigenome"] != epigenome) | (same["data"] != data)]
        names = [f"{row.data} of {row.epigenome} ({row.source})" for row in others.itertuples()]
        places = ", ".join(table["source"].dropna())
        files[str(epigenome), str(data)] = {"source": places, "copies": len(names), "copy_of": listed(names)}
    return files


def _advice(check: Check, row: Mapping[str, Any]) -> str:
    if not check.of_mark:
        return check.advice.format(balance=BALANCE.get(str(row.get("split_mode")), ""))
    chroms = row["empty_chromosomes"].split() if isinstance(row["empty_chromosomes"], str) else []
    advice = check.advice.format_map({**row, "empty_chromosomes": listed(chroms), "cause": cause_of_empty(chroms)})
    return f"{row['source']}: {advice}" if row.get("source") else advice
