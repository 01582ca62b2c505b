"""A small synthetic mirror of the Roadmap web site with known truth, for the demo and the tests.

Every gene has a hidden transcription state in each epigenome. Its expression is drawn from that state, and so
are the reads of six histone marks, whose average shapes around the TSS follow ChIP-seq (see `mark_shape`). Some
genes are uninformative: their chromatin follows an independent state, so that no model can predict them.
"""

import json
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyBigWig
from isal import igzip
from scipy.stats import poisson

from chromattend.chromatin.genes import read_chrom_sizes
from chromattend.errors import UserError
from chromattend.files import atomic

logger = logging.getLogger(__name__)

# Recorded in simulation.json: raise it whenever the output changes, so that older mirrors are written again.
VERSION = 3
# Fraction of reads in enriched regions, by mark (FRiP: Landt et al., Genome Res. 2012).
FRIP = {"H3K27me3": 0.3, "H3K36me3": 0.4, "H3K4me1": 0.3, "H3K4me3": 0.45, "H3K9me3": 0.25, "H3K27ac": 0.4}
REFERENCE = "E000"  # the universal reference, the first column of Roadmap's matrix
ALIGNMENTS = "byFileType/alignments/consolidated/{}-{}.tagAlign.gz"
SIGNALS = "byFileType/signal/consolidated/macs2signal/pval/{}-{}.pval.signal.bigwig"
EXPRESSION = "byDataType/rna/expression/57epigenomes.RPKM.pc.gz"
ANNOTATION = "byDataType/rna/annotations/gen10.long.gtf.gz"

READ_LENGTH = 36  # bp, as in the consolidated epigenomes
READS_PER_GENE = 75  # mean depth of a file; real files have about 1,500
CELL = 50  # bp, the resolution at which read densities are drawn
REACH = 10_000  # bp around a gene that its marks may cover
FRAGMENT_CELLS = 5  # 250 bp, about a ChIP fragment, over which the signal track counts reads
LOCAL = 200_000  # bp over which the background's level changes
MIN_SPACING = 15_000  # bp per gene, on average; with less, most windows of neighbours would overlap
UNINFORMATIVE = 0.13  # share of genes whose chromatin does not predict their expression
# Share of genes whose transcription starts inside the annotated gene, and the mean distance (bp). With them, the
# H3K4me3 peak of 10 to 13 % of the ON genes is more than 1 kb from its usual position: 11 % in real E003 counts.
INNER_START = 0.2
INNER_DISTANCE = 1500
# From the first epigenome to the last: the share of FRIP that an experiment reaches, and the spread (sd of log
# RPKM) that chromatin does not explain. With them, the test AUC of a random forest rises from about .80 to .90.
ENRICHMENT = (0.6, 1.0)
UNEXPLAINED = (1.5, 0.8)


@dataclass(frozen=True)
class Grid:
    """The genome in cells of `CELL` bp, numbered across all chromosomes; an incomplete last cell is left out.

    Attributes:
        names, sizes: chromosome names, and lengths in bp, shape (chromosome,).
        first: number of each chromosome's first cell, then the total number of cells, shape (chromosome + 1,).
    """

    names: list[str]
    sizes: np.ndarray
    first: np.ndarray

    def chromosomes(self) -> Iterator[tuple[str, int, slice]]:
        """Yield the name, length (bp) and cells of each chromosome."""
        for name, size, low, high in zip(self.names, self.sizes, self.first, self.first[1:], strict=False):
            yield name, int(size), slice(low, high)

    def around(
        self, chrom: np.ndarray, centre: np.ndarray, sign: np.ndarray, before: np.ndarray, after: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """List the cells around genomic elements, within their chromosomes.

        Args:
            chrom, centre, sign: chromosome number, position (bp) and direction (1 or -1), shape (element,).
            before, after: extent from the centre in the element's direction (bp), shape (element,).

        Returns:
            element, cell: number of the element and number of the cell, shape (pair,).
            distance: distance of the cell's middle from the centre, in the element's direction (bp), shape (pair,).
        """
        low = np.maximum((centre - np.where(sign > 0, before, after)) // CELL, 0)
        high = np.minimum((centre + np.where(sign > 0, after, before)) // CELL + 1, np.diff(self.first)[chrom])
        number = high - low
        element = np.repeat(np.arange(len(centre)), number)
        cell = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number) + low[element]
        distance = (cell * CELL + CELL // 2 - centre[element]) * sign[element]
        return element, cell + self.first[chrom[element]], distance.astype(np.float32)


@dataclass(frozen=True)
class Genes:
    """Genes on a grid; all arrays have shape (gene,).

    Attributes:
        ids, symbols, kinds: Ensembl-like ids without version, symbols, and GENCODE's gene types.
        chrom, tss, sign: chromosome number, TSS (1-based, bp) and direction (1 or -1).
        length: in bp.
    """

    ids: np.ndarray
    symbols: np.ndarray
    kinds: np.ndarray
    chrom: np.ndarray
    tss: np.ndarray
    sign: np.ndarray
    length: np.ndarray


def simulate_mirror(
    folder: Path,
    *,
    chrom_sizes: Path,
    epigenomes: Sequence[str] = ("SYN1", "SYN2", "SYN3"),
    genes: int = 2000,
    seed: int = 1,
) -> None:
    """Write reads, signal, expression and annotation at Roadmap's relative paths, and the truth behind them.

    The same arguments give the same bytes. A folder that is complete for these arguments is not changed; a folder
    that is incomplete, or was written for other arguments, is written again.

    Args:
        folder: folder of the mirror. Its top level has `truth.tsv`, a row per gene: gene, informative, and whether
            it is transcribed (ON or OFF) in each epigenome; and `simulation.json`, the arguments, written last.
        chrom_sizes: tab-separated names and lengths (bp) of the chromosomes; at least 15,000 bp per gene.
        epigenomes: names of epigenomes. The quality of the data, and so the AUC of models, rises from first to last.
        genes: number of protein-coding genes. A file has about 75 reads per gene.
        seed: non-negative integer.

    Raises:
        UserError: the arguments cannot give a mirror.
    """
    folder, names = Path(folder), list(epigenomes)
    sizes = read_chrom_sizes(chrom_sizes)
    _check(sizes, chrom_sizes, names, genes, seed)
    parameters = {"version": VERSION, "seed": seed, "genes": genes, "epigenomes": names, "chrom_sizes": sizes}
    record, content = folder / "simulation.json", (json.dumps(parameters, indent=1) + "\n").encode()
    paths = [EXPRESSION, ANNOTATION, "truth.tsv"]
    paths += [path.format(name, mark) for path in (ALIGNMENTS, SIGNALS) for name in names for mark in FRIP]
    if record.exists() and record.read_bytes() == content and all((folder / path).exists() for path in paths):
        logger.info("%s: is complete", folder)
        return
    record.unlink(missing_ok=True)

    rng = np.random.default_rng(seed)
    lengths = np.array(list(sizes.values()))
    grid = Grid(list(sizes), lengths, np.concatenate([[0], np.cumsum(lengths // CELL)]))
    coding = place_coding(rng, grid, genes)
    on, level = transcription(rng, genes, len(names))
    informative = rng.random(genes) >= UNINFORMATIVE
    # The chromatin of uninformative genes follows a second, independent draw of transcription.
    other_on, other_level = transcription(rng, genes, len(names))
    active = np.where(informative[:, None], on, other_on)
    strength = np.where(informative[:, None], level, other_level)
    rpkm = measure_rpkm(rng, on, level)

    by_id = np.argsort(coding.ids)
    truth = pd.DataFrame({"gene": coding.ids, "informative": informative}).iloc[by_id]
    truth[names] = np.where(on, "ON", "OFF")[by_id]
    _write(folder / "truth.tsv", truth.to_csv(sep="\t", index=False, lineterminator="\n").encode())
    _write(folder / EXPRESSION, _gzip(_expression_text(coding.ids[by_id], rpkm[by_id], names)))
    rows = _annotation_rows(rng, grid, coding) + _annotation_rows(rng, grid, place_other(rng, grid, genes // 10 + 1))
    _write(folder / ANNOTATION, _gzip(_annotation_text(rows)))

    landscape = Landscape(rng, grid, coding)
    quality = np.linspace(*ENRICHMENT, len(names))
    for k, (name, stream) in enumerate(zip(names, rng.spawn(len(names)), strict=True)):
        for mark, counts in landscape.draw_reads(stream, active[:, k], strength[:, k], quality[k]):
            _write(folder / ALIGNMENTS.format(name, mark), _gzip(_reads_text(stream, grid, counts)))
            with atomic(folder / SIGNALS.format(name, mark)) as path:
                _write_signal(path, grid, counts)
        logger.info("%s: %d marks written, epigenome %d of %d", name, len(FRIP), k + 1, len(names))
    _write(record, content)


def _check(sizes: dict[str, int], source: Path, epigenomes: list[str], genes: int, seed: int) -> None:
    if not epigenomes or len(set(epigenomes)) < len(epigenomes):
        raise UserError(f"epigenomes: {epigenomes} is empty or has a duplicate; give different names")
    for name in epigenomes:
        if not re.fullmatch(r"\w+", name) or name in (REFERENCE, "gene", "gene_id", "informative"):
            raise UserError(
                f"epigenomes: {name!r} is reserved or not a valid name; use letters and digits, such as SYN1"
            )
    if genes < 1 or seed < 0:
        raise UserError(f"genes {genes}, seed {seed}: out of range; give at least 1 gene and a seed of at least 0")
    for chrom, size in sizes.items():
        if size < MIN_SPACING:
            raise UserError(f"{source}: {chrom} has {size} bp; give at least {MIN_SPACING} or remove its line")
    total, need = sum(sizes.values()), genes * MIN_SPACING
    if total < need:
        raise UserError(f"{source}: {total} bp are too few for {genes} genes; give {need} bp, or fewer genes")


def place_coding(rng: np.random.Generator, grid: Grid, genes: int) -> Genes:
    """Put protein-coding genes on the chromosomes, in proportion to their lengths.

    Neighbouring TSSs are at least about three quarters of the mean spacing apart, but one gene in 25 is close
    to the one before it, in half of the cases as a bidirectional pair; their windows overlap. The outermost
    genes are less than 5 kb from the chromosome's ends, so their windows reach beyond it. Lengths are log-normal.
    """
    last = np.rint(np.cumsum(grid.sizes) / grid.sizes.sum() * genes).astype(int)
    chrom = np.repeat(np.arange(len(last)), np.diff(last, prepend=0))
    tss, sign = np.zeros(genes, dtype=int), rng.choice([-1, 1], size=genes)
    for number in np.unique(chrom):
        here = np.flatnonzero(chrom == number)
        left, right = rng.integers(1000, 4500, size=2)
        gaps = np.cumsum(1 + rng.exponential(0.35, size=len(here) - 1))
        tss[here[0]] = left
        tss[here[1:]] = left + gaps / gaps[-1:] * (grid.sizes[number] - left - right)
        close = here[1:-1:2][rng.random(len(here[1:-1:2])) < 0.08]
        pair = rng.random(len(close)) < 0.5
        tss[close] = tss[close - 1] + rng.integers(np.where(pair, 100, 1000), np.where(pair, 1000, 8000))
        sign[close[pair]], sign[close[pair] - 1] = 1, -1
    room = np.where(sign > 0, grid.sizes[chrom] - tss, tss)
    length = np.clip(rng.lognormal(np.log(9000), 0.9, size=genes).astype(int), 500, np.minimum(room, 80_000))
    # Ids are unordered along the genome, so that a split by id mixes the chromosomes; odd ids are for other gene types.
    ids = np.array([f"ENSG00009{2 * k:06d}" for k in rng.choice(499_999, size=genes, replace=False)])
    symbols = np.array([f"SYNG{k:04d}" for k in range(1, genes + 1)])
    return Genes(ids, symbols, np.full(genes, "protein_coding"), chrom, tss, sign, length)


def place_other(rng: np.random.Generator, grid: Grid, genes: int) -> Genes:
    """Put lincRNAs and pseudogenes anywhere; they are annotated, but are not in the expression matrix."""
    kinds = rng.choice(["lincRNA", "pseudogene"], size=genes)
    ids = np.array([f"ENSG00009{2 * k + 1:06d}" for k in rng.choice(499_999, size=genes, replace=False)])
    symbols = np.array([f"SYN{kind[0].upper()}{k:04d}" for k, kind in enumerate(kinds, start=1)])
    chrom = rng.choice(len(grid.sizes), size=genes, p=grid.sizes / grid.sizes.sum())
    tss = rng.integers(5000, grid.sizes[chrom] - 5000)
    return Genes(ids, symbols, kinds, chrom, tss, rng.choice([-1, 1], size=genes), rng.integers(300, 5000, size=genes))


def transcription(rng: np.random.Generator, genes: int, epigenomes: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw which genes are ON: housekeeping genes everywhere, silent ones nowhere, others by epigenome.

    Returns:
        on: bool, shape (gene, epigenome).
        level: matching log RPKM, with a component that a gene has in all epigenomes, shape (gene, epigenome).
    """
    kind = rng.choice(["housekeeping", "silent", "variable"], size=(genes, 1), p=[0.32, 0.25, 0.43])
    on = (kind == "housekeeping") | ((kind == "variable") & (rng.random((genes, epigenomes)) < 0.5))
    own = rng.normal(0, 0.7, size=(genes, 1)) + rng.normal(0, 0.6, size=(genes, epigenomes))
    return on, np.where(on, 2.7 + own, -0.8 + 1.2 * own)


def measure_rpkm(rng: np.random.Generator, on: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Draw RPKM, log-normal around `level`, with exact zeros among genes that are OFF.

    Returns:
        RPKM, shape (gene, 1 + epigenome): first the reference, a mix of all epigenomes, then each epigenome.
    """
    rpkm = np.exp(level + np.linspace(*UNEXPLAINED, on.shape[1]) * rng.normal(size=on.shape))
    rpkm[~on & (rng.random(on.shape) < rng.uniform(0.1, 0.35, size=on.shape[1]))] = 0
    return np.column_stack([rpkm.mean(axis=1) * rng.lognormal(0, 0.3, size=len(on)), rpkm])


def mark_shape(mark: str, distance: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Return a mark's average density along a gene, relative to its amplitude.

    H3K4me3 and H3K27ac flank the nucleosome-depleted region, more at the +1 nucleosome (Barski et al., Cell
    2007; Schones et al., Cell 2008), and share their position at active genes (Creyghton et al., PNAS 2010).
    H3K4me1 is further out and absent at the TSS (Heintzman et al., Nat. Genet. 2007). H3K36me3 rises along the
    transcribed body; H3K27me3 and H3K9me3 are broad domains over silent genes (Barski et al. 2007).

    Args:
        distance: distance from the TSS in the gene's direction (bp), shape (pair,).
        length: length of the gene (bp), shape (pair,).

    Returns:
        Density from 0 to about 1, shape (pair,).
    """
    after_end = np.maximum(distance - length, 0)
    match mark:
        case "H3K4me3" | "H3K27ac":
            wide = 1.0 if mark == "H3K4me3" else 1.2
            flanks = 0.6 * _bell(distance, -330, 180 * wide) + _bell(distance, 300, 220 * wide)
            return (flanks + 0.35 * _bell(distance, 900, 450 * wide)) * (1 - 0.85 * _bell(distance, -60, 100))
        case "H3K4me1":
            return _bell(distance, -1700, 600) + _bell(distance, 2100, 750)
        case "H3K36me3":
            rise = (0.6 + 0.4 * np.clip(distance / length, 0, 1)) / (1 + np.exp((1800 - distance) / 450))
            return rise * np.exp(-after_end / 500)
        case "H3K27me3":
            return np.exp(-((distance / 6000) ** 4))
        case "H3K9me3":
            upstream = np.maximum(-distance, 0)
            return np.exp(-((upstream / 6000) ** 4) - (after_end / 5000) ** 4) * (1 - 0.4 * _bell(distance, 0, 300))
    raise ValueError(f"mark {mark!r}: has no known shape; use one of {', '.join(FRIP)}")


def _bell(distance: np.ndarray, centre: float, sd: float) -> np.ndarray:
    return np.exp(-0.5 * ((distance - centre) / sd) ** 2)


class Landscape:
    """Possible positions of marks on the genome, and how genes differ in them, for all epigenomes."""

    def __init__(self, rng: np.random.Generator, grid: Grid, genes: Genes) -> None:
        """Lay out the marks of `genes`, and as many enhancers anywhere."""
        self.grid, number = grid, len(genes.ids)
        reach = np.full(number, REACH)
        self.gene, self.cell, distance = grid.around(genes.chrom, genes.tss, genes.sign, reach, genes.length + reach)
        # Transcription starts at a cluster of sites, which shifts and widens all marks of a promoter alike.
        shift, width = rng.normal(0, 50, size=number), rng.lognormal(0, 0.2, size=number)
        # What silences a gene that is OFF: Polycomb, alone or on a CpG island with weak H3K4me3 (bivalent:
        # Bernstein et al., Cell 2006), heterochromatin, or nothing that these marks show.
        self.silencer = rng.choice(["polycomb", "bivalent", "H3K9me3", "none"], size=number, p=[0.28, 0.17, 0.25, 0.3])
        # Enhancers have wide H3K4me1, and H3K27ac where they are active (Creyghton et al. 2010).
        chrom = rng.choice(len(grid.sizes), size=number, p=grid.sizes / grid.sizes.sum())
        self.enhancer, self.enhancer_cell, away = grid.around(
            chrom, rng.integers(0, grid.sizes[chrom]), np.ones(number), np.full(number, 3000), np.full(number, 3000)
        )
        self.enhancer_shapes = {"H3K4me1": _bell(away, 0, 700), "H3K27ac": 0.6 * _bell(away, 0, 300)}
        # The annotated TSS is the outermost TSS of a gene; some genes are transcribed from a TSS far inside.
        inner = rng.random(number) < INNER_START
        shift[inner] += rng.exponential(INNER_DISTANCE, size=inner.sum())
        promoter = (distance - shift[self.gene]) / width[self.gene]
        at = {mark: promoter if mark in ("H3K4me1", "H3K4me3", "H3K27ac") else distance for mark in FRIP}
        self.shapes = {mark: mark_shape(mark, at[mark], genes.length[self.gene]) for mark in FRIP}

    def draw_reads(
        self, rng: np.random.Generator, active: np.ndarray, level: np.ndarray, enrichment: float
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Draw the reads of one epigenome, mark by mark.

        Args:
            active: whether the chromatin follows a transcribed gene, shape (gene,).
            level: log RPKM that the chromatin follows, shape (gene,).
            enrichment: share of `FRIP` that the experiments reach.

        Yields:
            The mark, and the number of its reads that start in each cell, shape (cell,).
        """
        cells, genes = self.grid.first[-1], len(active)
        depth = READS_PER_GENE * genes * rng.lognormal(0, 0.15)
        # Copy number and mappability are the same for all marks of a sample.
        copies = _local_level(rng, cells)
        enhancing = rng.random(genes) < 0.4
        for mark in FRIP:
            height = self._amplitude(rng, mark, active, level)
            signal = np.bincount(self.cell, height[self.gene] * self.shapes[mark], minlength=cells)
            if mark in self.enhancer_shapes:
                height = (enhancing | (mark == "H3K4me1")) * rng.lognormal(-0.7, 0.6, size=genes)
                weights = height[self.enhancer] * self.enhancer_shapes[mark]
                signal += np.bincount(self.enhancer_cell, weights, minlength=cells)
            background = copies * _local_level(rng, cells)
            inside = FRIP[mark] * enrichment
            share = inside * signal / signal.sum() + (1 - inside) * background / background.sum()
            # A gamma-distributed rate makes the counts negative binomial: overdispersed, like real counts.
            rate = share * rng.standard_gamma(3, size=cells) / 3
            yield mark, rng.poisson(depth * rng.lognormal(0, 0.15) * rate)

    def _amplitude(self, rng: np.random.Generator, mark: str, active: np.ndarray, level: np.ndarray) -> np.ndarray:
        """Draw a mark's amplitude at each gene; active marks rise with log RPKM (Karlic et al., PNAS 2010)."""
        rising = active * np.clip(0.3 + 0.25 * level, 0.1, 2)
        bivalent, polycomb, heterochromatin = (
            1.0 * (~active & (self.silencer == kind)) for kind in ("bivalent", "polycomb", "H3K9me3")
        )
        mean = {
            "H3K4me3": rising + 0.3 * bivalent,
            "H3K27ac": rising + 0.04 * bivalent,
            "H3K4me1": 0.5 * rising + 0.4 * active + 0.5 * bivalent,
            "H3K36me3": rising,
            "H3K27me3": polycomb + bivalent,
            "H3K9me3": heterochromatin,
        }[mark]
        # Every gene has a little of each mark, and genes differ by more than their expression explains.
        return (mean + 0.03) * rng.lognormal(0, 0.6, size=len(active))


def _local_level(rng: np.random.Generator, cells: int) -> np.ndarray:
    """Draw a positive level that changes slowly along the genome, shape (cell,)."""
    nodes = np.arange(0, cells + LOCAL // CELL, LOCAL // CELL)
    return np.exp(np.interp(np.arange(cells), nodes, rng.normal(0, 0.3, size=len(nodes))))


def _reads_text(rng: np.random.Generator, grid: Grid, counts: np.ndarray) -> str:
    """Format reads as sorted tagAlign (BED6); `counts` is the number that start in each cell, shape (cell,)."""
    lines: list[str] = []
    for name, size, cells in grid.chromosomes():
        starts = np.repeat(np.arange(cells.stop - cells.start) * CELL, counts[cells])
        starts += rng.integers(0, CELL, size=len(starts))
        starts = np.sort(np.minimum(starts, size - READ_LENGTH))
        strands = rng.choice(["+", "-"], size=len(starts))
        lines += [
            f"{name}\t{start}\t{start + READ_LENGTH}\tN\t1000\t{strand}\n"
            for start, strand in zip(starts.tolist(), strands.tolist(), strict=True)
        ]
    return "".join(lines)


def _write_signal(path: Path, grid: Grid, counts: np.ndarray) -> None:
    """Write -log10 of the Poisson P value of each cell's depth over the mean, in runs, akin to MACS2's pval."""
    mean = counts.mean() * FRAGMENT_CELLS
    by_depth = -poisson.logsf(np.arange(counts.max() * FRAGMENT_CELLS + 1) - 1, mean) / np.log(10)
    # The distribution's tail underflows at about 1e-308.
    by_depth = np.minimum(np.round(by_depth, 3), 300)
    with pyBigWig.open(str(path), "w") as file:
        file.addHeader(list(zip(grid.names, grid.sizes.tolist(), strict=True)))
        for name, size, cells in grid.chromosomes():
            depth = np.convolve(counts[cells], np.ones(FRAGMENT_CELLS, dtype=int), mode="same")
            starts = np.concatenate([[0], np.flatnonzero(np.diff(depth)) + 1])
            ends = np.append(starts[1:] * CELL, size)
            file.addEntries([name] * len(starts), starts * CELL, ends=ends, values=by_depth[depth[starts]])


def _expression_text(ids: np.ndarray, rpkm: np.ndarray, epigenomes: list[str]) -> str:
    """Format the matrix as Roadmap does: three decimals, and a tab at the end of each row except the header."""
    rows = ["\t".join(["gene_id", REFERENCE, *epigenomes]) + "\n"]
    for gene, values in zip(ids, rpkm, strict=True):
        rows.append(f"{gene}\t" + "".join(f"{value:.3f}\t" for value in values) + "\n")
    return "".join(rows)


def _annotation_rows(rng: np.random.Generator, grid: Grid, genes: Genes) -> list[tuple[int, int, str]]:
    """Format gene, transcript and exons of each gene as GTF, with chromosome number and start for sorting."""
    rows = []
    for k, (symbol, kind) in enumerate(zip(genes.symbols, genes.kinds, strict=True)):
        chrom, tss, sign, length = (int(a[k]) for a in (genes.chrom, genes.tss, genes.sign, genes.length))
        start, end = (tss, tss + length - 1) if sign > 0 else (tss - length + 1, tss)
        gene = f"{genes.ids[k]}.{rng.integers(1, 13)}"
        transcript = gene.replace("ENSG", "ENST")
        # Exons and introns alternate between sorted cuts; exons are listed in the order of transcription.
        exons = min(1 + rng.poisson(3), length // 100)
        cuts = np.sort(rng.choice(length - 2, size=2 * (exons - 1), replace=False)) + start
        parts = list(zip([start, *cuts[1::2] + 1], [*cuts[::2], end], strict=True))[::sign]
        features = [("gene", start, end, gene), ("transcript", start, end, transcript)]
        text = "".join(
            f"{grid.names[chrom]}\tHAVANA\t{feature}\t{low}\t{high}\t.\t{'-+'[sign > 0]}\t.\t"
            f'gene_id "{gene}"; transcript_id "{name}"; gene_type "{kind}"; gene_status "KNOWN"; '
            f'gene_name "{symbol}"; transcript_type "{kind}"; transcript_status "KNOWN"; '
            f'transcript_name "{symbol if feature == "gene" else symbol + "-001"}"; level 2;\n'
            for feature, low, high, name in features + [("exon", *part, transcript) for part in parts]
        )
        rows.append((chrom, start, text))
    return rows


def _annotation_text(rows: list[tuple[int, int, str]]) -> str:
    header = "##description: synthetic genes in the style of GENCODE 10\n##provider: chromattend\n##format: gtf\n"
    return header + "".join(text for _, _, text in sorted(rows))


def _gzip(text: str) -> bytes:
    """Compress without timestamp and file name, so that the same text gives the same bytes."""
    return igzip.compress(text.encode(), mtime=0)


def _write(path: Path, content: bytes) -> None:
    with atomic(path) as temporary:
        temporary.write_bytes(content)
