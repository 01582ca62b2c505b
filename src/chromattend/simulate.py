"""A small synthetic mirror of the Roadmap web site with known truth, for the demo and the tests.

Every gene has a hidden transcription state in each epigenome. Expression is drawn from it, and so are the reads of
six histone marks, whose average shapes around the TSS follow what ChIP-seq shows (see `mark_shape`). Some genes are
uninformative: their chromatin follows a state of its own, so no model can predict them and no AUC comes near 1.
"""

import gzip
import json
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyBigWig
from scipy.stats import poisson

from chromattend.errors import UserError
from chromattend.files import atomic
from chromattend.genes import read_chrom_sizes

logger = logging.getLogger(__name__)

# Part of the record in simulation.json: raise it with any change of what is written, so that old mirrors are remade.
VERSION = 1
# Share of a file's reads that lies in enriched regions (FRiP: Landt et al., Genome Res. 2012), by mark.
FRIP = {"H3K27me3": 0.30, "H3K36me3": 0.40, "H3K4me1": 0.30, "H3K4me3": 0.45, "H3K9me3": 0.25, "H3K27ac": 0.40}
MARKS = tuple(FRIP)
REFERENCE = "E000"  # the universal reference, which Roadmap's matrix has as its first column

READ_LENGTH = 36  # bp, as all reads of the consolidated epigenomes
READS_PER_GENE = 75  # mean depth of a file; real files have about 1,500, but a demo is to be small
CELL = 50  # bp: resolution at which read densities are drawn
REACH = 10_000  # bp around a gene that its marks may cover
FRAGMENT_CELLS = 5  # 250 bp: what the signal track counts reads over, about a ChIP fragment
LOCAL = 200_000  # bp over which the background's level changes
MIN_SPACING = 15_000  # bp a gene, on average; less would make nearly all windows overlap
UNINFORMATIVE = 0.14  # share of genes whose chromatin says nothing about their expression
# From the first epigenome to the last: the share of FRIP that an experiment reaches, and the spread (sd of log
# RPKM) of what chromatin does not explain. They set how well models can do: test AUC of about 0.80 to 0.90.
ENRICHMENT = (0.6, 1.0)
UNEXPLAINED = (1.8, 0.7)


@dataclass(frozen=True)
class Simulation:
    """What determines the files of a mirror; recorded in `simulation.json`.

    Attributes
    ----------
    chrom_sizes : lengths of the chromosomes in bp, by name.
    epigenomes : names of the epigenomes, in the order of the expression matrix.
    genes : number of protein-coding genes.
    seed : seed of all random numbers.
    version : version of this program's files.
    """

    chrom_sizes: dict[str, int]
    epigenomes: list[str]
    genes: int
    seed: int
    version: int = VERSION


@dataclass(frozen=True)
class Grid:
    """The genome cut into cells of `CELL` bp, numbered through all chromosomes; a short rest at the ends is left out.

    Attributes
    ----------
    names : chromosome names.
    sizes : lengths in bp, shape (chromosome,).
    first : number of each chromosome's first cell, and the number of all cells at the end, shape (chromosome + 1,).
    """

    names: list[str]
    sizes: np.ndarray
    first: np.ndarray

    @classmethod
    def of(cls, chrom_sizes: dict[str, int]) -> "Grid":
        """Cut the chromosomes."""
        sizes = np.array(list(chrom_sizes.values()))
        return cls(list(chrom_sizes), sizes, np.concatenate([[0], np.cumsum(sizes // CELL)]))

    def around(
        self, chrom: np.ndarray, centre: np.ndarray, sign: np.ndarray, upstream: np.ndarray, downstream: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """List the cells around genomic elements, clipped to their chromosomes.

        Parameters
        ----------
        chrom, centre, sign : number of the chromosome, position (bp) and direction (1 or -1), shape (element,).
        upstream, downstream : extent in the element's own direction (bp), shape (element,).

        Returns
        -------
        element, cell : numbers of the element and of the cell, shape (pair,).
        distance : of the cell's middle from the centre in the element's direction (bp), float32, shape (pair,).
        """
        start = centre - np.where(sign > 0, upstream, downstream)
        end = centre + np.where(sign > 0, downstream, upstream)
        low = np.maximum(start // CELL, 0)
        high = np.minimum(end // CELL + 1, np.diff(self.first)[chrom])
        number = high - low
        element = np.repeat(np.arange(len(centre)), number)
        within = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number) + low[element]
        distance = (within * CELL + CELL // 2 - centre[element]) * sign[element]
        return element, within + self.first[chrom[element]], distance.astype(np.float32)


def simulate_mirror(
    folder: Path,
    *,
    chrom_sizes: Path,
    epigenomes: Sequence[str] = ("SYN1", "SYN2", "SYN3"),
    genes: int = 2000,
    seed: int = 1,
) -> None:
    """Write reads, signal, expression and annotation at Roadmap's relative paths, and the truth behind them.

    The same arguments give the same bytes. A folder that is complete for the same arguments is left as it is; one
    that was interrupted or has other arguments is written anew, file by file under temporary names.

    Parameters
    ----------
    folder : where the mirror goes; `truth.tsv` and `simulation.json`, written last, lie at its top. The truth has a
        row per gene: gene, informative, and per epigenome whether its transcription is ON or OFF.
    chrom_sizes : tab-separated names and lengths (bp) of the chromosomes, at least 15,000 bp a gene.
    epigenomes : their names. Data quality, and with it the AUC that models reach, rises from first to last.
    genes : number of protein-coding genes; as many reads as `READS_PER_GENE` for each go into a file on average.
    seed : whole number from 0.

    Raises
    ------
    UserError
        Arguments that no mirror can be made from.
    """
    folder = Path(folder)
    simulation = Simulation(read_chrom_sizes(chrom_sizes), list(epigenomes), genes, seed)
    _check(simulation, chrom_sizes)
    record = folder / "simulation.json"
    text = json.dumps(asdict(simulation), indent=1) + "\n"
    alignments = "byFileType/alignments/consolidated/{}-{}.tagAlign.gz"
    signals = "byFileType/signal/consolidated/macs2signal/pval/{}-{}.pval.signal.bigwig"
    expression = folder / "byDataType/rna/expression/57epigenomes.RPKM.pc.gz"
    annotation = folder / "byDataType/rna/annotations/gen10.long.gtf.gz"
    expected = [expression, annotation, folder / "truth.tsv"]
    expected += [folder / path.format(e, mark) for path in (alignments, signals) for e in epigenomes for mark in MARKS]
    if record.exists() and record.read_text(encoding="utf-8") == text and all(path.exists() for path in expected):
        logger.info("%s is complete", folder)
        return
    record.unlink(missing_ok=True)

    rng = np.random.default_rng(seed)
    grid = Grid.of(simulation.chrom_sizes)
    table = place_genes(rng, grid, genes)
    on, level = transcription(rng, genes, len(epigenomes))
    informative = rng.random(genes) >= UNINFORMATIVE
    # Uninformative genes get chromatin that fits another transcription than their own.
    other_on, other_level = transcription(rng, genes, len(epigenomes))
    active = np.where(informative[:, None], on, other_on)
    strength = np.where(informative[:, None], level, other_level)
    rpkm = measure_rpkm(rng, on, level)

    order = table["gene"].argsort().to_numpy()
    states = pd.DataFrame(np.where(on, "ON", "OFF"), columns=list(epigenomes))
    truth = pd.concat([table["gene"], pd.Series(informative, name="informative"), states], axis=1).iloc[order]
    _write(expression, _gzip(_expression_text(table["gene"].to_numpy()[order], rpkm[order], epigenomes)))
    _write(annotation, _gzip(_annotation_text(rng, table, grid)))

    landscape = Landscape(rng, grid, table)
    enrichment = np.linspace(*ENRICHMENT, len(epigenomes))
    for number, stream in enumerate(rng.spawn(len(epigenomes))):
        counted = landscape.draw_reads(stream, active[:, number], strength[:, number], enrichment[number])
        for mark, counts in counted:
            _write(folder / alignments.format(epigenomes[number], mark), _gzip(_reads_text(stream, grid, counts)))
            with atomic(folder / signals.format(epigenomes[number], mark)) as path:
                _write_signal(path, grid, counts)
        logger.info("%s: wrote %d marks, epigenome %d of %d", epigenomes[number], len(MARKS), number + 1, len(epigenomes))
    _write(folder / "truth.tsv", truth.to_csv(sep="\t", index=False, lineterminator="\n").encode())
    _write(record, text.encode())


def _check(simulation: Simulation, source: Path) -> None:
    names = simulation.epigenomes
    if not names or len(set(names)) < len(names):
        raise UserError(f"epigenomes: {names} is empty or names one twice; give different names")
    for name in names:
        if not re.fullmatch(r"\w[\w.]*", name) or name == REFERENCE:
            raise UserError(f"epigenomes: {name!r} cannot be used; give letters and digits, and not {REFERENCE}")
    if simulation.seed < 0 or simulation.genes < 1:
        raise UserError(f"seed {simulation.seed}, genes {simulation.genes}: give a seed from 0 and at least 1 gene")
    for chrom, size in simulation.chrom_sizes.items():
        if size < MIN_SPACING:
            raise UserError(f"{source}: {chrom} has {size} bp; give at least {MIN_SPACING} bp or remove its line")
    total = sum(simulation.chrom_sizes.values())
    if total < simulation.genes * MIN_SPACING:
        raise UserError(
            f"{source}: {total} bp are too few for {simulation.genes} genes; "
            f"give chromosomes of {simulation.genes * MIN_SPACING} bp in all, or fewer genes"
        )


def place_genes(rng: np.random.Generator, grid: Grid, genes: int) -> pd.DataFrame:
    """Put protein-coding genes on the chromosomes.

    Neighbouring TSSs are at least three quarters of the mean spacing apart, but for one gene in 25, which lies close
    to the one before it, half of these as bidirectional pairs; windows of 10 kb overlap there. The outermost genes
    lie less than 5 kb from the chromosome's ends, where windows leave it.

    Returns
    -------
    DataFrame in genome order with gene (id without version), symbol, chrom (number), tss (1-based, bp), sign
    (1 or -1) and length (bp; log-normal, as gene lengths are).
    """
    borders = np.rint(np.concatenate([[0], np.cumsum(grid.sizes)]) / grid.sizes.sum() * genes).astype(int)
    chroms, places, signs = [], [], []
    for chrom, number in enumerate(np.diff(borders)):
        outer = rng.integers(1000, 4500, size=2)
        gaps = 1 + rng.exponential(0.35, size=max(number - 1, 0))
        tss = outer[0] + np.concatenate([[0], np.cumsum(gaps) / gaps.sum() * (grid.sizes[chrom] - outer.sum())])
        tss = tss[:number].astype(int)
        sign = rng.choice([-1, 1], size=number)
        second = np.arange(1, number - 1, 2)
        second = second[rng.random(len(second)) < 0.08]
        bidirectional = rng.random(len(second)) < 0.5
        apart = np.where(bidirectional, rng.integers(100, 1000, len(second)), rng.integers(1000, 8000, len(second)))
        tss[second] = tss[second - 1] + apart
        sign[second[bidirectional]], sign[second[bidirectional] - 1] = 1, -1
        chroms.append(np.full(number, chrom))
        places.append(tss)
        signs.append(sign)
    chrom, tss, sign = np.concatenate(chroms), np.concatenate(places), np.concatenate(signs)
    room = np.where(sign > 0, grid.sizes[chrom] - tss, tss)
    length = np.clip(rng.lognormal(np.log(9000), 0.9, size=genes).astype(int), 500, np.minimum(room, 80_000))
    # Ids in no order along the genome, so that a split by id mixes the chromosomes; odd ones are left to other types.
    ids = 2 * rng.choice(499_999, size=genes, replace=False)
    return pd.DataFrame(
        {
            "gene": [f"ENSG00009{number:06d}" for number in ids],
            "symbol": [f"SYNG{number:04d}" for number in range(1, genes + 1)],
            "chrom": chrom,
            "tss": tss,
            "sign": sign,
            "length": length,
        }
    )


def transcription(rng: np.random.Generator, genes: int, epigenomes: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw which genes are ON: housekeeping genes everywhere, silent genes nowhere, the others by epigenome.

    Returns
    -------
    on : bool, shape (gene, epigenome).
    level : log RPKM that goes with the state, shape (gene, epigenome); partly the gene's own in all epigenomes.
    """
    kind = rng.choice(["housekeeping", "silent", "variable"], size=(genes, 1), p=[0.32, 0.25, 0.43])
    on = (kind == "housekeeping") | ((kind == "variable") & (rng.random((genes, epigenomes)) < 0.5))
    own = rng.normal(0, 0.7, size=(genes, 1)) + rng.normal(0, 0.6, size=(genes, epigenomes))
    return on, np.where(on, 2.7 + own, -0.8 + 1.2 * own)


def measure_rpkm(rng: np.random.Generator, on: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Draw RPKM: log-normal around `level`, with exact zeros among genes that are OFF.

    Returns
    -------
    RPKM, shape (gene, 1 + epigenome): the reference, a mix of all epigenomes, and then each of them.
    """
    genes, epigenomes = on.shape
    spread = np.linspace(*UNEXPLAINED, epigenomes)
    rpkm = np.exp(level + spread * rng.normal(size=on.shape))
    rpkm[~on & (rng.random(on.shape) < rng.uniform(0.1, 0.35, size=epigenomes))] = 0
    reference = rpkm.mean(axis=1) * rng.lognormal(0, 0.3, size=genes)
    return np.column_stack([reference, rpkm])


def mark_shape(mark: str, distance: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Give a mark's average density along a gene, as a multiple of its amplitude.

    H3K4me3 and H3K27ac flank the nucleosome-depleted region, more at the +1 nucleosome (Barski et al., Cell 2007;
    Schones et al., Cell 2008); they share their position at active genes (Creyghton et al., PNAS 2010). H3K4me1 is
    further out and lacks at the TSS itself (Heintzman et al., Nat. Genet. 2007). H3K36me3 rises along the transcribed
    body (Barski et al. 2007). H3K27me3 and H3K9me3 are broad domains over silent genes (Barski et al. 2007).

    Parameters
    ----------
    distance : from the TSS in the gene's direction (bp), shape (pair,).
    length : of the gene (bp), shape (pair,).

    Returns
    -------
    Density from 0 to about 1, shape (pair,).
    """
    after_end = np.maximum(distance - length, 0)
    match mark:
        case "H3K4me3" | "H3K27ac":
            wide = 1.0 if mark == "H3K4me3" else 1.2
            flanks = 0.6 * _bell(distance, -330, 180 * wide) + _bell(distance, 300, 220 * wide)
            shoulder = 0.35 * _bell(distance, 900 * wide, 450 * wide)
            return (flanks + shoulder) * (1 - 0.85 * _bell(distance, -60, 100))
        case "H3K4me1":
            return _bell(distance, -1700, 600) + _bell(distance, 2100, 750)
        case "H3K36me3":
            rise = 1 / (1 + np.exp(-(distance - 1800) / 450)) * (0.6 + 0.4 * np.clip(distance / length, 0, 1))
            return rise * np.exp(-after_end / 500)
        case "H3K27me3":
            return np.exp(-((distance / 6000) ** 4))
        case _:
            upstream = np.maximum(-distance, 0)
            return np.exp(-((upstream / 6000) ** 4) - (after_end / 5000) ** 4) * (1 - 0.4 * _bell(distance, 0, 300))


def _bell(distance: np.ndarray, centre: float, sd: float) -> np.ndarray:
    return np.exp(-0.5 * ((distance - centre) / sd) ** 2)


class Landscape:
    """Where marks can lie on the genome, and how genes differ in them in every epigenome.

    Parameters
    ----------
    table : genes as from `place_genes`. As many enhancers are put anywhere.
    """

    def __init__(self, rng: np.random.Generator, grid: Grid, table: pd.DataFrame) -> None:
        self.grid, genes, length = grid, len(table), table["length"].to_numpy()
        place = (table[column].to_numpy() for column in ("chrom", "tss", "sign"))
        self.gene, self.cell, distance = grid.around(*place, np.full(genes, REACH), length + REACH)
        # Transcription starts at a cluster of sites, which moves and widens all marks of a promoter alike.
        shift, width = rng.normal(0, 50, size=genes), rng.lognormal(0, 0.2, size=genes)
        promoter = (distance - shift[self.gene]) / width[self.gene]
        self.shapes = {
            mark: mark_shape(mark, promoter if mark.startswith(("H3K4", "H3K27ac")) else distance, length[self.gene])
            for mark in MARKS
        }
        # What keeps a gene silent where it is OFF: Polycomb, alone or on a CpG island with weak H3K4me3 (bivalent:
        # Bernstein et al., Cell 2006), heterochromatin, or nothing that these marks show.
        self.silencing = rng.choice(["polycomb", "bivalent", "H3K9me3", "none"], size=genes, p=[0.28, 0.17, 0.25, 0.3])
        chrom = rng.choice(len(grid.sizes), size=genes, p=grid.sizes / grid.sizes.sum())
        middle = (rng.random(genes) * grid.sizes[chrom]).astype(int)
        reach = np.full(genes, 3000)
        self.enhancer, self.enhancer_cell, away = grid.around(chrom, middle, np.ones_like(chrom), reach, reach)
        # Enhancers: wide H3K4me1, and H3K27ac where they are active (Creyghton et al. 2010).
        self.enhancer_shapes = {"H3K4me1": _bell(away, 0, 700), "H3K27ac": 0.6 * _bell(away, 0, 300)}

    def draw_reads(
        self, rng: np.random.Generator, active: np.ndarray, level: np.ndarray, enrichment: float
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Draw the reads of one epigenome, mark by mark.

        Parameters
        ----------
        active : whether a gene's chromatin is that of a transcribed gene, shape (gene,).
        level : the log RPKM that it fits, shape (gene,).
        enrichment : share of `FRIP` that the experiments reach.

        Yields
        ------
        The mark and how many of its reads start in each cell, shape (cell,).
        """
        cells = self.grid.first[-1]
        depth = READS_PER_GENE * len(active) * rng.lognormal(0, 0.15)
        # Copy number and mappability are the same for all marks of a sample.
        copies = _local_level(rng, cells)
        enhancing = rng.random(len(active)) < 0.4
        for mark in MARKS:
            amplitude = self._amplitude(rng, mark, active, level)
            signal = np.bincount(self.cell, amplitude[self.gene] * self.shapes[mark], minlength=cells)
            if mark in self.enhancer_shapes:
                height = (enhancing | (mark == "H3K4me1")) * rng.lognormal(-0.7, 0.6, size=len(active))
                shape = self.enhancer_shapes[mark]
                signal += np.bincount(self.enhancer_cell, height[self.enhancer] * shape, minlength=cells)
            background = copies * _local_level(rng, cells)
            inside = FRIP[mark] * enrichment
            share = inside * signal / signal.sum() + (1 - inside) * background / background.sum()
            # A gamma-distributed rate makes the counts negative binomial, as replicates of ChIP-seq are.
            rate = rng.standard_gamma(3, size=cells) / 3
            yield mark, rng.poisson(depth * rng.lognormal(0, 0.15) * share * rate)

    def _amplitude(self, rng: np.random.Generator, mark: str, active: np.ndarray, level: np.ndarray) -> np.ndarray:
        """Draw a mark's amplitude at every gene; active marks rise with log expression (Karlic et al., PNAS 2010)."""
        rising = active * np.clip(0.3 + 0.25 * level, 0.1, 2)
        silenced = {kind: ~active & (self.silencing == kind) for kind in np.unique(self.silencing)}
        bivalent = silenced.get("bivalent", 0)
        mean = {
            "H3K4me3": rising + 0.3 * bivalent,
            "H3K27ac": rising + 0.04 * bivalent,
            "H3K4me1": 0.4 * active + 0.5 * rising + 0.5 * bivalent,
            "H3K36me3": rising,
            "H3K27me3": silenced.get("polycomb", 0) + bivalent,
            "H3K9me3": silenced.get("H3K9me3", 0) + np.zeros(len(active)),
        }[mark]
        # Some of any mark lies at any gene, and genes differ by more than their expression explains.
        return (mean + 0.03) * rng.lognormal(0, 0.6, size=len(active))


def _local_level(rng: np.random.Generator, cells: int) -> np.ndarray:
    """Draw a positive level that changes slowly along the genome, shape (cell,)."""
    nodes = np.arange(0, cells + LOCAL // CELL, LOCAL // CELL)
    return np.exp(np.interp(np.arange(cells), nodes, rng.normal(0, 0.3, size=len(nodes))))


def _reads_text(rng: np.random.Generator, grid: Grid, counts: np.ndarray) -> str:
    """Write reads as tagAlign (BED6), sorted; `counts` has the reads that start in each cell, shape (cell,)."""
    lines: list[str] = []
    for name, size, first, last in zip(grid.names, grid.sizes, grid.first[:-1], grid.first[1:], strict=True):
        starts = np.repeat(np.arange(last - first) * CELL, counts[first:last])
        starts += rng.integers(0, CELL, size=len(starts))
        starts = np.sort(np.minimum(starts, size - READ_LENGTH))
        strands = rng.choice(["+", "-"], size=len(starts)).tolist()
        lines += [
            f"{name}\t{start}\t{start + READ_LENGTH}\tN\t1000\t{strand}\n"
            for start, strand in zip(starts.tolist(), strands, strict=True)
        ]
    return "".join(lines)


def _write_signal(path: Path, grid: Grid, counts: np.ndarray) -> None:
    """Write -log10 of the Poisson P value of each cell's depth, as MACS2 does, against the genome's mean depth."""
    mean = counts.mean() * FRAGMENT_CELLS
    table = np.round(-poisson.logsf(np.arange(counts.max() * FRAGMENT_CELLS + 1) - 1, mean) / np.log(10), 3)
    with pyBigWig.open(str(path), "w") as file:
        file.addHeader(list(zip(grid.names, grid.sizes.tolist(), strict=True)))
        for name, size, first, last in zip(grid.names, grid.sizes, grid.first[:-1], grid.first[1:], strict=True):
            depth = np.convolve(counts[first:last], np.ones(FRAGMENT_CELLS, dtype=int), mode="same")
            starts = np.concatenate([[0], np.flatnonzero(np.diff(depth)) + 1])
            ends = np.append(starts[1:] * CELL, size)
            file.addEntries(np.full(len(starts), name).tolist(), starts * CELL, ends=ends, values=table[depth[starts]])


def _expression_text(ids: np.ndarray, rpkm: np.ndarray, epigenomes: Sequence[str]) -> str:
    """Write the matrix as Roadmap does: three decimals, and a tab at the end of each row but the header."""
    rows = ["\t".join(["gene_id", REFERENCE, *epigenomes])]
    for gene, values in zip(ids, rpkm, strict=True):
        rows.append(gene + "\t" + "".join(f"{value:.3f}\t" for value in values))
    return "\n".join(rows) + "\n"


def _annotation_text(rng: np.random.Generator, table: pd.DataFrame, grid: Grid) -> str:
    """Write GENCODE's GTF: gene, transcript and exons of all genes, with one lincRNA or pseudogene to ten others."""
    number = max(len(table) // 10, 1)
    chrom = rng.choice(len(grid.sizes), size=number, p=grid.sizes / grid.sizes.sum())
    length = rng.integers(300, 5000, size=number)
    tss = (5000 + rng.random(number) * (grid.sizes[chrom] - 10_000)).astype(int)
    kind = rng.choice(["lincRNA", "pseudogene"], size=number)
    others = pd.DataFrame(
        {
            "gene": [f"ENSG00009{2 * k + 1:06d}" for k in rng.choice(499_999, size=number, replace=False)],
            "symbol": [f"SYN{k[0].upper()}{i:04d}" for i, k in enumerate(kind, start=1)],
            "type": kind,
            "chrom": chrom,
            "tss": tss,
            "sign": rng.choice([-1, 1], size=number),
            "length": length,
        }
    )
    genes = pd.concat([table.assign(type="protein_coding"), others])
    genes["start"] = np.where(genes["sign"] > 0, genes["tss"], genes["tss"] - genes["length"] + 1)
    lines = ["##description: synthetic genes in the style of GENCODE 10", "##provider: chromattend", "##format: gtf"]
    for gene in genes.sort_values(["chrom", "start", "gene"]).itertuples():
        identity = f"{gene.gene}.{rng.integers(1, 13)}"
        transcript = identity.replace("ENSG", "ENST")
        end = gene.start + gene.length - 1
        # Exons from the first to the last base, with introns between sorted cuts; numbered as they are transcribed.
        exons = int(min(1 + rng.poisson(3), gene.length // 200))
        cuts = np.sort(rng.choice(gene.length - 1, size=2 * (exons - 1), replace=False)) + gene.start
        parts = list(zip([gene.start, *cuts[1::2] + 1], [*cuts[::2], end], strict=True))[:: gene.sign]
        rows = [("gene", gene.start, end, identity), ("transcript", gene.start, end, transcript)]
        rows += [("exon", *part, transcript) for part in parts]
        for feature, first, last, name in rows:
            lines.append(
                f"{grid.names[gene.chrom]}\tHAVANA\t{feature}\t{first}\t{last}\t.\t{'+' if gene.sign > 0 else '-'}\t.\t"
                f'gene_id "{identity}"; transcript_id "{name}"; gene_type "{gene.type}"; gene_status "KNOWN"; '
                f'gene_name "{gene.symbol}"; transcript_type "{gene.type}"; transcript_status "KNOWN"; '
                f'transcript_name "{gene.symbol}-001"; level 2;'
            )
    return "\n".join(lines) + "\n"


def _gzip(text: str) -> bytes:
    """Compress without time and file name, so that the same text gives the same bytes."""
    return gzip.compress(text.encode(), compresslevel=4, mtime=0)


def _write(path: Path, content: bytes) -> None:
    with atomic(path) as temporary:
        temporary.write_bytes(content)
