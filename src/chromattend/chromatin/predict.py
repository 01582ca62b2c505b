"""Scoring of new data: count signal in the form that trained models need, and score every gene."""

import json
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from chromattend.chromatin.bins import Bins, check_tss
from chromattend.chromatin.dataset import build_unlabelled
from chromattend.chromatin.formats import PUBLISHED_MARKS, format_of, part_files
from chromattend.chromatin.genes import COLUMNS, read_annotation, read_chrom_sizes, read_gene_table
from chromattend.chromatin.inputs import ChromatinInputs
from chromattend.chromatin.reads import ReadOptions
from chromattend.chromatin.signal import count_signal, import_binned, join_marks
from chromattend.errors import UserError, did_you_mean
from chromattend.files import read_netcdf
from chromattend.models import load_models as load_checkpoints
from chromattend.models.base import TrainedModel
from chromattend.models.registry import REGISTRY

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recipe:
    """How to count new data for trained models: the common settings of their inputs.

    Attributes:
        marks: every mark that at least one model takes.
        bins: the window and its bins.
        quantity: `reads` to count, or `signal` if at least one mark is averaged.
        signal_marks: marks to average; empty if all are reads, or if it is unknown which are.
        reads: which reads are counted, and at which position.
        statistic: `mean` or `sum` of a bigWig's values.
        counting: `reads` and `statistic` as JSON; empty if no model records how its data were counted.
        excluded: regions whose reads were not counted, or nothing.
    """

    marks: list[str]
    bins: Bins
    quantity: str
    signal_marks: frozenset[str]
    reads: ReadOptions
    statistic: str
    counting: str
    excluded: str = ""

    @classmethod
    def of(cls, models: Mapping[str, TrainedModel]) -> "Recipe":
        """Join the inputs of named models.

        Raises:
            UserError: two models need different data.
        """
        first: dict[str, tuple[str, object]] = {}
        for name, model in models.items():
            for what in ("bins", "bin_size", "orientation", "quantity", "counting"):
                value = getattr(model.input_spec, what)
                if what == "counting" and not json.loads(value or "{}"):
                    continue
                other, expected = first.setdefault(what, (name, value))
                if expected != value:
                    raise UserError(
                        f"{name}: its training data differ from the data of {other} in {what.replace('_', ' ')}; "
                        "score with one model at a time"
                    )
        counting = str(first["counting"][1]) if "counting" in first else ""
        options: dict[str, Any] = json.loads(counting or "{}")
        inputs: ChromatinInputs = next(iter(models.values())).input_spec
        try:
            return cls(
                list(dict.fromkeys(mark for model in models.values() for mark in model.input_spec.marks)),
                bins_of(inputs),
                inputs.quantity,
                frozenset(mark for model in models.values() for mark in model.input_spec.signal_marks),
                # Before there was a choice, mates were counted.
                ReadOptions(**({"paired": "mates"} | options["reads"] if "reads" in options else {})),
                options.get("bigwig", {}).get("statistic", "mean"),
                counting,
                options.get("excluded", ""),
            )
        except TypeError:
            name = first["counting"][0]
            raise UserError(
                f"{name}: its reads were counted with options unknown to this version: {counting}; update chromattend"
            ) from None


def bins_of(inputs: ChromatinInputs) -> Bins:
    """Return the bins that a model was trained on."""
    bins = Bins(
        upstream=-inputs.bins[0],
        downstream=inputs.bins[-1] + inputs.bin_size,
        size=inputs.bin_size,
        flip_strand=inputs.orientation == "strand",
    )
    if bins.offsets.tolist() != inputs.bins:
        raise UserError(f"{inputs.model}: was trained on bins that are not contiguous; train it on a whole window")
    return bins


def load_models(paths: Sequence[str | Path]) -> dict[str, TrainedModel]:
    """Read checkpoints of chromatin models and name them, see `chromattend.models.load_models`.

    Raises:
        UserError: as there, or a model compares epigenomes.
    """
    models = load_checkpoints(paths, "chromatin", COLUMNS)
    for name, model in models.items():
        spec = REGISTRY.get(model.input_spec.model)
        if spec and spec.scope == "differential":
            raise UserError(f"{name}: compares two epigenomes and cannot score a single one; leave it out")
    return models


def read_sample(
    models: Mapping[str, TrainedModel],
    signals: Mapping[str, str] | str,
    *,
    genes: str | Path | None = None,
    chrom_sizes: str | Path | None = None,
    epigenome: str | None = None,
) -> xr.Dataset:
    """Count the signal of a new sample as trained models need it, or read its counts.

    Args:
        models: models by name, see `load_models`; their bins and their counting of reads must be the same.
        signals: mark -> file; or one file of all marks: a `dataset.nc`, or the authors' binned CSV, with {part} if it
            is split.
        genes: gene table or GTF; optional with a dataset.nc, whose genes are all read by default.
        chrom_sizes: file of chromosome lengths (bp); required to count files of single marks.
        epigenome: name of the sample, for models that take the epigenome as input.

    Returns:
        See `chromattend.chromatin.dataset.build_unlabelled`, with the marks of all models.

    Raises:
        UserError: a file is damaged, or does not fit the models.
        ValueError: genes or chrom_sizes are required but not given.
    """
    recipe = Recipe.of(models)
    sizes = {} if chrom_sizes is None else read_chrom_sizes(chrom_sizes)
    table = None if genes is None else read_genes(genes, sizes)
    if is_dataset(signals):
        return _read_dataset(str(signals), table, epigenome)
    if table is None:
        raise ValueError("genes are required")
    attributes: dict[str, object] = {"epigenome": epigenome or ""}
    if isinstance(signals, str):
        return build_unlabelled(table, _import_binned(signals, recipe), attributes, signals)
    if chrom_sizes is None:
        raise ValueError("chrom_sizes are required")
    counts, provenance = count_files(signals, recipe, table, chrom_sizes)
    attributes |= {"counting": recipe.counting, **provenance}
    return build_unlabelled(table, counts, attributes, "signal")


def is_dataset(signals: Mapping[str, str] | str) -> bool:
    """Return whether the signals are a `dataset.nc`."""
    return isinstance(signals, str) and signals.lower().endswith(".nc")


def read_genes(path: str | Path, chroms: Collection[str] = ()) -> pd.DataFrame:
    """Read a gene table, or every gene of a GTF or GFF3 file, sorted by gene id, see `read_annotation`."""
    if {".gtf", ".gff", ".gff3"} & {suffix.lower() for suffix in Path(path).suffixes}:
        return read_annotation(path, chroms).sort_values(["gene", "symbol"], ignore_index=True)
    return read_gene_table(path)


def count_files(
    files: Mapping[str, str], recipe: Recipe, genes: pd.DataFrame, chrom_sizes: str | Path
) -> tuple[xr.DataArray, dict[str, object]]:
    """Count one file per mark by a recipe.

    Args:
        files: mark -> tagAlign, BED, BAM or bigWig.
        recipe: settings of the counting, from the models.
        genes: gene table.
        chrom_sizes: file of chromosome lengths (bp).

    Returns:
        Counts with dims gene, bin, mark, and the provenance of each mark.

    Raises:
        UserError: the format of a file differs from the training data, or a file is damaged.
    """
    _check_formats(files, recipe)
    sizes = read_chrom_sizes(chrom_sizes)
    missing = sorted(set(genes["chrom"]) - sizes.keys())
    if missing:
        raise UserError(
            f"{chrom_sizes}: lacks {', '.join(missing[:3])}, but the gene table has genes there; give the chromosome "
            "sizes of the genes' genome build"
        )
    check_tss(genes, sizes)
    if not recipe.counting:
        logger.warning("the checkpoints do not record how their reads were counted; the default options are used")
    if recipe.excluded:
        logger.warning(
            "the models' reads in %s were not counted; here all reads are: leave these out of the files",
            recipe.excluded,
        )
    logger.info("chromosome sizes: %s", chrom_sizes)
    signals = []
    for number, (mark, path) in enumerate(files.items(), start=1):
        logger.info("%s: counting %s (%d of %d)", mark, path, number, len(files))
        signal = count_signal(
            path,
            genes,
            recipe.bins,
            sizes,
            options=recipe.reads,
            statistic=recipe.statistic,
            attributes={"mark": mark, "source": path},
        )
        if "reads" in signal.attrs:
            logger.info("%s: %d reads", mark, signal.attrs["reads"])
        signals.append(signal)
    counts, _, provenance = join_marks(signals, list(files))
    return counts, provenance


def score(models: Mapping[str, TrainedModel], dataset: xr.Dataset) -> pd.DataFrame:
    """Score every gene of a dataset with named models.

    Returns:
        Columns gene, symbol, chrom, tss, strand, and one column per model, named after it: P(ON), or the predicted
        value of a regression. One row per gene, in the dataset's order.

    Raises:
        UserError: the dataset lacks a mark, or does not fit a model otherwise.
    """
    columns = {name: dataset[name].values for name in COLUMNS}
    marks = dataset["mark"].values.tolist()
    for name, model in models.items():
        inputs: ChromatinInputs = model.input_spec
        missing = [mark for mark in inputs.marks if mark not in marks]
        if missing:
            raise UserError(
                f"{name}: needs {', '.join(missing)}, but the data have {', '.join(marks)}; give data of all its marks"
            )
        epigenome = dataset.attrs.get("epigenome", "")
        if inputs.epigenomes and epigenome not in inputs.epigenomes:
            logger.warning(
                "%s: %s is not one of its epigenomes and is scored as an unseen epigenome%s",
                name,
                repr(epigenome) if epigenome else "a sample without a name",
                did_you_mean(epigenome, inputs.epigenomes),
            )
        chosen = dataset.sel(mark=inputs.marks)
        try:
            columns[name] = model.score(chosen)
        except UserError as error:
            raise UserError(f"{name}: {str(error).removeprefix(f'{inputs.model}: ')}") from None
        logger.info("%s: scored %d genes", name, dataset.sizes["gene"])
    return pd.DataFrame(columns)


def _check_formats(files: Mapping[str, str], recipe: Recipe) -> None:
    """Check that the files give reads or signal as the models need, before hours of counting."""
    kinds = {mark: format_of(path) for mark, path in files.items()}
    known = recipe.quantity == "reads" or bool(recipe.signal_marks)
    for mark, kind in kinds.items():
        if kind == "bigwig" and known and mark not in recipe.signal_marks:
            raise UserError(
                f"{files[mark]}: is a bigWig, but the checkpoints take reads of {mark}; give tagAlign, BED or BAM"
            )
        if kind != "bigwig" and mark in recipe.signal_marks:
            raise UserError(f"{files[mark]}: holds reads, but the checkpoints take signal of {mark}; give a bigWig")
    # Of older checkpoints of both kinds, only files without any bigWig are certainly wrong.
    if recipe.quantity == "signal" and "bigwig" not in kinds.values():
        raise UserError(f"{next(iter(files.values()))}: holds reads, but the checkpoints take signal; give bigWigs")


def _read_dataset(path: str, genes: pd.DataFrame | None, epigenome: str | None) -> xr.Dataset:
    """Read the counts of a study's `dataset.nc`, for the given genes or for all its genes."""
    stored = read_netcdf(path)
    if "epigenome" in stored.coords:
        raise UserError(f"{path}: holds several epigenomes; give the dataset.nc of one")
    needed = {"counts", "gene", "bin", "mark", *([] if genes is not None else COLUMNS)}
    missing = sorted(needed - set(stored.variables))
    if missing:
        raise UserError(f"{path}: lacks {', '.join(missing)}, so it is not a dataset.nc of a study; give another file")
    if genes is None:
        genes = pd.DataFrame({name: stored[name].values for name in COLUMNS})
    attributes = stored.attrs | ({"epigenome": epigenome} if epigenome else {})
    dataset = build_unlabelled(genes, stored["counts"], attributes, path)
    # Keep the depth over all counted genes; the given genes may be only some of them.
    return dataset.assign(depth=stored["depth"]) if "depth" in stored else dataset


def _import_binned(template: str, recipe: Recipe) -> xr.DataArray:
    """Read the counts of binned CSV files."""
    missing = [mark for mark in recipe.marks if mark not in PUBLISHED_MARKS]
    if missing:
        raise UserError(
            f"{template}: binned CSV files have {', '.join(PUBLISHED_MARKS)}, but a checkpoint needs "
            f"{', '.join(missing)}; give MARK=FILE for each mark"
        )
    if recipe.quantity != "reads" or recipe.bins.flip_strand:
        what = "signal" if recipe.quantity != "reads" else "bins along the gene's strand"
        raise UserError(
            f"{template}: binned CSV files have counts in genome orientation, but the checkpoints take {what}; "
            "give MARK=FILE for each mark"
        )
    return import_binned(part_files(template), recipe.bins, recipe.marks, attributes={})["counts"]
