"""The configuration and the sample sheet: every error is one line, and a correct study has the expected content."""

import csv
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from builders import MODELS, ROADMAP, merged

from chromattend.chromatin.configuration import load_study, read_schema, shared_files
from chromattend.chromatin.formats import format_of
from chromattend.chromatin.sheet import RESERVED_NAMES
from chromattend.chromatin.study import Study
from chromattend.errors import UserError
from chromattend.interpret import METHODS
from chromattend.models.registry import REGISTRY
from chromattend.pipeline.locations import download_name

SCHEMAS = Path(__file__).parents[3] / "workflow/schemas"
MIRROR = "https://egg2.wustl.edu/roadmap/data"
SHEET = "epigenome\tname\nE003\tH1\n"
# The 56 epigenomes of the papers.
PUBLISHED = (
    "E003 E004 E005 E006 E007 E011 E012 E013 E016 E024 E027 E028 E037 E038 E047 E050 E053 E054 E055 E056 E057 E058 "
    "E059 E061 E062 E065 E066 E070 E071 E079 E082 E084 E085 E087 E094 E095 E096 E097 E098 E100 E104 E105 E106 E109 "
    "E112 E113 E114 E116 E117 E118 E119 E120 E122 E123 E127 E128"
)


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    (tmp_path / "genome.sizes").write_text("chr1\t1000000\n")
    return tmp_path


def load(workdir: Path, sheet: str | bytes = SHEET, **changes: Any) -> Study:
    """Load a study with a sheet of this content, and changes to the configuration."""
    (workdir / "sheet.tsv").write_bytes(sheet.encode() if isinstance(sheet, str) else sheet)
    base = merged(ROADMAP, {"epigenomes": "sheet.tsv", "genome": {"chrom_sizes": "genome.sizes"}})
    return load_study(merged(base, changes), SCHEMAS, workdir, "study.yaml")


def error_of(workdir: Path, sheet: str | bytes = SHEET, **changes: Any) -> str:
    """Return the error message: one line with the fix after a semicolon."""
    with pytest.raises(UserError) as caught:
        load(workdir, sheet, **changes)
    message = str(caught.value)
    assert "\n" not in message
    assert "; " in message
    return message


def touch(workdir: Path, *names: str) -> None:
    for name in names:
        (workdir / name).parent.mkdir(parents=True, exist_ok=True)
        (workdir / name).write_text("x")


def schema(name: str) -> dict[str, Any]:
    return yaml.safe_load((SCHEMAS / f"{name}.schema.yaml").read_text())


def keys(part: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Walk every key of a schema."""
    for name, inner in part.get("properties", {}).items():
        yield (*path, name), inner
        yield from keys(inner, (*path, name))


def at(config: dict[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = config
    for name in path:
        value = value[name]
    return value


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bin": {"size": 50}}, ["unknown key 'bin'", "did you mean 'bins'"]),
        ({"zzz": 1}, ["unknown key 'zzz'", "the keys here are bigwig, bins"]),
        ({"bins": {1: "x"}}, ["unknown key 'bins.1'"]),
        ({"bins": {"sise": 50}}, ["unknown key 'bins.sise'", "did you mean 'size'"]),
        ({"model_options": {"deepchrome": {"kernal": 3}}}, ["'model_options.deepchrome.kernal'", "'kernel'"]),
        ({"marks": ["H3K4me33"]}, ["'marks'", "unknown mark 'H3K4me33'", "did you mean 'H3K4me3'", "column"]),
        ({"marks": ["ATAC"]}, ["unknown mark 'ATAC'", "add a column of this name to sheet.tsv"]),
        ({"validation_mark": "H3K27Ac"}, ["unknown mark 'H3K27Ac'", "did you mean 'H3K27ac'"]),
        ({"models": ["deepcrome"]}, ["'models.0'", "'deepcrome'", "did you mean 'deepchrome'", "linear_svc"]),
        ({"split": {"mode": "chromosomes"}}, ["'split.mode'", "'chromosomes'", "did you mean 'chromosome'"]),
        (
            {"split": {"valid_chromosomes": ["chr7", "chr8"], "test_chromosomes": ["chr8"]}},
            ["'split.test_chromosomes': 'chr8'", "'split.valid_chromosomes'", "remove"],
        ),
        ({"training": {"learning_rate": "1e-3"}}, ["'training.learning_rate': '1e-3'", "a number", "0.001"]),
        ({"marks": "H3K4me3"}, ["'marks': 'H3K4me3'", "wrong type", "give a list"]),
        ({"select": [1]}, ["'select.0': 1", "wrong type", "in quotes"]),
        ({"marks": [4]}, ["'marks.0': 4", "give a string"]),
        ({"bins": None}, ["'bins': None", "give a mapping of keys"]),
        ({"bins": {"size": "100"}}, ["'bins.size': '100'", "give an integer"]),
        ({"bins": {"size": 100.0}}, ["'bins.size': 100.0", "give an integer"]),
        ({"training": {"seed": True}}, ["'training.seed': True", "give an integer"]),
        ({"training": {"learning_rate": "1e-3"}}, ["'training.learning_rate': '1e-3'", "give a number"]),
        ({"reads": {"duplicates": "yes"}}, ["'reads.duplicates': 'yes'", "give true or false"]),
        ({"validation_mark": 27}, ["'validation_mark': 27", "give a string or null"]),
        ({"bins": {"size": -5}}, ["'bins.size': -5", "at least 1"]),
        ({"bins": {"size": 0}}, ["'bins.size': 0", "at least 1"]),
        ({"bins": {"size": 300}}, ["'bins.size': 300", "window of 10000 bp", "change"]),
        ({"bins": {"upstream": 0, "downstream": 0}}, ["'bins.size'", "window of 0 bp"]),
        ({"training": {"gpus": 2}}, ["'training.gpus': 2", "at most 1"]),
        ({"download": {"timeout": 0}}, ["'download.timeout': 0", "a number above 0"]),
        ({"model_options": {"deepchrome": {"dropout": 1}}}, ["'model_options.deepchrome.dropout': 1", "below 1"]),
        ({"marks": []}, ["'marks': []", "length of at least 1"]),
        ({"split": {"fractions": [1, 1]}}, ["'split.fractions': [1, 1]", "length of at least 3"]),
        ({"split": {"fractions": [1, 1, 0]}}, ["'split.fractions.2': 0", "above 0"]),
        ({"marks": ["H3K4me3", "H3K9me3", "H3K4me3"]}, ["'marks'", "'H3K4me3' is given twice", "remove one"]),
        ({"mirror": "ftp://host/x"}, ["'mirror': 'ftp://host/x'", "https"]),
        ({"mirror": "https://host/{place}"}, ["study.yaml: key 'mirror'", "{place}", "{workdir}"]),
        ({"validation_mark": "H3K4me3"}, ["'validation_mark': 'H3K4me3'", "also in 'marks'", "remove it"]),
        (
            {"interpret": {"validation": {"mark": "H3K4me33"}}},
            ["'interpret.validation.mark': 'H3K4me33'", "is not in 'marks'", "did you mean 'H3K4me3'", "H3K27ac"],
        ),
        (
            {"interpret": {"occlusion_window": 200}},
            ["'interpret.occlusion_window': 200 bins", "the 100 bins of a gene", "give fewer"],
        ),
        ({"interpret": {"models": ["random_forest"]}}, ["'interpret.models.0'", "'random_forest'", "attentivechrome"]),
        ({"interpret": {"methods": ["salency"]}}, ["'interpret.methods.0'", "'salency'", "did you mean 'saliency'"]),
        ({"labels": "published"}, ["'labels': 'published'", "'E003'", "choose rpkm_median"]),
        ({"select": ["E004"]}, ["'select'", "'E004' is not in sheet.tsv", "did you mean 'E003'", "add its row"]),
        ({"predict": {"epigenome": ["E003"]}}, ["unknown key 'predict.epigenome'", "did you mean 'epigenomes'"]),
        ({"predict": {"epigenomes": "E003"}}, ["'predict.epigenomes': 'E003'", "give a list"]),
        ({"predict": {"epigenomes": ["E004"]}}, ["'predict.epigenomes'", "'E004' is not in sheet.tsv", "'E003'"]),
        ({"predict": {"checkpoints": ["E003/lstm"]}}, ["'predict.epigenomes': is empty", "fill both or neither"]),
        (
            {"predict": {"epigenomes": ["E003"], "checkpoints": ["a.ckpt"]}},
            ["'predict.epigenomes'", "no epigenome to train on", "chromattend predict"],
        ),
        (
            {"predict": {"epigenomes": ["E003"], "checkpoints": ["a.ckpt"]}, "select": ["E003"]},
            ["'predict.epigenomes': 'E003' is also in 'select'", "remove it from one"],
        ),
        ({"genome": {"chrom_sizes": "no.sizes"}}, ["'genome.chrom_sizes'", "'no.sizes' does not exist"]),
        ({"genome": {"chrom_sizes": "https://host/a.sizes"}}, ["'genome.chrom_sizes'", "'https://host/a.sizes'"]),
        ({"genes": {"include": "no.txt"}}, ["'genes.include'", "'no.txt' does not exist", "correct the path"]),
        ({"sources": {"expression": "no.tsv"}}, ["'sources.expression'", "'no.tsv' does not exist"]),
        ({"sources": {"expression": "{workdir}/{mark}"}}, ["'sources.expression'", "{mark}", "{mirror}, {workdir}"]),
        ({"sources": {"annotation": "no.gtf"}}, ["'sources.annotation'", "'no.gtf' does not exist"]),
        ({"sources": {"checksums": "no.tsv"}}, ["'sources.checksums'", "'no.tsv' does not exist", "null"]),
        ({"sources": {"signal": "{mirror}/{cell}-{mark}.bam"}}, ["'sources.signal'", "{cell}", "{epigenome}"]),
        ({"sources": {"signal": "{mirror}/{mark}.{mark.x}.bam"}}, ["'sources.signal'", "{mark.x} is not a field"]),
        ({"sources": {"signal": "{mirror}/{}-{mark}.bam"}}, ["'sources.signal'", "{} is not a field"]),
        ({"sources": {"signal": "{mirror}/{mark.bam"}}, ["'sources.signal'", "'{mirror}/{mark.bam'"]),
        ({"sources": {"signal": "{mirror}/{epigenome}.bam"}}, ["lacks {mark}", "H3K27me3", "put {mark} into it"]),
        ({"sources": {"signal": "{mirror}/{mark}.txt"}}, ["'sources.signal'", ".txt", ".tagalign.gz", "rename"]),
        ({"sources": {"signal": "{mirror}/all.txt"}}, ["'sources.signal'", "all.txt", "rename the file"]),
        ({"sources": {"signal": "{mirror}/{mark}.csv"}}, ["H3K27me3.csv", "holds all marks", "without {mark}"]),
        ({"sources": {"signal": "{mirror}/../{mark}.bam"}}, ["/../H3K27me3.bam", "not name a file", "without '..'"]),
        ({"sources": {"signal": "ftp://host/{mark}.bam"}}, ["'ftp://host/H3K27me3.bam'", "https", "by hand"]),
        ({"epigenomes": "no.tsv"}, ["'epigenomes'", "'no.tsv' does not exist", "give the path"]),
        ({"epigenomes": "."}, ["'epigenomes'", "'.'", "give the path"]),
    ],
)
def test_an_error_in_the_configuration_is_one_line(workdir: Path, changes: dict, words: list[str]) -> None:
    message = error_of(workdir, **changes)
    assert all(word in message for word in words), message


@pytest.mark.parametrize(
    ("sheet", "words"),
    [
        (SHEET + "E003\tagain\n", ["sheet.tsv: line 3", "'E003' is given twice", "remove or rename"]),
        ("# a comment\n\n" + SHEET + "E004\n", ["sheet.tsv: line 5", "has 1 column, but line 3 has 2", "tabs"]),
        (SHEET + "E004\ta\tb\n", ["sheet.tsv: line 3", "has 3 columns, but line 1 has 2"]),
        (
            "epigenome\tcolour\nE003\tred\n",
            ["sheet.tsv: line 2", "'colour': 'red'", "six hexadecimal digits, such as #0072B2"],
        ),
        ("epigenome\tcolour\nE003\t#12345\n", ["sheet.tsv: line 2", "'#12345'"]),
        ("epigenome\nE003/1\n", ["sheet.tsv: line 2", "'E003/1' is not valid"]),
        ("epigenome\n..\n", ["sheet.tsv: line 2", "'..' is not valid"]),
        (
            "epigenome\nH1 cells\n",
            ["sheet.tsv: line 2", "'H1 cells' is not valid; give a name of letters, digits and . + - _"],
        ),
        ("epigenome\tname\n\tH1\n", ["sheet.tsv: line 2", "'epigenome': ''"]),
        ("name\tgroup\nH1\tESC\n", ["sheet.tsv: line 1", "no column 'epigenome'", "tab-separated"]),
        ("epigenome,name\nE003,H1\n", ["sheet.tsv", "'epigenome,name'", "not separated by tabs"]),
        ("epigenome\tgruop\nE003\tx\n", ["sheet.tsv", "unknown column 'gruop'", "did you mean 'group'"]),
        ("epigenome\tH3K4me33\nE003\tx.bam\n", ["unknown column 'H3K4me33'", "did you mean 'H3K4me3'"]),
        (
            "epigenome\tname\tname\nE003\ta\tb\n",
            ["sheet.tsv", "column 'name' is given twice", "columns 2 and 3", "remove"],
        ),
        ("", ["sheet.tsv: is empty", "header line"]),
        ("# nothing here\n\n", ["sheet.tsv: is empty"]),
        ("epigenome\tname\n", ["sheet.tsv", "no epigenome", "add a row"]),
        ("epigenome\tname\nE003\tLymphozyte aus München\n".encode("latin-1"), ["sheet.tsv", "not UTF-8", "save it"]),
        ("epigenome\tH3K4me3\nE003\tgone.bam\n", ["sheet.tsv", "'E003', H3K4me3", "'gone.bam' does not exist"]),
        ("epigenome\tH3K4me3\nE003\tnone\n", ["sheet.tsv", "'E003' has no H3K4me3", "the models need", "remove"]),
        ("epigenome\tH3K4me3\nE003\tgenome.sizes\n", ["'E003', H3K4me3", "genome.sizes", "rename the file"]),
        ("epigenome\tH3K4me3\nE003\t{sample}.bam\n", ["'E003', H3K4me3", "{sample} is not a field", "{mark}"]),
        ("epigenome\tH3K4me3\nE003\thttps://host/a.csv\n", ["'E003', H3K4me3", "holds all marks", "'signal'"]),
        ("epigenome\tH3K4me3\nE003\thttps://host/\n", ["'E003', H3K4me3", "https://host/", "rename the file"]),
        ("epigenome\tH3K27ac\nE003\tgone.bam\n", ["'E003', H3K27ac", "'gone.bam' does not exist"]),
        ("epigenome\tsignal\nE003\treads/{mark}.bam\n", ["'E003', signal", "'reads/H3K27me3.bam' does not exist"]),
        ("epigenome\tsignal\nE003\thttps://host/a.bam\n", ["'E003', signal", "lacks {mark}", "H3K27me3"]),
        ("epigenome\tsignal\nE003\t{part}.csv\n", ["'E003', signal", "'train.csv' does not exist"]),
        (
            "epigenome\tsignal\tH3K4me3\nE003\thttps://host/a.csv\thttps://host/a.bam\n",
            ["'E003', H3K4me3", "'https://host/a.bam' would not be read", "empty the table cell"],
        ),
        (
            "epigenome\tH3K4me3\tH3K9me3\nE003\thttps://host:81/a.bam\thttps://host:82/a.bam\n",
            ["'https://host:81/a.bam'", "'https://host:82/a.bam'", "the same path", "by hand"],
        ),
        ("epigenome\tH3K4me3\nE003\thttp://host/a.bam\n", ["'http://host/a.bam'", "plain http", "download.http: true"]),
        ("epigenome\tH3K4me3\nE003\thttps://host/a/../b.bam\n", ["https://host/a/../b.bam", "without '..'"]),
        ("epigenome\tH3K4me3\nE003\thttps://host/a/%2e%2e/b.bam\n", ["%2e%2e/b.bam", "without '..'"]),
    ],
)
def test_an_error_in_the_sheet_is_one_line(workdir: Path, sheet: str | bytes, words: list[str]) -> None:
    message = error_of(workdir, sheet)
    assert all(word in message for word in words), message


@pytest.mark.parametrize("name", RESERVED_NAMES)
def test_an_epigenome_cannot_have_the_name_of_another_result(workdir: Path, name: str) -> None:
    message = error_of(workdir, f"epigenome\n{name}\n")
    assert "sheet.tsv: line 2" in message
    assert repr(name) in message
    assert "rename it" in message


def test_results_of_the_study_are_reserved_names(repository: Path) -> None:
    rules = "".join(path.read_text() for path in (repository / "workflow/rules").rglob("*.smk"))
    top = {text.split('"')[0].split("/")[0] for text in rules.split('"<results>/')[1:]}
    assert {name for name in top if "{" not in name} == set(RESERVED_NAMES)


@pytest.mark.parametrize("where", ["marks", "validation_mark"])
def test_a_mark_of_a_column_must_be_fit_for_a_file_name(workdir: Path, where: str) -> None:
    touch(workdir, "a.bam")
    value = {"marks": ["my/mark"], "validation_mark": "my/mark"}[where]
    message = error_of(workdir, "epigenome\tmy/mark\nE003\ta.bam\n", **{where: value})
    assert f"key '{where}'" in message
    assert "'my/mark' is not a valid name" in message


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("address\tsize\nx\t1\n", ["sums.tsv", "no column 'url'", "url, checksum and size"]),
        ("url\tchecksum\nx\tsha256:12\n", ["sums.tsv: line 2", "'sha256:12' is not valid", "hexadecimal"]),
        ("url\tchecksum\nx\t" + "a" * 64 + "\n", ["sums.tsv: line 2", "is not valid", "give sha256: or md5:"]),
        ("url\tchecksum\nx\tmd5:" + "g" * 32 + "\n", ["sums.tsv: line 2", "is not valid"]),
        ("url\tsize\nx\t5\ny\t12 MB\n", ["sums.tsv: line 3", "'12 MB' is not a number of bytes", "correct it"]),
        ("url\tsize\nx\t\N{SUPERSCRIPT TWO}\n", ["sums.tsv: line 2", "is not a number of bytes"]),
        ("url\tsize\nü\t5\n".encode("latin-1"), ["sums.tsv", "not UTF-8", "save it"]),
    ],
)
def test_an_error_in_the_checksum_table_is_one_line(workdir: Path, table: str | bytes, words: list[str]) -> None:
    (workdir / "sums.tsv").write_bytes(table.encode() if isinstance(table, str) else table)
    message = error_of(workdir, sources={"checksums": "sums.tsv"})
    assert all(word in message for word in words), message


def test_checksums_are_known_by_url(workdir: Path) -> None:
    lines = ["url\tchecksum\tsize", "https://a/x\tSHA256:".replace("SHA", "sha") + "AB" * 32 + "\t12"]
    lines += ["https://a/y\t\t7", "https://a/z\tmd5:" + "0c" * 16 + "\t"]
    (workdir / "sums.tsv").write_text("\ufeff" + "\r\n".join(lines) + "\r\n")
    study = load(workdir, sources={"checksums": "sums.tsv"})
    assert study.checksums == {
        "https://a/x": ("sha256:" + "ab" * 32, 12),
        "https://a/y": (None, 7),
        "https://a/z": ("md5:" + "0c" * 16, None),
    }


def test_missing_keys_have_their_default_at_every_level(workdir: Path) -> None:
    config = load(workdir).config
    given = {path for path, _ in leaves(ROADMAP)} | {("epigenomes",), ("genome", "chrom_sizes")}
    # Only the split by chromosomes has some.
    given |= {("split", "valid_chromosomes"), ("split", "test_chromosomes")}
    known = {path: part for path, part in keys(schema("config")) if "default" in part and path not in given}
    assert len(known) > 50
    assert {path: at(config, path) for path in known} == {path: part["default"] for path, part in known.items()}


def test_a_given_key_leaves_the_defaults_beside_it(workdir: Path) -> None:
    bins = load(workdir, bins={"size": 50}).config["bins"]
    assert bins == {"upstream": 5000, "downstream": 5000, "size": 50, "flip_strand": False}


def test_loading_leaves_the_configuration_as_it_was(workdir: Path) -> None:
    given = {"bins": {"size": 50}, "sources": {}}
    load(workdir, **given)
    assert given == {"bins": {"size": 50}, "sources": {}}


@pytest.mark.parametrize("name", ["config", "epigenomes"])
def test_every_key_is_described(name: str) -> None:
    assert [".".join(path) for path, part in keys(schema(name)) if not part.get("description")] == []


@pytest.mark.parametrize("name", ["config", "epigenomes"])
def test_no_user_has_to_read_a_pattern(name: str) -> None:
    assert [path for path, part in keys(schema(name)) if "pattern" in part and not part.get("expected")] == []


def test_every_value_of_the_schema_has_a_default() -> None:
    assert [path for path, part in keys(schema("config")) if "properties" not in part and "default" not in part] == []


def test_the_schema_knows_the_models_of_the_registry() -> None:
    whole = read_schema(SCHEMAS)
    assert whole["$defs"]["model"]["enum"] == MODELS
    assert whole["$defs"]["network"]["enum"] == [name for name in MODELS if REGISTRY[name].kind == "network"]
    assert whole["$defs"]["method"]["enum"] == list(METHODS)
    assert set(whole["properties"]["model_options"]["properties"]) < set(REGISTRY)
    # The file itself lists no model, so that a new one is not forgotten in it.
    assert all("enum" not in part for part in schema("config")["$defs"].values())


@pytest.mark.parametrize(
    "sheet",
    [
        b"\xef\xbb\xbfepigenome\tname\r\nE003\tH1 cells\r\n",
        b"epigenome\tname\nE003\tH1 cells",
        b"# from the lab\n\nepigenome \t name\n\n E003\tH1 cells \n# the end\n",
    ],
    ids=["BOM and CRLF", "no newline at the end", "comments and blanks"],
)
def test_a_sheet_from_any_editor_is_read(workdir: Path, sheet: bytes) -> None:
    study = load(workdir, sheet)
    assert [(row.id, row.name) for row in study.epigenomes.values()] == [("E003", "H1 cells")]


def test_empty_cells_of_the_sheet_have_defaults(workdir: Path) -> None:
    row = load(workdir, "epigenome\tname\tcolour\nE003\t\t\n").epigenomes["E003"]
    assert (row.name, row.group, row.colour) == ("E003", "", "#808080")


@pytest.mark.parametrize("name", ["Zellé", "細胞1", "H1_p.12+a-b"])
def test_an_epigenome_can_have_a_name_in_any_script(workdir: Path, name: str) -> None:
    study = load(workdir, f"epigenome\n{name}\n")
    assert study.signals(name, "H3K4me3")[0].endswith(f"/{name}-H3K4me3.tagAlign.gz")
    assert study.local_path(study.signals(name, "H3K4me3")[0], "resources").endswith(f"/{name}-H3K4me3.tagAlign.gz")


def test_select_keeps_the_order_of_the_sheet(workdir: Path) -> None:
    study = load(workdir, "epigenome\nA\nB\nC\n", select=["C", "A"])
    assert list(study.epigenomes) == ["A", "C"]


def scoring(workdir: Path, *checkpoints: str, **changes: Any) -> dict[str, Any]:
    """Return arguments of `load` for a study that trains on A and B, and scores the new N."""
    predict = {"epigenomes": ["N"], "checkpoints": list(checkpoints)}
    return {"workdir": workdir, "sheet": "epigenome\nN\nA\nB\n", "predict": predict} | changes


def test_scored_epigenomes_are_counted_and_not_trained_on(workdir: Path) -> None:
    touch(workdir, "other/model.ckpt")
    study = load(**scoring(workdir, "B/deepchrome", "other/model.ckpt"))
    assert (list(study.epigenomes), list(study.scored), set(study.samples)) == (["A", "B"], ["N"], {"A", "B", "N"})
    assert study.own_checkpoints[:2] == ["A/logistic_regression", "A/linear_svc"]
    assert study.signals("N", "H3K4me3")[0].endswith("/N-H3K4me3.tagAlign.gz")
    assert any(path.endswith("/N-H3K4me3.tagAlign.gz") for path in study.downloads)


def test_a_selection_is_of_the_epigenomes_to_train_on(workdir: Path) -> None:
    study = load(**scoring(workdir, "A/deepchrome", select=["A"]))
    assert (list(study.epigenomes), list(study.scored)) == (["A"], ["N"])


@pytest.mark.parametrize(
    ("checkpoint", "words"),
    [
        ("gone/model.ckpt", ["file 'gone/model.ckpt' does not exist", "such as A/logistic_regression"]),
        ("A/deepcrome", ["'A/deepcrome' is not a model of this study", "did you mean 'A/deepchrome'"]),
        ("A/lstm", ["'A/lstm' is not a model of this study", "{epigenome}/{model}", ".ckpt"]),
        ("N/deepchrome", ["'N/deepchrome' is not a model of this study"]),
    ],
)
def test_an_error_in_the_checkpoints_is_one_line(workdir: Path, checkpoint: str, words: list[str]) -> None:
    message = error_of(**scoring(workdir, checkpoint))
    assert all(word in message for word in ["study.yaml: key 'predict.checkpoints'", *words]), message


def test_scored_epigenomes_need_checkpoints(workdir: Path) -> None:
    assert "'predict.checkpoints': is empty" in error_of(**scoring(workdir))


def test_rows_of_scored_epigenomes_are_checked(workdir: Path) -> None:
    sheet = "epigenome\tH3K4me3\nN\tgone.bam\nA\t\n"
    message = error_of(**scoring(workdir, "A/deepchrome", sheet=sheet))
    assert "'N', H3K4me3: file 'gone.bam' does not exist" in message


def test_scored_epigenomes_need_no_published_labels(workdir: Path) -> None:
    sheet = "epigenome\tsignal\nN\t\nA\thttps://host/a.csv\n"
    study = load(**scoring(workdir, "A/deepchrome", sheet=sheet, labels="published"))
    assert not study.is_binned("N")


def test_rows_that_are_not_selected_may_lack_their_files(workdir: Path) -> None:
    sheet = "epigenome\tH3K4me3\nA\tgone.bam\nB\t\n"
    assert list(load(workdir, sheet, select=["B"]).epigenomes) == ["B"]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("A\ta.bam\ta.bam\nB\tb.bam\tc.bam\n", ["'A', H3K9me3: file 'a.bam'", "for H3K4me3 of 'A'", "its own file"]),
        ("A\ta.bam\tx/../a.bam\nB\tb.bam\tc.bam\n", ["'A', H3K9me3: file 'a.bam'"]),
        ("A\ta.bam\tlink.bam\nB\tb.bam\tc.bam\n", ["'A', H3K9me3"]),
        ("A\ta.bam\td.bam\nB\tb.bam\ta.bam\n", ["'B', H3K9me3: file 'a.bam'", "for H3K4me3 of 'A'"]),
        ("A\thttps://x.org/a.bam\thttps://x.org/a.bam\nB\tb.bam\tc.bam\n", ["https://x.org/a.bam", "own file"]),
    ],
)
def test_a_file_of_two_marks_is_refused(workdir: Path, rows: str, words: list[str]) -> None:
    touch(workdir, "a.bam", "b.bam", "c.bam", "d.bam", "x/y")
    (workdir / "link.bam").symlink_to("a.bam")
    message = error_of(
        workdir, "epigenome\tH3K4me3\tH3K9me3\n" + rows, marks=["H3K4me3", "H3K9me3"], validation_mark=None
    )
    assert all(word in message for word in ["sheet.tsv", *words]), message


def test_a_file_of_two_epigenomes_is_warned_of(workdir: Path) -> None:
    touch(workdir, "a.bam", "b.bam")
    study = load(workdir, "epigenome\tH3K4me3\nA\ta.bam\nB\tb.bam\n", marks=["H3K4me3"], validation_mark=None)
    assert shared_files(study) == []
    study = load(workdir, "epigenome\tH3K4me3\nA\ta.bam\nB\t./a.bam\n", marks=["H3K4me3"], validation_mark=None)
    assert shared_files(study) == [
        "sheet.tsv: epigenomes A, B give one file for H3K4me3, 'a.bam'; give each epigenome its own file, unless this "
        "is meant"
    ]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a.narrowPeak.gz", "holds peaks, no reads"),
        ("a.bedGraph", "convert it to bigWig"),
        ("a.cram", "convert it to BAM"),
        ("a.fastq.gz", "not aligned"),
        ("a.bed.bz2", "not compressed by gzip"),
    ],
)
def test_a_known_format_that_is_not_read_is_named(workdir: Path, name: str, reason: str) -> None:
    touch(workdir, name)
    message = error_of(workdir, f"epigenome\tH3K4me3\nA\t{name}\n", marks=["H3K4me3"], validation_mark=None)
    assert f"epigenome 'A', H3K4me3: {name}: " in message
    assert reason in message


def test_marks_come_from_their_columns_or_from_the_template(workdir: Path) -> None:
    touch(workdir, "own/me3.bam", "own/ac.bw", "own/atac.bam")
    sheet = (
        "epigenome\tH3K4me3\tH3K9me3\tH3K27ac\tATAC\n"
        "A\town/me3.bam\thttps://lab.example/a%20b/me3.bed.gz\town/ac.bw\t{mirror}/{epigenome}.bigWig\n"
        "E003\t\t\tnone\t{workdir}/own/atac.bam\n"
    )
    study = load(workdir, sheet, marks=["H3K4me3", "H3K9me3", "ATAC"])
    consolidated = f"{MIRROR}/byFileType/alignments/consolidated"
    assert {mark: study.signals("A", mark)[0] for mark in study.counted_marks} == {
        "H3K4me3": "own/me3.bam",
        "H3K9me3": "https://lab.example/a%20b/me3.bed.gz",
        "ATAC": f"{MIRROR}/A.bigWig",
        "H3K27ac": "own/ac.bw",
    }
    assert study.signals("E003", "H3K4me3")[0] == f"{consolidated}/E003-H3K4me3.tagAlign.gz"
    assert study.signals("E003", "ATAC")[0] == f"{workdir}/own/atac.bam"
    assert (study.has_mark("A", "H3K27ac"), study.has_mark("E003", "H3K27ac")) == (True, False)
    assert set(study.downloads) == {
        "other/lab.example/a b/me3.bed.gz",
        "roadmap/A.bigWig",
        "roadmap/byFileType/alignments/consolidated/E003-H3K4me3.tagAlign.gz",
        "roadmap/byFileType/alignments/consolidated/E003-H3K9me3.tagAlign.gz",
        "roadmap/byDataType/rna/expression/57epigenomes.RPKM.pc.gz",
        "roadmap/byDataType/rna/annotations/gen10.long.gtf.gz",
    }
    assert study.local_path("own/me3.bam", "downloads") == "own/me3.bam"
    assert study.local_path(f"{MIRROR}/A.bigWig", "downloads") == "downloads/roadmap/A.bigWig"


def test_an_epigenome_can_have_its_own_template(workdir: Path) -> None:
    touch(workdir, *(f"own/X1.{mark}.bam" for mark in ("H3K4me3", "H3K9me3")))
    sheet = "epigenome\tsignal\nX1\town/{epigenome}.{mark}.bam\nE003\t\n"
    study = load(workdir, sheet, marks=["H3K4me3", "H3K9me3"], validation_mark=None)
    assert study.signals("X1", "H3K9me3")[0] == "own/X1.H3K9me3.bam"
    assert study.signals("E003", "H3K9me3")[0].startswith(MIRROR)


def test_a_template_without_mark_is_no_file_of_the_validation_mark(workdir: Path) -> None:
    touch(workdir, "input.bam", "me3.bam")
    study = load(workdir, "epigenome\tsignal\tH3K4me3\nA\tinput.bam\tme3.bam\n", marks=["H3K4me3"])
    assert not study.has_mark("A", "H3K27ac")


@pytest.mark.parametrize(
    ("signal", "files"),
    [
        ("binned/{epigenome}/{part}.csv.gz", [f"binned/E003/{part}.csv.gz" for part in ("train", "valid", "test")]),
        ("binned/{epigenome}.csv", ["binned/E003.csv"]),
    ],
)
def test_binned_csv_stands_for_all_marks(workdir: Path, signal: str, files: list[str]) -> None:
    touch(workdir, *files, "ac.bam")
    study = load(workdir, f"epigenome\tsignal\nE003\t{signal}\n", labels="published")
    assert study.is_binned("E003")
    assert study.binned("E003") == files
    assert not study.has_mark("E003", "H3K27ac")
    study = load(workdir, f"epigenome\tsignal\tH3K27ac\nE003\t{signal}\tac.bam\n")
    assert study.has_mark("E003", "H3K27ac")


def test_binned_csv_has_only_the_published_marks(workdir: Path) -> None:
    sheet = "epigenome\tsignal\nE003\thttps://host/a.csv\n"
    message = error_of(workdir, sheet, marks=["H3K4me3", "H3K9ac"])
    assert "'marks': H3K9ac is not in the binned CSV of epigenome 'E003'" in message


def test_binned_csv_can_be_downloaded(workdir: Path) -> None:
    study = load(workdir, "epigenome\tsignal\nE003\thttps://host/{epigenome}/{part}.csv\n")
    assert "other/host/E003/valid.csv" in study.downloads


@pytest.mark.parametrize(
    ("location", "kind"),
    [
        ("a/E003-H3K4me3.tagAlign.gz", "reads"),
        ("A.BED", "reads"),
        ("https://host/a.bam?download=1", "bam"),
        ("a.bw", "bigwig"),
        ("a.pval.signal.bigWig", "bigwig"),
        ("train.csv.gz", "binned"),
    ],
)
def test_the_ending_tells_the_format(location: str, kind: str) -> None:
    assert format_of(location) == kind


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://host/data/a/b.gz", "roadmap/a/b.gz"),
        ("https://host/data2/b.gz", "other/host/data2/b.gz"),
        ("https://lab.example:8443/a%20b.gz?key=1", "other/lab.example/a b.gz"),
        ("file:///data//c/b.gz", "other/localhost/data/c/b.gz"),
    ],
)
def test_downloads_lie_by_their_origin(url: str, name: str) -> None:
    assert download_name(url, "https://host/data") == name


@pytest.mark.parametrize(
    "url", ["https://host/data/", "https://lab.example", "https://h/a/..", "https://../a.gz", "https://h/a%0ab"]
)
def test_a_url_that_names_no_file_is_refused(url: str) -> None:
    with pytest.raises(UserError, match="does not name a file"):
        download_name(url, "https://host/data")


def test_a_local_mirror_may_lie_in_a_folder_of_any_name(tmp_path: Path) -> None:
    workdir = tmp_path / "a #1 50%25 ü"
    workdir.mkdir()
    touch(workdir, "genome.sizes")
    study = load(workdir, mirror="file://{workdir}/mirror")
    assert study.source("expression").startswith(f"{workdir.as_uri()}/mirror/")
    assert "roadmap/byDataType/rna/annotations/gen10.long.gtf.gz" in study.downloads


def test_the_study_of_the_repository_is_valid(repository: Path) -> None:
    config = yaml.safe_load((repository / "config/config.yaml").read_text())
    study = load_study(config, SCHEMAS, repository, "config/config.yaml")
    assert " ".join(study.epigenomes) == PUBLISHED
    assert len(study.downloads) == 56 * 5 + 48 + 2
    assert study.config["genes"]["mode"] == "reproduction"


def test_the_study_says_all_that_has_no_default_for_every_study(repository: Path) -> None:
    config = yaml.safe_load((repository / "config/config.yaml").read_text())
    study = load_study(config, SCHEMAS, repository, "config/config.yaml")
    needed = ("mirror", "genome", "marks", "validation_mark", "sources", "split", "labels", "models")
    assert [key for key in needed if key not in config] == []
    given = dict(leaves({key: config[key] for key in needed}))
    settled = dict(leaves({key: study.config[key] for key in needed}))
    assert given == {path: settled[path] for path in given}
    assert config["models"] == MODELS


def leaves(value: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, inner in value.items():
        if isinstance(inner, dict) and inner:
            yield from leaves(inner, (*path, name))
        else:
            yield (*path, name), inner


def test_the_demo_of_the_repository_is_valid(repository: Path) -> None:
    demo = yaml.safe_load((repository / "config/demo/config.yaml").read_text())
    study = load_study(demo, SCHEMAS, repository, "config/demo/config.yaml")
    assert list(study.epigenomes) == ["SYN1", "SYN2", "SYN3"]
    assert all(url.startswith(f"{repository.as_uri()}/resources/demo/mirror/") for url in study.downloads.values())
    folders = study.config["pathvars"].values()
    assert all("/demo" in folder for folder in folders)


def test_the_sheet_agrees_with_the_table_of_roadmap(repository: Path, real_data: Path) -> None:
    with open(repository / "config/epigenomes.tsv", newline="") as file:
        sheet = {row["epigenome"]: row for row in csv.DictReader(file, delimiter="\t")}
    path = real_data / "roadmap/Consolidated_EpigenomeIDs_summary_Table.tsv"
    with open(path, newline="", encoding="utf-8") as file:
        table = {row["Epigenome ID (EID)"]: row for row in csv.DictReader(file, delimiter="\t")}
    assert len(sheet) == 56
    for name, row in sheet.items():
        known = table[name]
        assert row["name"] == known["Standardized Epigenome name"].strip()
        assert row["group"] == known["GROUP"]
        assert row["colour"] == known["COLOR"]
        assert row["H3K27ac"] == ("" if known["Has K27ac"] == "1" else "none"), name
    assert sum(row["H3K27ac"] == "" for row in sheet.values()) == 48


def test_planning_imports_neither_pandas_nor_numpy() -> None:
    """Every call of Snakemake, and every job, reads the rules: what these import is start-up time."""
    code = "import sys, chromattend.chromatin.configuration; print(sorted({'pandas', 'numpy'} & sys.modules.keys()))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
