"""What `chromattend init` makes of the files of a folder."""

from pathlib import Path

import pytest
import yaml

from chromattend.chromatin.draft import draft_of, write_draft
from chromattend.cli import main
from chromattend.errors import UserError

MATRIX = "gene_id\tliver1\tliver2\nENSG01\t1\t2\n"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a folder for files."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")


def found(folder: Path) -> dict[str, dict[str, str]]:
    samples = draft_of([folder]).samples
    return {
        sample: {mark: str(path.relative_to(folder)) for mark, path in files.items()}
        for sample, files in samples.items()
    }


@pytest.mark.parametrize(
    ("names", "samples"),
    [
        (["liver1_H3K4me3.bam"], {"liver1": {"H3K4me3": "liver1_H3K4me3.bam"}}),
        (["E003-H3K4me3.tagAlign.gz", "E003-H3K9ac.bw"], {"E003": {"H3K4me3": 0, "H3K9ac": 1}}),
        (["a.H3K4me3.hg38.bam", "b.h3k4me3.hg38.bam"], {"a": {"H3K4me3": 0}, "b": {"H3K4me3": 1}}),
        (["liver1/H3K27ac.bigWig", "liver2/H3K27ac.bigWig"], {"liver1": {"H3K27ac": 0}, "liver2": {"H3K27ac": 1}}),
        (["day 3_H2A.Z.bed", "day 5_H2AZ.bed"], {"3": {"H2A.Z": 0}, "5": {"H2AZ": 1}}),
        (["T_cells_donor1_H4K20me1.bam"], {"T_cells_donor1": {"H4K20me1": 0}}),
    ],
)
def test_samples_and_marks_are_read_from_names(files: Path, names: list[str], samples: dict) -> None:
    touch(files, *names)
    wanted = {
        sample: {mark: name if isinstance(name, str) else names[name] for mark, name in marks.items()}
        for sample, marks in samples.items()
    }
    assert found(files) == wanted


def test_samples_are_named_as_the_columns_of_the_matrix(files: Path) -> None:
    touch(
        files, "lab_liver1_rep_H3K4me3.bam", "lab_liver2_rep_H3K4me3.bam", "lab_kidney_rep_H3K4me3.bam", "genes.gtf.gz"
    )
    (files / "tpm.tsv").write_text(MATRIX)
    draft = draft_of([files])
    assert list(draft.samples) == ["kidney", "liver1", "liver2"]
    assert draft.matrix == files / "tpm.tsv"
    assert draft.annotation == files / "genes.gtf.gz"
    (note,) = draft.notes
    assert note.startswith("sample kidney: is not a column of")


def test_what_cannot_be_placed_is_said(files: Path) -> None:
    touch(files, "a_H3K4me3.bam", "a_H3K36me3.bam", "b_H3K4me3.bam", "b_input.bam", "again/a_H3K4me3.bam", "notes.csv")
    assert draft_of([files]).notes == [
        f"{files}/b_input.bam: names no histone mark; add it to the sheet by hand if it is one",
        f"{files}/again/a_H3K4me3.bam: sample a has another file of H3K4me3, {files}/a_H3K4me3.bam; merge them, "
        "or name one",
        "sample b: has no file of H3K36me3; add it, or take the mark out of 'marks'",
        "no matrix of expression values was found; give sources.expression, which models are trained on",
    ]


def test_both_files_are_written_once(files: Path) -> None:
    touch(files, "liver1_H3K4me3.bam", "liver1_H3K27ac.bam", "liver2_H3K4me3.bw")
    (files / "tpm.tsv").write_text(MATRIX)
    draft = draft_of([Path("data")])
    config, sheet = write_draft(Path("study"), draft, "hg38", genes=Path("panel.txt"))
    assert sheet.read_text().splitlines() == [
        "epigenome\tname\tH3K4me3\tH3K27ac",
        "liver1\tliver1\tdata/liver1_H3K4me3.bam\tdata/liver1_H3K27ac.bam",
        "liver2\tliver2\tdata/liver2_H3K4me3.bw\tnone",
    ]
    written = yaml.safe_load(config.read_text())
    assert written["genome"] == {"name": "hg38"}
    assert (written["marks"], written["validation_mark"]) == (["H3K4me3"], "H3K27ac")
    assert written["sources"] == {"expression": "data/tpm.tsv"}
    assert written["genes"] == {"include": "panel.txt"}
    assert written["pathvars"]["results"] == "study/results"
    with pytest.raises(UserError, match=r"study/config.yaml: exists already; add --force"):
        write_draft(Path("study"), draft, "hg38")
    write_draft(Path("study"), draft, "mm10", force=True)
    assert yaml.safe_load(config.read_text())["genome"] == {"name": "mm10"}


def test_a_folder_without_samples_is_one_line(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    touch(files, "reads.bam")
    for samples, words in (("data", "data: no BAM, bigWig"), ("gone", "Error: --samples gone: does not exist; give")):
        with pytest.raises(SystemExit) as ended:
            main(["init", "study", "--genome", "hg38", "--samples", samples])
        assert words in str(ended.value)
    assert not Path("study").exists()


def test_what_init_writes_passes_the_checks(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    touch(files, "liver1_H3K4me3.bam", "liver1_H3K36me3.bam")
    (files / "tpm.tsv").write_text(MATRIX)
    main(["init", "study", "--genome", "hg38", "--samples", "data"])
    said = capsys.readouterr()
    assert "liver1: H3K36me3, H3K4me3" in said.out
    assert "snakemake --cores all --snakefile" in said.out
    main(["check", "study/config.yaml"])
    assert capsys.readouterr().out == "study/config.yaml: no errors\n"
