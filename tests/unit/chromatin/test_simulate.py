"""The synthetic mirror: real formats, the same bytes for a seed, and the biology that it promises."""

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyBigWig
import pytest

from chromattend.chromatin import simulate
from chromattend.chromatin.expression import read_rpkm
from chromattend.chromatin.genes import read_annotation, read_chrom_sizes
from chromattend.chromatin.simulate import simulate_mirror

MARKS = ["H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3", "H3K27ac"]
EPIGENOMES = ["SYN1", "SYN2", "SYN3"]
SIZES = {"chr1": 4_000_017, "chr2": 2_500_000, "chrX": 1_500_049}
GENES = 300
RPKM = "byDataType/rna/expression/57epigenomes.RPKM.pc.gz"
GTF = "byDataType/rna/annotations/gen10.long.gtf.gz"
DEMO = Path(__file__).parents[3] / "config/demo/synthetic.chrom.sizes"


def reads_path(epigenome: str, mark: str) -> str:
    return f"byFileType/alignments/consolidated/{epigenome}-{mark}.tagAlign.gz"


def signal_path(epigenome: str, mark: str) -> str:
    return f"byFileType/signal/consolidated/macs2signal/pval/{epigenome}-{mark}.pval.signal.bigwig"


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def write_sizes(folder: Path, sizes: dict[str, int]) -> Path:
    path = folder / "chrom.sizes"
    path.write_text("".join(f"{name}\t{size}\n" for name, size in sizes.items()))
    return path


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("simulate")
    simulate_mirror(top / "mirror", chrom_sizes=write_sizes(top, SIZES), genes=GENES, seed=1)
    return top / "mirror"


@pytest.fixture(scope="module")
def genes(mirror: Path) -> pd.DataFrame:
    """The genes of the truth with their places, by gene id."""
    truth = pd.read_csv(mirror / "truth.tsv", sep="\t").set_index("gene")
    return truth.join(read_annotation(mirror / GTF).set_index("gene"))


@pytest.fixture(scope="module")
def profiles(mirror: Path, genes: pd.DataFrame) -> dict[tuple[str, str], np.ndarray]:
    """Reads per 100 bp around the TSS in the gene's own direction, shape (gene, 100), by epigenome and mark."""
    sign = np.where(genes["strand"] == "+", 1, -1)
    result = {}
    for epigenome in EPIGENOMES:
        for mark in MARKS:
            reads = read_reads(mirror, epigenome, mark)
            counts = np.zeros((len(genes), 100), dtype=int)
            for row, (chrom, tss) in enumerate(zip(genes["chrom"], genes["tss"], strict=True)):
                middles = reads.loc[chrom, "start"].to_numpy() + 18
                near = (middles[np.abs(middles - tss) < 5000] - tss) * sign[row]
                counts[row] = np.histogram(near, bins=100, range=(-5000, 5000))[0]
            result[epigenome, mark] = counts
    return result


def read_reads(mirror: Path, epigenome: str, mark: str) -> pd.DataFrame:
    columns = ["chrom", "start", "end", "name", "score", "strand"]
    return pd.read_csv(mirror / reads_path(epigenome, mark), sep="\t", names=columns).set_index("chrom")


def mean_profile(profiles, genes, mark: str, state: str, keep=True) -> np.ndarray:
    """Mean over epigenomes and genes of a state, shape (100,)."""
    return np.mean([profiles[e, mark][(genes[e] == state) & keep].mean(axis=0) for e in EPIGENOMES], axis=0)


def test_writes_the_published_paths_and_nothing_else(mirror: Path) -> None:
    expected = {RPKM, GTF, "truth.tsv", "simulation.json"}
    expected |= {path(e, mark) for path in (reads_path, signal_path) for e in EPIGENOMES for mark in MARKS}
    assert set(files(mirror)) == expected
    record = json.loads((mirror / "simulation.json").read_text())
    assert (record["seed"], record["genes"], record["epigenomes"]) == (1, GENES, EPIGENOMES)
    assert record["chrom_sizes"] == SIZES


def test_reads_are_sorted_bed6_within_the_chromosomes(mirror: Path) -> None:
    for epigenome in EPIGENOMES:
        for mark in MARKS:
            reads = read_reads(mirror, epigenome, mark).reset_index()
            assert (reads["end"] - reads["start"] == 36).all()
            assert (reads["start"] >= 0).all()
            assert (reads["end"] <= reads["chrom"].map(SIZES)).all()
            assert list(reads["chrom"].unique()) == list(SIZES)
            assert all(starts.is_monotonic_increasing for _, starts in reads.groupby("chrom")["start"])
            assert set(reads["name"]) == {"N"}
            assert set(reads["score"]) == {1000}
            assert 0.45 < (reads["strand"] == "+").mean() < 0.55
            assert set(reads["strand"]) == {"+", "-"}
            assert 30 * GENES < len(reads) < 200 * GENES


def test_gzip_headers_have_neither_time_nor_name(mirror: Path) -> None:
    for path in mirror.rglob("*.gz"):
        header = path.read_bytes()[:10]
        assert header[3] == 0, path
        assert header[4:8] == bytes(4), path


def test_signal_covers_the_chromosomes_and_follows_the_reads(mirror: Path) -> None:
    for mark in MARKS:
        with pyBigWig.open(str(mirror / signal_path("SYN2", mark))) as file:
            assert file.chroms() == SIZES
            signal = np.concatenate([file.values(chrom, 0, size, numpy=True) for chrom, size in SIZES.items()])
        assert np.isfinite(signal).all()
        assert signal.min() >= 0
        reads = read_reads(mirror, "SYN2", mark)
        depth = [
            np.bincount(reads.loc[c, "start"] // 1000, minlength=size // 1000 + 1)[: size // 1000]
            for c, size in SIZES.items()
        ]
        ends = np.cumsum(list(SIZES.values()))
        mean = [
            signal[end - size : end - size % 1000].reshape(-1, 1000).mean(axis=1)
            for end, size in zip(ends, SIZES.values(), strict=True)
        ]
        assert np.corrcoef(np.concatenate(depth), np.concatenate(mean))[0, 1] > 0.8


def test_matrix_has_roadmaps_form(mirror: Path, genes: pd.DataFrame) -> None:
    header, *rows = gzip.decompress((mirror / RPKM).read_bytes()).decode().splitlines()
    assert header == "gene_id\tE000\tSYN1\tSYN2\tSYN3"
    assert len(rows) == GENES
    assert all(row.endswith("\t") and not row.endswith("\t\t") and row.count("\t") == 5 for row in rows)
    assert all(len(value.split(".")[1]) == 3 for row in rows for value in row.split("\t")[1:-1])
    table = pd.read_csv(mirror / RPKM, sep="\t", index_col=False).set_index("gene_id")
    assert list(table.columns) == ["E000", *EPIGENOMES]
    assert list(table.index) == sorted(table.index) == list(genes.index)
    assert table.notna().all(axis=None)
    pd.testing.assert_series_equal(read_rpkm(mirror / RPKM, "SYN2"), table["SYN2"])


def test_expression_follows_the_truth(mirror: Path, genes: pd.DataFrame) -> None:
    for epigenome in EPIGENOMES:
        rpkm = read_rpkm(mirror / RPKM, epigenome)
        on = genes[epigenome] == "ON"
        assert 1.5 < rpkm.median() < 5
        assert 0.02 < (rpkm == 0).mean() < 0.20
        assert rpkm[on].min() > 0
        assert rpkm[on].median() > 10 * rpkm[~on].median()
        assert 0.8 < (on == (rpkm > rpkm.median())).mean() < 0.99
    number_on = (genes[EPIGENOMES] == "ON").sum(axis=1)
    assert (number_on == 3).mean() > 0.2
    assert (number_on == 0).mean() > 0.2
    assert number_on.between(1, 2).mean() > 0.2


def test_annotation_has_gencodes_form(mirror: Path, genes: pd.DataFrame) -> None:
    lines = gzip.decompress((mirror / GTF).read_bytes()).decode().splitlines()
    assert lines[0].startswith("##")
    rows = pd.DataFrame([line.split("\t") for line in lines if not line.startswith("#")])
    assert rows.shape[1] == 9
    rows[[3, 4]] = rows[[3, 4]].astype(int)
    rows["gene"] = rows[8].str.extract(r'gene_id "(ENSG00009\d{6})\.\d+"')[0]
    rows["kind"] = rows[8].str.extract(r'gene_type "(\w+)"')[0]
    assert rows["gene"].notna().all()
    assert (rows[3] >= 1).all()
    assert (rows[4] <= rows[0].map(SIZES)).all()
    by_feature = dict(list(rows.groupby(2)))
    assert set(by_feature) == {"gene", "transcript", "exon"}
    whole = by_feature["gene"].set_index("gene")
    assert whole.index.is_unique
    assert all(starts.is_monotonic_increasing for _, starts in whole.groupby(0)[3])
    # The exons begin and end where the gene does, and do not touch each other.
    exons = by_feature["exon"].sort_values(["gene", 3])
    pd.testing.assert_series_equal(exons.groupby("gene")[3].min(), whole[3].sort_index())
    pd.testing.assert_series_equal(exons.groupby("gene")[4].max(), whole[4].sort_index())
    assert (exons[4] >= exons[3]).all()
    after = exons["gene"] == exons["gene"].shift()
    assert (exons[3] > exons[4].shift() + 1)[after].all()
    coding = whole[whole["kind"] == "protein_coding"]
    assert set(coding.index) == set(genes.index)
    assert set(whole["kind"]) == {"protein_coding", "lincRNA", "pseudogene"}
    length = coding[4] - coding[3] + 1
    assert 0.05 < (length < 5000).mean() < 0.5


def test_genes_crowd_and_reach_the_chromosome_ends(genes: pd.DataFrame) -> None:
    for chrom, here in genes.sort_values("tss").groupby("chrom"):
        assert here["tss"].iloc[0] < 5000
        assert here["tss"].iloc[-1] > SIZES[chrom] - 5000
    spacing = genes.sort_values(["chrom", "tss"]).groupby("chrom")["tss"].diff().dropna()
    assert spacing.min() > 0
    assert 0.01 < (spacing < 10_000).mean() < 0.1
    assert (spacing > 19_000).mean() > 0.85
    assert 0.4 < (genes["strand"] == "+").mean() < 0.6


def test_active_marks_lie_at_active_promoters(profiles, genes: pd.DataFrame) -> None:
    for mark in ("H3K4me3", "H3K27ac"):
        on, off = (mean_profile(profiles, genes, mark, state) for state in ("ON", "OFF"))
        assert on[45:60].mean() > 2 * off[45:60].mean()
        # -1 side, depleted region, stronger +1 side
        assert on[49] < 0.6 * on[45:48].max() < on[51:56].max()
    on, off = (mean_profile(profiles, genes, "H3K4me1", state) for state in ("ON", "OFF"))
    assert on[28:38].mean() > 1.5 * on[48:51].mean()
    assert on[65:75].mean() > 1.5 * on[48:51].mean()
    assert on[28:38].mean() > 1.3 * off[28:38].mean()


def test_acetylation_shares_the_position_of_h3k4me3(profiles, genes: pd.DataFrame) -> None:
    k4me3, k27ac = (mean_profile(profiles, genes, mark, "ON") for mark in ("H3K4me3", "H3K27ac"))
    assert np.corrcoef(k4me3, k27ac)[0, 1] > 0.9


@pytest.mark.parametrize("strand", ["+", "-"])
def test_h3k36me3_rises_into_the_gene_on_its_strand(profiles, genes: pd.DataFrame, strand: str) -> None:
    on = mean_profile(profiles, genes, "H3K36me3", "ON", genes["strand"] == strand)
    assert on[75:].mean() > 1.5 * on[:50].mean()


def test_repressive_marks_lie_on_silent_genes_but_not_on_the_same(profiles, genes: pd.DataFrame) -> None:
    for mark in ("H3K27me3", "H3K9me3"):
        on, off = (mean_profile(profiles, genes, mark, state) for state in ("ON", "OFF"))
        assert off.mean() > 1.2 * on.mean()
    silent = (genes[EPIGENOMES] == "OFF").all(axis=1).to_numpy() & genes["informative"].to_numpy()
    polycomb, heterochromatin = (
        sum(profiles[e, mark].sum(axis=1) for e in EPIGENOMES)[silent] for mark in ("H3K27me3", "H3K9me3")
    )
    assert np.corrcoef(polycomb, heterochromatin)[0, 1] < 0.2


def test_chromatin_of_uninformative_genes_does_not_follow_their_expression(profiles, genes: pd.DataFrame) -> None:
    informative = genes["informative"]
    assert 0.05 < (~informative).mean() < 0.25
    ratio = {}
    for keep in (True, False):
        on, off = (mean_profile(profiles, genes, "H3K4me3", s, informative == keep) for s in ("ON", "OFF"))
        ratio[keep] = on[45:60].mean() / off[45:60].mean()
    assert ratio[True] > 3
    assert ratio[False] < 2


def test_depth_differs_between_files(mirror: Path) -> None:
    numbers = [len(read_reads(mirror, e, mark)) for e in EPIGENOMES for mark in MARKS]
    assert max(numbers) > 1.2 * min(numbers)


@pytest.fixture
def small(tmp_path: Path) -> dict:
    return {"chrom_sizes": write_sizes(tmp_path, {"chr1": 300_000, "chrX": 200_000}), "genes": 20}


def test_same_seed_same_bytes(tmp_path: Path, small: dict) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        simulate_mirror(tmp_path / name, epigenomes=["A", "B"], seed=seed, **small)
    a, b, c = (files(tmp_path / name) for name in "abc")
    assert a == b
    assert a.keys() == c.keys()
    assert all(a[path] != c[path] for path in a)


def test_a_complete_folder_is_left_alone(tmp_path: Path, small: dict) -> None:
    folder = tmp_path / "mirror"
    simulate_mirror(folder, epigenomes=["A"], **small)
    first = {path: path.stat().st_ino for path in folder.rglob("*")}
    simulate_mirror(folder, epigenomes=["A"], **small)
    assert {path: path.stat().st_ino for path in folder.rglob("*")} == first


def test_a_folder_that_lacks_a_file_or_has_another_seed_is_made_anew(tmp_path: Path, small: dict) -> None:
    folder = tmp_path / "mirror"
    simulate_mirror(folder, epigenomes=["A"], seed=1, **small)
    first = files(folder)
    (folder / RPKM).unlink()
    simulate_mirror(folder, epigenomes=["A"], seed=1, **small)
    assert files(folder) == first
    simulate_mirror(folder, epigenomes=["A"], seed=2, **small)
    assert files(folder)[RPKM] != first[RPKM]


def test_an_interrupted_run_leaves_no_half_file_and_is_made_up(tmp_path: Path, small: dict, monkeypatch) -> None:
    def interrupted(path: Path, *_: object) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    folder = tmp_path / "mirror"
    with monkeypatch.context() as patch:
        patch.setattr(simulate, "_write_signal", interrupted)
        with pytest.raises(KeyboardInterrupt):
            simulate_mirror(folder, epigenomes=["A"], **small)
    left = files(folder)
    assert "simulation.json" not in left
    assert not any(content == b"half" or ".tmp-" in path for path, content in left.items())
    simulate_mirror(folder, epigenomes=["A"], **small)
    simulate_mirror(tmp_path / "other", epigenomes=["A"], **small)
    assert files(folder) == files(tmp_path / "other")


def test_one_gene_is_enough(tmp_path: Path) -> None:
    sizes = write_sizes(tmp_path, {"chr1": 20_000, "chr2": 16_000})
    simulate_mirror(tmp_path / "mirror", chrom_sizes=sizes, epigenomes=["A"], genes=1)
    assert len(pd.read_csv(tmp_path / "mirror/truth.tsv", sep="\t")) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epigenomes": []}, "epigenomes: .* is empty"),
        ({"epigenomes": ["A", "A"]}, "has a duplicate"),
        ({"epigenomes": ["E000"]}, "'E000' is reserved"),
        ({"epigenomes": ["../A"]}, "'../A' is reserved or not a valid name"),
        ({"genes": 0}, "at least 1 gene"),
        ({"seed": -1}, "a seed of at least 0"),
        ({"genes": 1000}, r"chrom.sizes: 500000 bp are too few for 1000 genes; give 15000000 bp"),
    ],
)
def test_mistakes_are_named_in_one_line_and_nothing_is_written(
    tmp_path: Path, small: dict, change: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message) as error:
        simulate_mirror(tmp_path / "mirror", **(small | change))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "mirror").exists()


def test_a_tiny_chromosome_is_named(tmp_path: Path) -> None:
    sizes = write_sizes(tmp_path, {"chr1": 600_000, "chrM": 16_571 - 5000})
    with pytest.raises(ValueError, match="chrM has 11571 bp"):
        simulate_mirror(tmp_path / "mirror", chrom_sizes=sizes, genes=10)


def test_the_demos_chromosomes_hold_its_genes() -> None:
    sizes = read_chrom_sizes(DEMO)
    assert list(sizes) == ["chr1", "chr2", "chr3", "chr4", "chr5", "chrX"]
    assert sum(sizes.values()) > 2000 * 25_000
