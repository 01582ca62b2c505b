"""A small synthetic mirror of the Roadmap web site with known truth, for the demo and the tests.

Every gene has a hidden transcription state in each epigenome. Its expression is drawn from that state, and so are
the reads of six histone marks, whose average shapes around the TSS follow ChIP-seq (see `mark_shape`). Some genes
are uninformative: their chromatin follows a state of its own, so that no model can predict them.
"""

import gzip
import json
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyBigWig
from scipy.stats import poisson

from chromattend.errors import UserError
from chromattend.files import atomic
from chromattend.genes import read_chrom_sizes

logger = logging.getLogger(__name__)

# Stands in simulation.json: raise it with any change of what is written, so that older mirrors are made anew.
VERSION = 1
# Share of a file's reads that lies in enriched regions, by mark (FRiP: Landt et al., Genome Res. 2012).
FRIP = {"H3K27me3": 0.3, "H3K36me3": 0.4, "H3K4me1": 0.3, "H3K4me3": 0.45, "H3K9me3": 0.25, "H3K27ac": 0.4}
REFERENCE = "E000"  # the universal reference, the first column of Roadmap's matrix
ALIGNMENTS = "byFileType/alignments/consolidated/{}-{}.tagAlign.gz"
SIGNALS = "byFileType/signal/consolidated/macs2signal/pval/{}-{}.pval.signal.bigwig"
EXPRESSION = "byDataType/rna/expression/57epigenomes.RPKM.pc.gz"
ANNOTATION = "byDataType/rna/annotations/gen10.long.gtf.gz"

READ_LENGTH = 36  # bp, as all reads of the consolidated epigenomes
READS_PER_GENE = 75  # mean depth of a file; real files have about 1,500
CELL = 50  # bp, the resolution at which read densities are drawn
REACH = 10_000  # bp around a gene that its marks may cover
FRAGMENT_CELLS = 5  # 250 bp, about a ChIP fragment, over which the signal track counts reads
LOCAL = 200_000  # bp over which the background's level changes
MIN_SPACING = 15_000  # bp a gene, on average; with less, windows of neighbours would overlap throughout
UNINFORMATIVE = 0.13  # share of genes whose chromatin says nothing about their expression
# From the first epigenome to the last: the share of FRIP that an experiment reaches, and the spread (sd of log
# RPKM) that chromatin does not explain. With them a random forest's test AUC goes from about 0.80 to 0.90.
ENRICHMENT = (0.6, 1.0)
UNEXPLAINED = (1.6, 0.5)


@dataclass(frozen=True)
class Grid:
    """The genome cut into cells of `CELL` bp, numbered through all chromosomes; a short rest at each end is left out.

    Attributes
    ----------
    names, sizes : chromosome names, and lengths in bp, shape (chromosome,).
    first : number of each chromosome's first cell, and at the end that of all cells, shape (chromosome + 1,).
    """

    names: list[str]
    sizes: np.ndarray
    first: np.ndarray

    def chromosomes(self) -> Iterator[tuple[str, int, slice]]:
        """Yield the name, length (bp) and cells of each chromosome."""
        for name, size, first, last in zip(self.names, self.sizes, self.first[:-1], self.first[1:], strict=True):
            yield name, int(size), slice(first, last)

    def around(
        self, chrom: np.ndarray, centre: np.ndarray, sign: np.ndarray, upstream: np.ndarray, downstream: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """List the cells around genomic elements, within their chromosomes.

        Parameters
        ----------
        chrom, centre, sign : number of the chromosome, position (bp) and direction (1 or -1), shape (element,).
        upstream, downstream : extent in the element's own direction (bp), shape (element,).

        Returns
        -------
        element, cell : number of the element and of the cell, shape (pair,).
        distance : of the cell's middle from the centre, in the element's direction (bp), shape (pair,).
        """
        start = centre - np.where(sign > 0, upstream, downstream)
        end = centre + np.where(sign > 0, downstream, upstream)
        low = np.maximum(start // CELL, 0)
        number = np.minimum(end // CELL + 1, np.diff(self.first)[chrom]) - low
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

    The same arguments give the same bytes. A folder that is complete for these arguments is left as it is; one that
    was interrupted, or was made from others, is written anew.

    Parameters
    ----------
    folder : where the mirror goes. At its top lies `truth.tsv`, a row per gene: gene, informative, and whether it is
        ON or OFF in each epigenome; and the arguments in `simulation.json`, which is written last.
    chrom_sizes : tab-separated names and lengths (bp) of the chromosomes; 15,000 bp a gene at least.
    epigenomes : their names. The quality of the data, and so the AUC of models, rises from the first to the last.
    genes : number of protein-coding genes. A file has about 75 reads for each.
    seed : whole number from 0.

    Raises
    ------
    UserError
        No mirror can be made from the arguments.
    """
    folder, epigenomes = Path(folder), list(epigenomes)
    sizes = read_chrom_sizes(chrom_sizes)
    _check(sizes, chrom_sizes, epigenomes, genes, seed)
    parameters = {"version": VERSION, "seed": seed, "genes": genes, "epigenomes": epigenomes, "chrom_sizes": sizes}
    record, content = folder / "simulation.json", (json.dumps(parameters, indent=1) + "\n").encode()
    paths = [EXPRESSION, ANNOTATION, "truth.tsv"]
    paths += [template.format(name, mark) for template in (ALIGNMENTS, SIGNALS) for name in epigenomes for mark in FRIP]
    if record.exists() and record.read_bytes() == content and all((folder / path).exists() for path in paths):
        logger.info("%s: is complete", folder)
        return
    record.unlink(missing_ok=True)

    rng = np.random.default_rng(seed)
    lengths = np.array(list(sizes.values()))
    grid = Grid(list(sizes), lengths, np.concatenate([[0], np.cumsum(lengths // CELL)]))
    table = place_genes(rng, grid, genes)
    on, level = transcription(rng, genes, len(epigenomes))
    informative = rng.random(genes) >= UNINFORMATIVE
    # Uninformative genes get the chromatin of another transcription than their own.
    other_on, other_level = transcription(rng, genes, len(epigenomes))
    active = np.where(informative[:, None], on, other_on)
    strength = np.where(informative[:, None], level, other_level)
    rpkm = measure_rpkm(rng, on, level)

    by_id = np.argsort(table["gene"].to_numpy())
    truth = pd.DataFrame({"gene": table["gene"], "informative": informative})
    truth[epigenomes] = np.where(on, "ON", "OFF")
    _write(folder / "truth.tsv", truth.iloc[by_id].to_csv(sep="\t", index=False, lineterminator="\n").encode())
    _write(folder / EXPRESSION, _gzip(_expression_text(table["gene"].iloc[by_id], rpkm[by_id], epigenomes)))
    _write(folder / ANNOTATION, _gzip(_annotation_text(rng, table, grid)))

    landscape = Landscape(rng, grid, table)
    quality = np.linspace(*ENRICHMENT, len(epigenomes))
    for number, (name, stream) in enumerate(zip(epigenomes, rng.spawn(len(epigenomes)), strict=True)):
        for mark, counts in landscape.draw_reads(stream, active[:, number], strength[:, number], quality[number]):
            _write(folder / ALIGNMENTS.format(name, mark), _gzip(_reads_text(stream, grid, counts)))
            with atomic(folder / SIGNALS.format(name, mark)) as path:
                _write_signal(path, grid, counts)
        logger.info("%s: %d marks written, epigenome %d of %d", name, len(FRIP), number + 1, len(epigenomes))
    _write(record, content)


def _check(sizes: dict[str, int], source: Path, epigenomes: list[str], genes: int, seed: int) -> None:
    if not epigenomes or len(set(epigenomes)) < len(epigenomes):
        raise UserError(f"epigenomes: {epigenomes} names none, or one twice; give different names")
    for name in epigenomes:
        if not re.fullmatch(r"\w+", name) or name in (REFERENCE, "gene", "informative", "gene_id"):
            raise UserError(f"epigenomes: {name!r} cannot be a name here; use letters and digits, such as SYN1")
    if genes < 1 or seed < 0:
        raise UserError(f"genes {genes}, seed {seed}: give at least 1 gene and a seed from 0")
    for chrom, size in sizes.items():
        if size < MIN_SPACING:
            raise UserError(f"{source}: {chrom} has {size} bp; give at least {MIN_SPACING} bp or remove its line")
    if sum(sizes.values()) < genes * MIN_SPACING:
        raise UserError(
            f"{source}: {sum(sizes.values())} bp are too few for {genes} genes; give {genes * MIN_SPACING} bp or "
            "ask for fewer genes"
        )


def place_genes(rng: np.random.Generator, grid: Grid, genes: int) -> pd.DataFrame:
    """Put protein-coding genes on the chromosomes.

    Neighbouring TSSs are at least about three quarters of the mean spacing apart, but one gene in 25 lies close to
    the one before it, in half of the cases as a bidirectional pair; there windows overlap. The outermost genes lie
    less than 5 kb from the chromosome's ends, which their windows leave.

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
            for mark in FRIP
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
        for mark in FRIP:
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
    for name, size, cells in grid.chromosomes():
        starts = np.repeat(np.arange(cells.stop - cells.start) * CELL, counts[cells])
        starts += rng.integers(0, CELL, size=len(starts))
        starts = np.sort(np.minimum(starts, size - READ_LENGTH))
        strands = rng.choice(["+", "-"], size=len(starts)).tolist()
        lines += [
            f"{name}\t{start}\t{start + READ_LENGTH}\tN\t1000\t{strand}\n"
            for start, strand in zip(starts.tolist(), strands, strict=True)
        ]
    return "".join(lines)


def _write_signal(path: Path, grid: Grid, counts: np.ndarray) -> None:
    """Write the -log10 Poisson P value of each cell's read depth over the genome's mean, in runs (MACS2's pval)."""
    mean = counts.mean() * FRAGMENT_CELLS
    table = -poisson.logsf(np.arange(counts.max() * FRAGMENT_CELLS + 1) - 1, mean) / np.log(10)
    # The tail of the distribution underflows at about 1e-308.
    table = np.minimum(np.round(table, 3), 300)
    with pyBigWig.open(str(path), "w") as file:
        file.addHeader(list(zip(grid.names, grid.sizes.tolist(), strict=True)))
        for name, size, cells in grid.chromosomes():
            depth = np.convolve(counts[cells], np.ones(FRAGMENT_CELLS, dtype=int), mode="same")
            starts = np.concatenate([[0], np.flatnonzero(np.diff(depth)) + 1])
            ends = np.append(starts[1:] * CELL, size)
            file.addEntries([name] * len(starts), starts * CELL, ends=ends, values=table[depth[starts]])


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
