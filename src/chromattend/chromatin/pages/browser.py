"""Data of the gene browser on an epigenome's page, packed to fit into one HTML file."""

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from chromattend.chromatin.dataset import match_genes
from chromattend.interpret import LEAST_AGREEMENT

# Largest number of genes for a page that opens at once; the test genes of the published study fit.
MOST_GENES = 7000
# Genes per block; a search unpacks only the block of its gene.
BLOCK = 256
# The highest level means a missing value: the gene was not scored, or has no attention.
MISSING = 65535
LEVELS = 65534
# The search found no reads that turn the call.
NOT_TURNED = 65534
EXAMPLES = 4


# Genomes that public browsers know: the name of the assembly at UCSC, and the address of its species at Ensembl.
_BROWSERS = {
    "hg19": ("hg19", "https://grch37.ensembl.org/Homo_sapiens"),
    "hg38": ("hg38", "https://www.ensembl.org/Homo_sapiens"),
    "mm10": ("mm10", "https://nov2020.archive.ensembl.org/Mus_musculus"),
    "mm39": ("mm39", "https://www.ensembl.org/Mus_musculus"),
}


def gene_browsers(genome: str) -> dict[str, str] | None:
    """Return the addresses that links to a gene of a genome begin with, at ucsc and ensembl; None if neither has it."""
    if genome not in _BROWSERS:
        return None
    assembly, ensembl = _BROWSERS[genome]
    return {
        "ucsc": f"https://genome.ucsc.edu/cgi-bin/hgTracks?db={assembly}&position=",
        "ensembl": f"{ensembl}/Gene/Summary?g=",
    }


def shown_genes(dataset: xr.Dataset, attention: Mapping[str, xr.Dataset]) -> np.ndarray:
    """Return the rows of the dataset whose marks are on the page.

    Args:
        dataset: see `chromattend.chromatin.dataset.build_dataset`.
        attention: attentive model -> see `chromattend.chromatin.attention.attention_maps`.

    Returns:
        Every row of a small study. Otherwise the test genes and, if there is room, the other genes with attention
        (named genes). In the dataset's order.
    """
    total = dataset.sizes["gene"]
    if total <= MOST_GENES:
        return np.arange(total)
    test = np.flatnonzero(dataset["split"].values == "test")
    attended: set[int] = set()
    for maps in attention.values():
        attended.update(np.flatnonzero(match_genes(dataset, maps) >= 0).tolist())
    others = sorted(attended - set(test.tolist()))
    return np.sort(np.concatenate([test, np.array(others, dtype=int)])[:MOST_GENES])


def browser_data(
    dataset: xr.Dataset,
    predictions: Mapping[str, pd.DataFrame],
    attention: Mapping[str, xr.Dataset],
    influence: Mapping[str, pd.DataFrame] | None = None,
    turned: Mapping[str, pd.DataFrame] | None = None,
) -> dict[str, Any]:
    """Pack marks, attention, scores and influential training genes of the genes of a page.

    Each block is compressed by zlib and encoded in base64, so that a browser unpacks blocks on demand. Counts are
    exact; signals of bigWig files are rounded to within 1/131,068 of the range of a gene and mark, alpha to within
    1/510 of its maximum in a gene and mark, beta and P(ON) to within 1/131,068, influences to within 1/65,534 of the
    model's greatest, similarities to within 0.005.

    Args:
        dataset: see `chromattend.chromatin.dataset.build_dataset`.
        predictions: model -> see `chromattend.evaluate.predict`, for the genes of the dataset; tested models also have
            the columns call (ON or OFF) and stability (share of Poisson redraws that keep the call).
        attention: attentive model -> see `chromattend.chromatin.attention.attention_maps`, for some of the genes.
        influence: explained model -> `chromattend.chromatin.explain.Explanation.influence`.
        turned: tested model -> gene, symbol, right (whether the call is), reads (fewest found that turn a right call;
            missing if none were found) and certified_reads (which provably do not; may be missing), for some genes.

    Returns:
        The data that `browser.js` reads: marks, bins (bp), models, attentive models and `index` of all genes; for the
        shown genes, `scores`, blocks of `counts`, and `attention` (blocks of alpha, and beta); `influence`; and, only
        for tested models, `calls`, `kept` and `turned`.
    """
    rows = shown_genes(dataset, attention)
    counts = dataset["counts"].transpose("gene", "mark", "bin").values[rows]
    return {
        "marks": [str(mark) for mark in dataset["mark"].values],
        "bins": [int(start) for start in dataset["bin"].values],
        "models": list(predictions),
        "attentive": list(attention),
        "block": BLOCK,
        "shown": len(rows),
        "index": _pack(_index(dataset, rows)),
        "scores": {
            model: _pack(_shares(_scores(dataset, table)[rows]).tobytes()) for model, table in predictions.items()
        },
        "counts": [_packed_counts(counts[start : start + BLOCK]) for start in range(0, len(rows), BLOCK)],
        "attention": {model: _packed_attention(dataset, maps, rows) for model, maps in attention.items()},
        "influence": {model: _packed_influence(dataset, table) for model, table in (influence or {}).items()},
        **_robustness(dataset, predictions, turned or {}, rows),
    }


def _robustness(
    dataset: xr.Dataset, predictions: Mapping[str, pd.DataFrame], turned: Mapping[str, pd.DataFrame], rows: np.ndarray
) -> dict[str, Any]:
    """Pack what was tested of the calls; an empty mapping if no model was tested."""
    packed: dict[str, Any] = {}
    tested = {model: table for model, table in predictions.items() if {"call", "stability"} <= set(table.columns)}
    if tested:
        places = {model: match_genes(dataset, table)[rows] for model, table in tested.items()}
        packed["calls"] = {
            model: _pack(np.where(place < 0, 2, table["call"].to_numpy()[place] == "ON").astype(np.uint8).tobytes())
            for (model, table), place in zip(tested.items(), places.values(), strict=True)
        }
        packed["kept"] = {
            model: _pack(_shares(np.where(place < 0, np.nan, table["stability"].to_numpy()[place])).tobytes())
            for (model, table), place in zip(tested.items(), places.values(), strict=True)
        }
    if turned:
        packed["turned"] = {model: _packed_turned(dataset, table, rows) for model, table in turned.items()}
    return packed


def _packed_turned(dataset: xr.Dataset, table: pd.DataFrame, rows: np.ndarray) -> dict[str, str]:
    """Pack the reads that turn calls, and those that provably do not, as unsigned numbers of two bytes."""
    place = match_genes(dataset, table)[rows]
    reads = table["reads"].fillna(NOT_TURNED).where(table["right"].astype(bool), MISSING)
    certified = table["certified_reads"].fillna(MISSING)
    return {
        name: _pack(np.where(place < 0, MISSING, values.to_numpy()[place].clip(0, MISSING)).astype("<u2").tobytes())
        for name, values in (("reads", reads), ("certified", certified))
    }


def example_genes(
    dataset: xr.Dataset, predictions: Mapping[str, pd.DataFrame], attention: Mapping[str, xr.Dataset], best: str
) -> list[str]:
    """Return a few gene symbols for the reader to start with.

    Args:
        dataset, predictions, attention: as in `browser_data`.
        best: model whose most confident predictions are used if no genes were named.

    Returns:
        Named genes (genes with attention outside the test part), if there are any; otherwise the test genes that the
        model most confidently predicts ON and OFF. Duplicated symbols are skipped.
    """
    part, symbols = dataset["split"].values, pd.Series(dataset["symbol"].values.astype(str))
    usable = ~symbols.duplicated(keep=False).to_numpy() & (symbols != "").to_numpy()
    shown = np.isin(np.arange(len(part)), shown_genes(dataset, attention))
    attended = np.zeros(len(part), dtype=bool)
    for maps in attention.values():
        attended |= match_genes(dataset, maps) >= 0
    named = np.flatnonzero(attended & shown & usable & (part != "test"))
    if 0 < len(named) <= 200:
        return [str(symbols[row]) for row in named[:EXAMPLES]]
    score = _scores(dataset, predictions[best])
    test = np.flatnonzero(shown & usable & (part == "test") & np.isfinite(score))
    order = test[np.argsort(score[test], kind="stable")]
    chosen = [*order[::-1][: EXAMPLES // 2], *order[: EXAMPLES // 2]]
    return list(dict.fromkeys(str(symbols[row]) for row in chosen))


def _scores(dataset: xr.Dataset, table: pd.DataFrame) -> np.ndarray:
    rows = match_genes(dataset, table)
    return np.where(rows >= 0, table["score"].to_numpy()[rows], np.nan)


def _index(dataset: xr.Dataset, rows: np.ndarray) -> bytes:
    """Return the columns of all genes; for genes that are not shown, the page names their part of the split."""
    place = np.full(dataset.sizes["gene"], -1)
    place[rows] = np.arange(len(rows))
    rpkm = [float(f"{value:.4g}") if np.isfinite(value) else None for value in dataset["rpkm"].values]
    columns: dict[str, list[Any]] = {
        "gene": dataset["gene"].values.astype(str).tolist(),
        "symbol": dataset["symbol"].values.astype(str).tolist(),
        "split": dataset["split"].values.astype(str).tolist(),
        "label": dataset["label"].values.astype(int).tolist(),
        "rpkm": rpkm,
        "place": place.tolist(),
    }
    for name, kind in (("chrom", str), ("tss", int), ("strand", str)):
        if name in dataset:
            columns[name] = dataset[name].values.astype(kind).tolist()
    return json.dumps(columns, separators=(",", ":"), allow_nan=False).encode()


def _pack(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content, 9)).decode("ascii")


def _shares(values: np.ndarray) -> np.ndarray:
    """Return shares from 0 to 1 in 65,535 levels; MISSING for NaN."""
    finite = np.isfinite(values)
    levels = np.rint(np.clip(np.where(finite, values, 0), 0, 1) * LEVELS)
    return np.where(finite, levels, MISSING).astype("<u2")


def _packed_counts(values: np.ndarray) -> dict[str, Any]:
    """Pack counts[gene, mark, bin]: integers exactly, other values in levels between minimum and maximum."""
    if values.dtype.kind in "iu" and values.min() >= 0 and values.max() <= MISSING:
        size = 1 if values.max() <= 255 else 2
        return {"bytes": size, "values": _pack(values.astype(f"<u{size}").tobytes())}
    exact = np.nan_to_num(values.astype(float))
    low = exact.min(axis=2)
    step = (exact.max(axis=2) - low) / LEVELS
    levels = np.rint((exact - low[..., None]) / np.where(step > 0, step, 1)[..., None])
    ranges = np.stack([low, step], axis=-1).astype("<f4")
    return {"bytes": 2, "values": _pack(levels.astype("<u2").tobytes()), "ranges": _pack(ranges.tobytes())}


def _packed_attention(dataset: xr.Dataset, maps: xr.Dataset, rows: np.ndarray) -> dict[str, Any]:
    """Pack alpha in 256 levels of the maximum of each gene and mark, and beta if the network has it."""
    maps = maps.sel(mark=dataset["mark"].values)
    map_rows = match_genes(dataset, maps)[rows]
    mapped = map_rows >= 0
    alpha = np.zeros((len(rows), dataset.sizes["mark"], dataset.sizes["bin"]), dtype=np.float32)
    alpha[mapped] = maps["alpha"].transpose("gene", "mark", "bin").values[map_rows[mapped]]
    greatest = alpha.max(axis=2)
    levels = np.rint(alpha * (255 / np.where(greatest > 0, greatest, 1))[..., None]).astype(np.uint8)
    # Attention changes little from bin to bin, so its differences (modulo 256) take a sixth less space.
    steps = np.diff(levels, axis=2, prepend=np.uint8(0))
    packed: dict[str, Any] = {
        "alpha": [_pack(steps[start : start + BLOCK].tobytes()) for start in range(0, len(rows), BLOCK)],
        # Zero means that the gene has no attention.
        "greatest": _pack(greatest.astype("<f4").tobytes()),
    }
    if "beta" in maps:
        beta = np.full(greatest.shape, np.nan)
        beta[mapped] = maps["beta"].transpose("gene", "mark").values[map_rows[mapped]]
        packed["beta"] = _pack(_shares(beta).tobytes())
    return packed


def _packed_influence(dataset: xr.Dataset, table: pd.DataFrame) -> dict[str, Any]:
    """Pack influential training genes: parallel columns, in the order of the table; genes are rows of the dataset."""
    gene = _rows_in_part(dataset, table["gene"], table["symbol"], "test")
    train = _rows_in_part(dataset, table["train_gene"], table["train_symbol"], "train")
    known = (gene >= 0) & (train >= 0)
    chosen, influence = table[known], table["influence"].to_numpy()[known]
    greatest = float(np.abs(influence).max(initial=0)) or 1.0
    return {
        "gene": _pack(gene[known].astype("<u4").tobytes()),
        "train": _pack(train[known].astype("<u4").tobytes()),
        "supports": _pack((chosen["effect"] == "supports").to_numpy().astype(np.uint8).tobytes()),
        "influence": _pack(np.rint(influence / greatest * 32767).astype("<i2").tobytes()),
        "step": greatest / 32767,
        "similarity": _pack(np.rint(100 * chosen["similarity"].to_numpy()).astype(np.int8).tobytes()),
        # A missing correlation is not above the limit either.
        "doubtful": not (table["agreement"] >= LEAST_AGREEMENT).all(),
    }


def _rows_in_part(dataset: xr.Dataset, genes: pd.Series, symbols: pd.Series, part: str) -> np.ndarray:
    """Return the row of each gene in the dataset, the first in a part of the split, or -1."""
    rows = np.flatnonzero(dataset["split"].values == part)
    keys = pd.MultiIndex.from_arrays([dataset[name].values[rows].astype(str) for name in ("gene", "symbol")])
    first = ~keys.duplicated()
    matches = keys[first].get_indexer(pd.MultiIndex.from_arrays([genes.astype(str), symbols.astype(str)]))
    return np.where(matches >= 0, rows[first][matches], -1)
