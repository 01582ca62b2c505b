"""The record of an output, and what verification makes of it."""

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace

from chromattend.pipeline.jobs import logged

import pytest

from chromattend import STAGE_VERSIONS, __version__
from chromattend.cli import main
from chromattend.errors import UserError
from chromattend.files import sha256
from chromattend.pipeline.records import configuration_sha256, find_record, recorded
from chromattend.pipeline.verify import verify

STAGE = STAGE_VERSIONS["dataset"]


@pytest.fixture(autouse=True)
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    (tmp_path / "study").mkdir()
    monkeypatch.chdir(tmp_path / "study")
    return tmp_path / "study"


def job(output: Iterable[str], inputs: Iterable[str] = (), **changes: object) -> SimpleNamespace:
    """What Snakemake hands to a script, as far as a record needs it."""
    about = {"roots": ["results", "resources"], "checkout": "/program", "configuration": "c" * 64}
    return SimpleNamespace(
        **{
            "input": list(inputs),
            "output": list(output),
            "log": ["logs/job.log"],
            "rule": "dataset",
            "wildcards": {"epigenome": "E003"},
            "params": {"version": STAGE},
            "config": {"records": about},
            **changes,
        }
    )


def write(path: str | Path, content: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(content)


def make(
    path: str,
    content: str,
    inputs: Iterable[str] = (),
    then: Callable[[], object] = lambda: None,
    **changes: object,
) -> None:
    """Run a job that writes one file, and does something more."""
    described = job([path], inputs, **changes)
    with logged(described.log[0]), recorded(described):
        write(path, content)
        then()


def record(path: str) -> dict:
    found = find_record(path)
    assert found is not None
    return json.loads(found.read_text())


def flip(path: str | Path) -> None:
    """Change one bit of a file, and neither its size nor its time."""
    before = os.stat(path)
    content = bytearray(Path(path).read_bytes())
    content[len(content) // 2] ^= 1
    Path(path).write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.fixture
def chain(study: Path) -> Callable[[], None]:
    """Two results, one made of the other, from one file of a user."""
    write("data/reads.bed", "chr1\t1\t2\n")

    def build() -> None:
        make("results/E003/dataset.nc", "counts", ["data/reads.bed"])
        make("results/E003/mlp/model.ckpt", "weights", ["results/E003/dataset.nc"])

    build()
    return build


def states(*places: str) -> Mapping[str, str]:
    return {finding.path: finding.state for finding in verify(places).findings}


def test_a_record_says_what_made_the_output(chain: object) -> None:
    assert record("results/E003/dataset.nc") == {
        "sha256": sha256("results/E003/dataset.nc"),
        "size": 6,
        "program": f"chromattend {__version__}",
        "rule": "dataset",
        "wildcards": {"epigenome": "E003"},
        "params": {"version": STAGE},
        "configuration": "c" * 64,
        "inputs": {"../data/reads.bed": sha256("data/reads.bed")},
    }
    assert record("results/E003/mlp/model.ckpt")["inputs"] == {"E003/dataset.nc": sha256("results/E003/dataset.nc")}


def test_the_same_job_leaves_the_same_bytes(chain: Callable[[], None]) -> None:
    path = Path("results/.records/E003/mlp/model.ckpt.json")
    first = path.read_bytes()
    chain()
    assert path.read_bytes() == first
    assert [path.name for path in Path("results/.records").rglob(".*")] == []


def test_a_configuration_is_known_by_its_content() -> None:
    assert configuration_sha256({"a": 1, "b": [2]}) == configuration_sha256({"b": [2], "a": 1})
    assert configuration_sha256({"a": 1}) != configuration_sha256({"a": 2})


def test_params_that_json_does_not_have_are_recorded_as_they_print() -> None:
    make("results/a", "a", params={"folder": Path("x"), "pair": (1, 2), "version": STAGE})
    assert record("results/a")["params"] == {"folder": "PosixPath('x')", "pair": [1, 2], "version": STAGE}
    assert verify(["results"]).summary == "1 file as written"


def test_a_table_of_the_checkout_is_recorded_under_its_own_name(tmp_path: Path) -> None:
    checkout = tmp_path / "program"
    write(checkout / "resources/known.tsv", "1")
    copy = tmp_path / f"cache/tmp123/file{checkout}/resources/known.tsv"
    write(copy, "1")
    config = {"records": {"roots": ["results"], "checkout": str(checkout), "configuration": ""}}
    make("results/a", "a", [str(copy)], config=config)
    assert list(record("results/a")["inputs"]) == [f"{checkout}/resources/known.tsv"]
    copy.unlink()
    assert verify(["results"]).summary == "1 file as written"


def test_the_record_lies_below_the_innermost_root() -> None:
    config = job([]).config["records"] | {"roots": ["out", "out/downloads"]}
    make("out/downloads/a.gz", "a", config={"records": config}, params={})
    make("out/b", "b", ["out/downloads/a.gz"], config={"records": config})
    assert find_record("out/downloads/a.gz") == Path.cwd() / "out/downloads/.records/a.gz.json"
    assert find_record("out/b") == Path.cwd() / "out/.records/b.json"
    assert verify(["out"]).summary == "2 files as written"


@pytest.mark.parametrize("error", [UserError("a.tsv: is wrong; correct it"), KeyError("a"), SystemExit(3)])
def test_a_job_that_fails_leaves_no_record(chain: object, error: BaseException) -> None:
    assert find_record("results/E003/dataset.nc")

    def fail() -> None:
        raise error

    with pytest.raises((SystemExit, KeyError)):
        make("results/E003/dataset.nc", "other", then=fail)
    assert find_record("results/E003/dataset.nc") is None
    assert states("results/E003/dataset.nc") == {"results/E003/dataset.nc": "unrecorded"}


def test_a_flipped_bit_is_not_read(chain: object, capsys: pytest.CaptureFixture[str]) -> None:
    flip("results/E003/dataset.nc")
    with pytest.raises(SystemExit) as stopped:
        make("results/E003/mlp/model.ckpt", "other", ["results/E003/dataset.nc"])
    assert str(stopped.value).startswith("Error: results/E003/dataset.nc: is not the file that was written (SHA-256 ")
    assert str(stopped.value).endswith("); delete it and run again")
    assert Path("results/E003/mlp/model.ckpt").read_text() == "weights"
    assert find_record("results/E003/mlp/model.ckpt") is None


@pytest.mark.parametrize("change", [lambda path: path.write_text("other"), lambda path: path.unlink()])
def test_an_input_that_changes_while_a_job_reads_it_ends_the_job(
    chain: object, change: Callable[[Path], object]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        make("results/E003/dataset.nc", "counts", ["data/reads.bed"], lambda: change(Path("data/reads.bed")))
    assert str(stopped.value).startswith("Error: data/reads.bed: ")
    assert find_record("results/E003/dataset.nc") is None


def test_an_input_that_is_only_touched_is_no_other(chain: object) -> None:
    make("results/E003/dataset.nc", "counts", ["data/reads.bed"], lambda: os.utime("data/reads.bed", (0, 0)))
    assert verify(["results"]).summary == "2 files as written"


def test_all_is_as_written(chain: object, capsys: pytest.CaptureFixture[str]) -> None:
    main(["verify", "results/"])
    assert capsys.readouterr().out == "2 files as written\n"


def test_a_flipped_bit_is_found_and_makes_nothing_stale(
    chain: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    flip("results/E003/dataset.nc")
    with pytest.raises(SystemExit) as stopped:
        main(["verify", "results"])
    assert capsys.readouterr().out.splitlines() == [
        "damaged\tresults/E003/dataset.nc\tits SHA-256 has changed since it was written",
        "1 file as written; 1 damaged",
    ]
    assert str(stopped.value) == (
        "Error: to make 1 file again, with the --configfile and other options of the original run: "
        "rm -f results/E003/dataset.nc; snakemake --cores all results/E003/dataset.nc; "
        "then repeat it to update what depends on them"
    )
    # The same bytes again: the model that was made of them is as good as before.
    make("results/E003/dataset.nc", "counts", ["data/reads.bed"])
    assert states("results") == {}


def test_a_file_cut_in_half_is_damaged(chain: object) -> None:
    Path("results/E003/mlp/model.ckpt").write_text("wei")
    (found,) = verify(["results"]).findings
    assert (found.state, found.path, found.reason) == ("damaged", "results/E003/mlp/model.ckpt", "has 3 bytes, not 7")


def test_a_deleted_file_is_missing(chain: object) -> None:
    Path("results/E003/dataset.nc").unlink()
    assert states("results") == {"results/E003/dataset.nc": "missing"}
    assert states("results/E003/dataset.nc") == {"results/E003/dataset.nc": "missing"}


def test_what_was_made_of_another_input_is_stale(chain: object) -> None:
    write("data/reads.bed", "chr1\t5\t6\n")
    (found,) = verify(["results"]).findings
    assert (found.state, found.path) == ("stale", "results/E003/dataset.nc")
    assert found.reason == "its input data/reads.bed has changed since"
    # The next stage is stale once the first is made again with other content.
    make("results/E003/dataset.nc", "other counts", ["data/reads.bed"])
    assert states("results") == {"results/E003/mlp/model.ckpt": "stale"}


def test_what_an_older_version_of_its_stage_made_is_stale(chain: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STAGE_VERSIONS, "dataset", "dataset 99")
    found = verify(["results"]).findings
    assert [finding.state for finding in found] == ["stale", "stale"]
    assert found[0].reason == f"was made by {STAGE}, but this program has dataset 99"


def test_a_download_has_no_version_to_be_old() -> None:
    make("resources/roadmap/a.gz", "a", params={"url": "https://example.org/a.gz"})
    assert verify(["resources"]).summary == "1 file as written"


def test_a_file_without_a_record_is_named_and_no_error(chain: object, capsys: pytest.CaptureFixture[str]) -> None:
    write("results/notes.txt", "mine")
    write("results/E003/mlp/.training/last.ckpt", "half")
    main(["verify", "results"])
    assert capsys.readouterr().out.splitlines() == [
        "unrecorded\tresults/notes.txt\thas no record of how it was made",
        "2 files as written; 1 unrecorded",
    ]


def test_an_input_that_is_not_here_is_counted(chain: object, study: Path) -> None:
    Path("data/reads.bed").unlink()
    found = verify(["results"])
    assert found.absent == ["data/reads.bed"]
    assert found.summary == "2 files as written; 1 input not available to compare"
    found.check()


def test_an_input_that_a_failed_job_took_with_it_is_missing(chain: object) -> None:
    Path("results/E003/dataset.nc").unlink()
    Path("results/.records/E003/dataset.nc.json").unlink()
    assert states("results") == {"results/E003/dataset.nc": "missing"}


def test_a_download_that_was_deleted_after_its_use_is_missed_only_where_it_is_asked_for() -> None:
    make("resources/roadmap/a.gz", "a", params={})
    make("results/genes.tsv", "genes", ["resources/roadmap/a.gz"])
    Path("resources/roadmap/a.gz").unlink()
    assert verify(["results"]).summary == "1 file as written; 1 input not available to compare"
    assert states("resources") == {"resources/roadmap/a.gz": "missing"}


@pytest.mark.parametrize("damage", ["{", "[]", "{}", '{"sha256": "a", "size": 1, "params": {}, "inputs": {"b": 1}}'])
def test_a_damaged_record_is_damage_of_its_file(chain: object, damage: str) -> None:
    stored = find_record("results/E003/dataset.nc")
    assert stored is not None
    stored.write_text(damage)
    (found,) = verify(["results"]).findings
    assert (found.state, found.path) == ("damaged", "results/E003/dataset.nc")
    assert found.reason == "its record results/.records/E003/dataset.nc.json is not readable"
    with pytest.raises(SystemExit, match=r"its record .* is damaged; delete the file and run again"):
        make("results/E003/mlp/model.ckpt", "weights", ["results/E003/dataset.nc"])


def test_a_part_is_checked_with_all_that_it_was_made_of(chain: object) -> None:
    make("resources/roadmap/a.gz", "a", params={})
    make("results/genes.tsv", "genes", ["resources/roadmap/a.gz"])
    make("results/tables/auc.tsv", "auc", ["results/genes.tsv"])
    assert verify(["results/tables"]).as_written == 3
    assert verify(["results/E003", "results/E003/dataset.nc"]).as_written == 2
    flip("resources/roadmap/a.gz")
    flip("results/E003/dataset.nc")
    assert states("results/tables") == {"resources/roadmap/a.gz": "damaged"}


def test_every_file_is_read_once(chain: object, monkeypatch: pytest.MonkeyPatch) -> None:
    make("results/E003/other.nc", "more", ["data/reads.bed", "results/E003/dataset.nc"])
    read: list[str] = []

    def counted(path: str | Path) -> str:
        read.append(os.path.relpath(path))
        return sha256(path)

    monkeypatch.setattr("chromattend.pipeline.records.sha256", counted)
    verify(["results", "results/E003", "."])
    assert sorted(read) == [
        "data/reads.bed",
        "results/E003/dataset.nc",
        "results/E003/mlp/model.ckpt",
        "results/E003/other.nc",
    ]


def test_a_study_that_was_moved_is_as_written(
    chain: object, study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.rename(tmp_path / "moved")
    monkeypatch.chdir(tmp_path)
    assert verify(["moved/results"]).summary == "2 files as written"
    flip("moved/data/reads.bed")
    assert states("moved/results") == {"moved/results/E003/dataset.nc": "stale"}


def test_a_place_that_does_not_exist_is_named() -> None:
    with pytest.raises(SystemExit, match="Error: reslts: does not exist; give a folder or file of results"):
        main(["verify", "reslts"])


def test_every_rule_that_runs_a_script_says_its_stage(repository: Path) -> None:
    """Its param `version` is one of STAGE_VERSIONS; only downloads have none."""
    scripts = [
        block
        for path in sorted((repository / "workflow/rules").rglob("*.smk"))
        for block in path.read_text().split("\nrule ")
        if "    script:" in block
    ]
    assert len(scripts) > 30
    without = [block.split(":")[0] for block in scripts if "        version=STAGE_VERSIONS[" not in block]
    assert [name.removeprefix("rule ") for name in without] == ["download"]
    for path in (repository / "scripts").rglob("*.py"):
        text = path.read_text()
        assert re.search(r"^with job\(snakemake\)[:,]", text, re.MULTILINE), path
        imported = re.findall(r"^(?:from|import) (\S+)", text, re.MULTILINE)
        # Before all that is slow to import.
        first = next(module for module in imported if module.split(".")[0] not in sys.stdlib_module_names)
        assert first == "chromattend.pipeline.jobs", path
