"""All mistakes of a configuration and its sheet, each in a line that names the place, the value and the fix."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from builders import merged

from chromattend.cli import main
from chromattend.errors import UserError, UserErrors, printed
from chromattend.studies import load_studies

SCHEMAS = Path(__file__).parents[2] / "workflow/schemas"
SHEET = "epigenome\tH3K4me3\tH3K36me3\nA\ta4.bam\ta36.bw\nB\tb4.bam\tb36.bw\n"
MATRIX = "gene_id\tA\tB\nENSG01\t1\t2\n"
CONFIG: dict[str, Any] = {
    "epigenomes": "sheet.tsv",
    "genome": {"name": "hg38"},
    "sources": {"expression": "tpm.tsv", "annotation": "genes.gtf"},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a4.bam", "a36.bw", "b4.bam", "b36.bw", "genes.gtf"):
        (tmp_path / name).write_text("x")
    (tmp_path / "tpm.tsv").write_text(MATRIX)
    (tmp_path / "sheet.tsv").write_text(SHEET)
    return tmp_path


def errors_of(folder: Path, changes: dict[str, Any] | None = None, sheet: str = SHEET) -> list[str]:
    """Return the lines of all errors of the study with these changes."""
    config = merged(CONFIG, changes or {})
    (folder / "study.yaml").write_text(yaml.safe_dump(config))
    (folder / "sheet.tsv").write_text(sheet)
    with pytest.raises(UserError) as caught:
        load_studies(config, [folder / "study.yaml"], SCHEMAS, folder)
    return str(caught.value).splitlines()


def test_a_study_of_ones_own_takes_its_genome_and_nothing_of_the_published_study(folder: Path) -> None:
    study = load_studies(CONFIG, [], SCHEMAS, folder).chromatin
    assert study.config["genome"]["chrom_sizes"].endswith("resources/hg38.chrom.sizes")
    assert study.marks == ["H3K4me3", "H3K36me3"]
    assert study.config["validation_mark"] is None
    assert study.config["split"]["mode"] == "chromosome"
    assert study.config["split"]["test_chromosomes"] == ["chr1", "chr5", "chr6"]
    assert study.downloads == {}
    mouse = load_studies(merged(CONFIG, {"genome": {"name": "mm10"}}), [], SCHEMAS, folder).chromatin
    assert mouse.config["split"]["valid_chromosomes"] == ["chr2", "chr5", "chr8"]


def test_excluded_regions_of_the_genome_are_downloaded(folder: Path) -> None:
    config = merged(CONFIG, {"genome": {"excluded": "known"}})
    (url,) = load_studies(config, [], SCHEMAS, folder).downloads.values()
    assert url.endswith("hg38-blacklist.v2.bed.gz")


def test_annotation_of_the_genome_is_downloaded(folder: Path) -> None:
    config = merged(CONFIG, {"sources": {"annotation": None}})
    (url,) = load_studies(config, [], SCHEMAS, folder).downloads.values()
    assert url.endswith("gencode.v44.annotation.gtf.gz")


def test_a_study_may_be_of_another_track_alone(folder: Path) -> None:
    studies = load_studies({"robustness": {"images": {"digits": {}}}}, [], SCHEMAS, folder)
    assert not studies.chromatin.epigenomes
    assert studies.robustness is not None
    assert studies.downloads == {}


def test_further_columns_are_metadata(folder: Path) -> None:
    (folder / "sheet.tsv").write_text(
        SHEET.replace("H3K36me3\n", "H3K36me3\tage (years)\tsex\n").replace(".bw\n", ".bw\t7\t\n")
    )
    study = load_studies(CONFIG, [], SCHEMAS, folder).chromatin
    assert study.marks == ["H3K4me3", "H3K36me3"]
    assert study.sample_rows()[1] == {"epigenome": "B", "name": "B", "group": "", "use": "trained", "age (years)": "7"}


ROW = "epigenome\tH3K4me3\tH3K36me3\n"
# Changes to the configuration, the sheet, and for each line what it says.
BROKEN: dict[str, tuple[dict[str, Any], str, list[list[str]]]] = {
    "an unknown key": ({"bin": {}}, SHEET, [["study.yaml: unknown key 'bin'", "did you mean 'bins'?"]]),
    "two wrong keys": (
        {"bins": {"size": 0}, "models": ["deepcrome"]},
        SHEET,
        [["key 'bins.size': 0", "at least 1"], ["'deepcrome'", "did you mean 'deepchrome'?"]],
    ),
    "a word for a number": ({"bins": {"size": "big"}}, SHEET, [["'bins.size': 'big' has the wrong type"]]),
    "no genome": ({"genome": {"name": None}}, SHEET, [["'genome.name': is not given", "hg19, hg38, mm10"]]),
    "an unknown genome": (
        {"genome": {"name": "hg83"}},
        SHEET,
        [["'hg83'", "did you mean 'hg38'?", "genome.chrom_sizes"]],
    ),
    "no expression": ({"sources": {"expression": None}}, SHEET, [["'sources.expression': is not given"]]),
    "a matrix that is gone": (
        {"sources": {"expression": "gone.tsv"}},
        SHEET,
        [["'sources.expression': file 'gone.tsv' does not exist"]],
    ),
    "an annotation that is gone": ({"sources": {"annotation": "x.gtf"}}, SHEET, [["file 'x.gtf' does not exist"]]),
    "a sheet that is gone": ({"epigenomes": "s.tsv"}, SHEET, [["key 'epigenomes': file 's.tsv' does not exist"]]),
    "no sheet": ({"epigenomes": None}, SHEET, [["study.yaml: key 'sources': needs the sample sheet"]]),
    "no marks": (
        {"sources": {"signal": "{mirror}/{epigenome}-{mark}.bam"}},
        "epigenome\nA\n",
        [
            ["'marks': is not given, and sheet.tsv has no column of a mark"],
        ],
    ),
    "no mirror": (
        {"marks": ["H3K4me3"], "sources": {"signal": "{mirror}/{epigenome}-{mark}.bam"}},
        "epigenome\nA\n",
        [["'sources.signal', epigenome 'A'", "{mirror}, but the key 'mirror' is not given"]],
    ),
    "an empty cell": (
        {},
        ROW + "A\ta4.bam\t\nB\t\tb36.bw\n",
        [["'A': H3K36me3 has no file"], ["'B': H3K4me3 has no file"]],
    ),
    "a mark without a column": (
        {"marks": ["H3K4me3", "H3K9me3"]},
        SHEET,
        [["'A': H3K9me3 has no"], ["'B': H3K9me3 has no"]],
    ),
    "a mark that does not exist": (
        {"marks": ["H3K4me33"]},
        SHEET,
        [["unknown mark 'H3K4me33'", "did you mean 'H3K4me3'?"]],
    ),
    "none for a mark of the models": ({}, ROW + "A\ta4.bam\tnone\n", [["'A' has no H3K36me3, which the models need"]]),
    "files that are gone": (
        {},
        ROW + "A\ta.bam\ta36.bw\nB\tb4.bam\tb.bw\n",
        [["'A', H3K4me3: file 'a.bam' does not exist"], ["'B', H3K36me3: file 'b.bw' does not exist"]],
    ),
    "peaks": ({}, ROW + "A\tx.narrowPeak\ta36.bw\n", [["'A', H3K4me3: x.narrowPeak: holds peaks"]]),
    "regions that are gone": (
        {"genome": {"excluded": "x.bed"}},
        SHEET,
        [["'genome.excluded': file 'x.bed' does not exist"]],
    ),
    "regions of a genome that is not known": (
        {"genome": {"name": "dm6", "chrom_sizes": "sizes", "excluded": "known"}, "split": {"mode": "random"}},
        SHEET,
        [["'genome.excluded': 'known' is for hg19, hg38, mm10; give the BED"], ["file 'sizes' does not exist"]],
    ),
    "a file twice in a cell": (
        {},
        ROW + "A\ta4.bam; a4.bam\ta36.bw\n",
        [["'A', H3K4me3: a4.bam; a4.bam: has a file twice"]],
    ),
    "reads and signal in a cell": ({}, ROW + "A\ta4.bam;a36.bw\tb36.bw\n", [["a4.bam; a36.bw: are reads and bigWig"]]),
    "a replicate that is gone": (
        {},
        ROW + "A\ta4.bam;c.bam\ta36.bw\n",
        [["'A', H3K4me3: file 'c.bam' does not exist"]],
    ),
    "one file for two marks": (
        {},
        ROW + "A\ta4.bam\ta4.bam\n",
        [["'A', H3K36me3: file 'a4.bam' is also given for H3K4me3"]],
    ),
    "commas": ({}, SHEET.replace("\t", ","), [["sheet.tsv: line 1", "is not separated by tabs"]]),
    "blanks": ({}, SHEET.replace("\t", " "), [["sheet.tsv: line 1", "is not separated by tabs"]]),
    "several rows": (
        {},
        ROW + "A\ta4.bam\tNA\nA\ta4.bam\ta36.bw\nbad/name\ta4.bam\ta36.bw\ntables\ta4.bam\ta36.bw\n",
        [
            ["line 2: H3K36me3: 'NA' is not a file; write none"],
            ["line 3: epigenome 'A' is given twice, also in line 2"],
            ["line 4", "'bad/name' is not valid"],
            ["line 5: epigenome name 'tables' is reserved"],
        ],
    ),
    "unknown columns": (
        {},
        "epigenome\tgruop\tH3K4me\nA\tx\ta4.bam\n",
        [["line 1: unknown column 'gruop', did you mean 'group'?"], ["line 1: unknown column 'H3K4me'"]],
    ),
    "a short row": ({}, ROW + "A\ta4.bam\n", [["sheet.tsv: line 2: has 2 columns, but line 1 has 3"]]),
    "no row": ({}, ROW, [["sheet.tsv: has a header line but no epigenome"]]),
    "columns that the matrix lacks": (
        {},
        SHEET.replace("A\t", "A1\t").replace("B\t", "C\t"),
        [["tpm.tsv: line 1: has no column 'A1'", "did you mean 'A'?"], ["tpm.tsv: line 1: has no column 'C'"]],
    ),
    "a selection": (
        {"select": ["A", "X", "Y"]},
        SHEET,
        [["'select': epigenome 'X' is not in"], ["epigenome 'Y' is not in"]],
    ),
    "chromosomes of another genome": (
        {"split": {"test_chromosomes": ["1", "2"]}},
        SHEET,
        [["'split.test_chromosomes': '1' is not in"], ["'split.test_chromosomes': '2' is not in"]],
    ),
    "a chromosome in both parts": (
        {"split": {"test_chromosomes": ["chr1"], "valid_chromosomes": ["chr1"]}},
        SHEET,
        [["'split.test_chromosomes': 'chr1' is also in 'split.valid_chromosomes'"]],
    ),
    "a window": ({"bins": {"size": 300}}, SHEET, [["'bins.size': 300 does not divide the window of 10000 bp"]]),
    "one epigenome to transfer": (
        {"select": ["A"], "transfer": ["deepchrome"]},
        SHEET,
        [["'transfer': needs at least two"]],
    ),
    "the validation mark among the marks": (
        {"marks": ["H3K4me3", "H3K36me3"], "validation_mark": "H3K4me3"},
        SHEET,
        [["'validation_mark': 'H3K4me3' is also in 'marks'"]],
    ),
    "a pair": (
        {"differential": {"pairs": [["A", "X"]]}},
        SHEET,
        [["'differential.pairs': epigenome 'X' is not in the study"]],
    ),
    "plain http": ({}, ROW + "A\thttp://x.org/a.bam\ta36.bw\n", [["plain http can be altered in transit"]]),
    "several places": (
        {"split": {"test_chromosomes": ["chr99"]}},
        ROW + "A\ta.bam\ta36.bw\nC\tb4.bam\tb36.bw\n",
        [["'chr99' is not in"], ["has no column 'C'"], ["file 'a.bam' does not exist"]],
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_every_mistake_is_a_line(folder: Path, case: str) -> None:
    changes, sheet, expected = BROKEN[case]
    lines = errors_of(folder, changes, sheet)
    assert len(lines) == len(expected), lines
    for line, words in zip(lines, expected, strict=True):
        assert all(word in line for word in words), line
        assert "; " in line  # the fix


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epigenomes: [\n", "study.yaml: line 2, column 1: is not valid YAML"),
        ("a: 1\n\tb: 2\n", "study.yaml: line 2, column 1: is not valid YAML"),
        ("bins: {size: 50\nmarks: [H3K4me3]\n", "study.yaml: line 2, column 6: is not valid YAML"),
        ("- a\n", "study.yaml: has no keys"),
        ("bins:\n  size: 50\nbins:\n  size: 100\n", "key 'bins' is given twice, in lines 1 and 3"),
        ("{}\n", "study.yaml: names nothing to study; give 'epigenomes'"),
    ],
)
def test_check_names_the_line_of_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("study.yaml").write_text(text)
    with pytest.raises(SystemExit, match=r"^Error: ") as ended:
        main(["check", "study.yaml"])
    assert words in str(ended.value)


def test_many_errors_are_counted() -> None:
    many = UserErrors([UserError(str(number)) for number in range(60)])
    lines = printed(many).splitlines()
    assert lines[:2] == ["Error: 0", "Error: 1"]
    assert lines[50:] == ["60 errors (the first 50 are above); correct them and give the command again"]
    assert printed(UserError("one")) == "Error: one"


GTF = "".join(
    f'{chrom}\tx\tgene\t{1000 * number}\t{1000 * number + 9}\t.\t+\t.\tgene_id "G{number}"; gene_name "SYM{number}";\n'
    for number, chrom in enumerate(["chr1", "chr1", "chr7", "chr2", "chr3"], start=1)
)


@pytest.mark.parametrize(
    ("changes", "matrix", "words"),
    [
        (
            {},
            "G1 G2 G4 G5",
            ["'split.mode': split: no gene is in the valid part; the 4 genes are on chr1 (2), chr2 (1)"],
        ),
        ({}, "G1 G3", ["'split.mode': split: no gene is in the train part; the 2 genes are on"]),
        ({}, "X1 X2", ["annotation and expression matrix: have no gene in common"]),
        ({"interpret": {"named_genes": ["SYN3"]}}, "G1 G3 G4", ["'interpret.named_genes': ", "'SYN3'", "SYM3"]),
        (
            {"interpret": {"named_genes": ["PAX5"]}, "split": {"test_chromosomes": ["chr8"]}},
            "G1 G3 G4",
            ["no gene is in the test part", "'PAX5'"],
        ),
        ({"genes": {"include": "panel.txt"}}, "G1 G3 G4", ["genes.include: none of its 1 genes is in the study"]),
    ],
)
def test_check_reads_the_genes(
    folder: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], matrix: str, words: list[str]
) -> None:
    monkeypatch.chdir(folder)
    (folder / "genes.gtf").write_text(GTF)
    (folder / "panel.txt").write_text("TP53\n")
    (folder / "tpm.tsv").write_text("gene_id\tA\tB\n" + "".join(f"{gene}\t1\t2\n" for gene in matrix.split()))
    (folder / "study.yaml").write_text(yaml.safe_dump(merged(CONFIG, changes)))
    with pytest.raises(SystemExit) as ended:
        main(["check", "study.yaml"])
    assert all(word in str(ended.value) for word in words), str(ended.value)
