"""Checks of the section `sequence` of a configuration and of its sheet, which report every error before the first job.

Neither NumPy nor pandas is imported: planning a study of many sets takes a moment.
"""

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from chromattend.errors import UserError, did_you_mean, listed, located
from chromattend.models.registry import REGISTRY
from chromattend.pipeline.config import Place, Section, read_yaml
from chromattend.pipeline.locations import check_file, is_url
from chromattend.sequence.formats import check_index, format_of
from chromattend.sequence.sheet import RULES, SequenceSet, read_sheet
from chromattend.sequence.study import FLOORS, SequenceStudy
from chromattend.sequence.views import recommended, views_of
from chromattend.sequence.windows import pairs
from chromattend.text import read_lines

SECTION = "sequence"
# Columns of a table of k-mers that fit into memory.
MOST_KMERS = 2_000_000
# Keys of the chromatin track's section `training` that have no sense here.
_OTHER_TRAINING = ("inputs", "thin", "epigenomes_per_job")
_LETTERS = {"dna": 4, "rna": 4, "protein": 20, "text": 69}


def read_schema(schemas: Path) -> dict[str, Any]:
    """Read the schema of the section, with the names of models from the registry and the shared keys of training."""
    schema = read_yaml(schemas / "sequence.schema.yaml")
    models = [spec for spec in REGISTRY.values() if spec.scope == SECTION]
    schema["$defs"]["model"]["enum"] = [spec.name for spec in models]
    schema["$defs"]["explained"]["enum"] = [spec.name for spec in models if spec.explained]
    shared = read_yaml(schemas / "config.schema.yaml")
    training, own = shared["properties"]["training"]["properties"], schema["properties"]["training"]["properties"]
    for key, part in own.items():
        own[key] = copy.deepcopy(training.get(key, {})) | part
    missing = training.keys() - own.keys() - set(_OTHER_TRAINING)
    assert not missing, missing
    return schema


def load_sequences(
    config: Mapping[str, Any],
    schemas: Path,
    workdir: Path,
    part: Callable[[str], str] = lambda _: "config",
) -> SequenceStudy | None:
    """Check the section `sequence` and its sheet; every error is one line that names the key, the value and the fix.

    Args:
        config: the merged configuration; the section's missing keys get the schema's defaults.
        schemas: folder with `sequence.schema.yaml`, `sequences.schema.yaml` and `config.schema.yaml`.
        workdir: folder that relative paths are resolved against.
        part: names the file, or other part of the configuration, that gives a key such as `sequence.sheet`.

    Returns:
        The study of sequences, or None if the section names no sheet.

    Raises:
        UserError: a key or a cell of the sheet would make a job fail later.
    """
    taken = Section.of(config, SECTION, read_schema(schemas), part)
    taken.check()
    section, at = taken.values, taken.at
    if section["sheet"] is None:
        return None
    with located(at("sheet")):
        check_file(section["sheet"], workdir)
    row_schema = read_yaml(schemas / "sequences.schema.yaml")
    rows = read_sheet(workdir / section["sheet"], section["sheet"], row_schema)
    for name in section["select"]:
        if name not in rows:
            raise UserError(
                f"{at('select')}: set {name!r} is not in {section['sheet']}{did_you_mean(name, rows)}; "
                "add its row or remove it"
            )
    chosen = {name: row for name, row in rows.items() if not section["select"] or name in section["select"]}
    study = SequenceStudy(section, chosen, workdir)
    for one in chosen.values():
        _check_set(study, one)
    _check_split(study, at)
    _check_models(study, at)
    if section["motif"]["database"]:
        with located(at("motif.database")):
            check_file(section["motif"]["database"], workdir)
    return study


def _check_set(study: SequenceStudy, one: SequenceSet) -> None:
    """Check files, formats and rules of a row."""
    where = f"{study.config['sheet']}: set {one.name!r}"
    for column in ("positives", "test"):
        if (cell := getattr(one, column)) in RULES:
            raise UserError(f"{where}, {column}: {cell!r} is a rule for negatives; give a file of positives")
    if one.test_negatives and not one.test:
        raise UserError(f"{where}, test_negatives: needs a file in the column 'test'; give it or empty this cell")
    forms = {column: _form(study, one, column, path) for column, path in one.files.items()}
    for column, form in forms.items():
        if form == "seq" and one.alphabet == "text":
            raise UserError(
                f"{where}, {column}: text is read from FASTA, not from a table of DeepBind; give FASTA, or correct the "
                "column 'alphabet'"
            )
    intervals = [column for column, form in forms.items() if form == "bed"]
    for column in intervals:
        _check_intervals(study, one, f"{where}, {column}")
    for column in ("genome", "width"):
        if getattr(one, column) and not intervals:
            fix = "; to crop sequences, set sequence.length" if column == "width" else ""
            raise UserError(f"{where}, {column}: only BED files need it; empty this cell{fix}")
    for column, rules in (("positives", one.negatives), ("test", one.test_negatives)):
        name = "negatives" if column == "positives" else "test_negatives"
        if rules == "genome" and forms[column] != "bed":
            raise UserError(
                f"{where}, {name}: draws from the genome need a BED file of positives, not {forms[column]}; give one, "
                "or write shuffle"
            )
        if rules == "genome" and one.alphabet != "dna":
            raise UserError(f"{where}, {name}: the genome gives negatives for dna, not {one.alphabet}; write shuffle")
        if not rules and forms.get(column) == "bed":
            raise UserError(f"{where}, {name}: a BED file has no labels; give a file of negatives, shuffle or genome")
    given: dict[Path, str] = {}
    for column, path in one.files.items():
        other = given.setdefault((study.workdir / path).resolve(), column)
        if other != column:
            raise UserError(f"{where}, {column}: file {path!r} is also given as {other!r}; give each its own file")


def _form(study: SequenceStudy, one: SequenceSet, column: str, path: str) -> str:
    """Return the format of a file that exists."""
    with located(f"{study.config['sheet']}: set {one.name!r}, {column}"):
        if is_url(path):
            raise UserError(f"{path!r} is a URL; download the file and give its path")
        rule = did_you_mean(path, RULES) if column.endswith("negatives") else ""
        if rule and not (study.workdir / path).is_file():
            raise UserError(f"file {path!r} does not exist{rule}; give a file, {' or '.join(RULES)}")
        check_file(path, study.workdir)
        form = format_of(study.workdir / path, path)
        if one.format not in ("", form):
            raise UserError(f"{path!r} is {form} by its content, not {one.format}; empty the cell 'format'")
        return form


def _check_intervals(study: SequenceStudy, one: SequenceSet, where: str) -> None:
    """Check what a BED file needs."""
    if not one.genome:
        raise UserError(f"{where}: a BED file needs its genome; give a FASTA file in the column 'genome'")
    if not one.width:
        raise UserError(f"{where}: a BED file needs the width of the windows; give it in the column 'width'")
    if one.alphabet not in ("dna", "rna"):
        raise UserError(f"{where}: a BED file gives dna or rna, not {one.alphabet}; correct the column 'alphabet'")
    with located(f"{study.config['sheet']}: set {one.name!r}, genome"):
        check_file(one.genome, study.workdir)
        check_index(study.workdir / one.genome, one.genome)


def _check_split(study: SequenceStudy, at: Place) -> None:
    """Check the chromosomes that are held out."""
    split = study.config["split"]
    divided = [one for one in study.sets.values() if not one.test]
    if split["mode"] != "chromosome" or not divided:
        return
    both = set(split["valid_chromosomes"]) & set(split["test_chromosomes"])
    if both:
        raise UserError(
            f"{at('split.test_chromosomes')}: {min(both)!r} is also in 'sequence.split.valid_chromosomes'; remove it "
            "from one of them"
        )
    for genome in dict.fromkeys(one.genome for one in divided if one.genome):
        index = f"{genome}.fai"
        names = [line.split("\t")[0] for _, line in read_lines(study.workdir / index, index) if line.strip()]
        for key in ("valid_chromosomes", "test_chromosomes"):
            for chrom in split[key]:
                if chrom not in names:
                    raise UserError(
                        f"{at(f'split.{key}')}: {chrom!r} is not in {genome}, which has {listed(names)}"
                        f"{did_you_mean(chrom, names)}; correct or remove it"
                    )


def _check_models(study: SequenceStudy, at: Place) -> None:
    """Check options of models that depend on each other or on the alphabets of the sets."""
    views = study.config["explain"]["views"]
    for model in study.explained:
        if not views_of(model, views, "weights"):
            raise UserError(
                f"{at('explain.views')}: has no view of letters that {model} has; add {recommended(model)}, which "
                "names the motif, or remove the model from 'sequence.explain.models'"
            )
    options = study.config["model_options"]
    if (kernel := options["dilated"]["kernel"]) is not None and kernel % 2 == 0:
        raise UserError(f"{at('model_options.dilated.kernel')}: {kernel} is even; give an odd width")
    for one in study.sets.values():
        letters = _LETTERS[one.alphabet]
        if "gkm_svm" in study.models:
            with located(at("model_options.gkm_svm")):
                pairs(letters, options["gkm_svm"]["g"] or (), options["gkm_svm"]["k"] or ())
        for model in study.models:
            own = study.model_options(one.name, model)
            if model in FLOORS and letters ** own["k"] > MOST_KMERS:
                raise UserError(
                    f"{at(f'model_options.{model}.k')}: {own['k']} gives {letters}^{own['k']} k-mers of {one.alphabet} "
                    f"(set {one.name!r}), more than {MOST_KMERS:,}; give less, null, or remove {model} from 'models'"
                )
            if model in FLOORS and own.get("window", own["k"]) < own["k"]:
                raise UserError(
                    f"{at(f'model_options.{model}.window')}: {own['window']} is shorter than k, {own['k']} (set "
                    f"{one.name!r}); give at least k, or null"
                )
            if options[model].get("strands") == "both" and one.alphabet != "dna":
                raise UserError(
                    f"{at(f'model_options.{model}.strands')}: {one.alphabet} (set {one.name!r}) has one strand; "
                    "write one, or null"
                )
