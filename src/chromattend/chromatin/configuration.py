"""Checks of a study's configuration and sample sheet, which report every error before the first job."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import yaml

from chromattend.chromatin.formats import PUBLISHED_MARKS, format_of
from chromattend.chromatin.genomes import KNOWN, fill_genome
from chromattend.chromatin.sheet import (
    ROADMAP_MARKS,
    find_matrix_columns,
    parse_epigenome,
    read_checksums,
    read_sheet,
)
from chromattend.chromatin.study import MARK_NAME, Study, wanted_marks
from chromattend.errors import Collected, UserError, did_you_mean, listed, located
from chromattend.interpret import METHODS
from chromattend.models.registry import REGISTRY
from chromattend.pipeline.config import Parts, Place, check, part_of, with_defaults
from chromattend.pipeline.locations import check_file, is_url
from chromattend.text import read_cells, read_lines

# Keys of the configuration that say something of epigenomes alone.
NEEDS_EPIGENOMES = ("select", "marks", "sources", "predict", "pan_epigenome", "transfer", "differential")


def read_schema(schemas: Path) -> dict[str, Any]:
    """Read the schema of the configuration, with the names of models and methods from the registries."""
    schema = yaml.safe_load((schemas / "config.schema.yaml").read_text())
    models = [spec for spec in REGISTRY.values() if spec.scope == "epigenome"]
    schema["$defs"]["model"]["enum"] = [spec.name for spec in models]
    schema["$defs"]["network"]["enum"] = [spec.name for spec in models if spec.kind == "network"]
    schema["$defs"]["method"]["enum"] = list(METHODS)
    return schema


def load_study(
    config: dict[str, Any], schemas: Path, workdir: Path, config_name: str = "config", parts: Parts = ()
) -> Study:
    """Check a configuration and its sample sheet; every error is one line that names the key, the value and the fix.

    Args:
        config: the merged configuration; missing keys get the schema's defaults.
        schemas: folder with `config.schema.yaml` and `epigenomes.schema.yaml`.
        workdir: folder that relative paths are resolved against.
        config_name: name of the configuration in messages, usually its file name.
        parts: what the configuration was merged from; messages name the part that gives a key.

    Raises:
        UserError: a key or table cell would make a job fail later.
    """
    given = config
    config_schema = read_schema(schemas)
    config = with_defaults(config, config_schema)

    def at(key: str) -> str:
        return f"{part_of(key, parts, config_name)}: key {key!r}"

    check(config, config_schema, lambda key: part_of(key, parts, config_name))
    if config["epigenomes"] is None:
        for key in NEEDS_EPIGENOMES:
            if given.get(key):
                raise UserError(f"{at(key)}: needs the sample sheet; give its path as key 'epigenomes'")
        config["marks"] = []
        return Study(config, {}, {}, workdir, {})

    errors = Collected()
    with errors.check():
        fill_genome(config, schemas.parents[1] / "resources", workdir, at)
    row_schema = yaml.safe_load((schemas / "epigenomes.schema.yaml").read_text())
    rows: dict[str, dict[str, str]] = {}
    columns: list[str] = []
    with errors.check():
        rows, columns = read_sheet(
            workdir / config["epigenomes"], config["epigenomes"], row_schema, set(wanted_marks(config))
        )
    if not rows:
        errors.report()
    with errors.check():
        _fill_marks(config, columns, at)
    with errors.check():
        _check_window(config, at)
    for mark in wanted_marks(config):
        if not MARK_NAME.fullmatch(mark):
            key = "marks" if mark in config["marks"] else "validation_mark"
            errors.add(f"{at(key)}: {mark!r} is not a valid name; use letters, digits and . + - _")
        elif mark not in ROADMAP_MARKS and mark not in columns:
            errors.add(
                f"{at('marks')}: unknown mark {mark!r}{did_you_mean(mark, ROADMAP_MARKS)}; "
                f"correct it, or, for a mark outside Roadmap, add a column of this name to {config['epigenomes']}"
            )

    select, only_scored = config["select"], config["predict"]["epigenomes"]
    for key, names in (("select", select), ("predict.epigenomes", only_scored)):
        for unknown in (name for name in names if name not in rows):
            errors.add(
                f"{at(key)}: epigenome {unknown!r} is not in {config['epigenomes']}"
                f"{did_you_mean(unknown, rows)}; add its row or remove it"
            )
    for name in only_scored:
        if name in select:
            errors.add(
                f"{at('predict.epigenomes')}: {name!r} is also in 'select'; an epigenome is either "
                "trained on or only scored, so remove it from one of the two"
            )
    parsed = {name: parse_epigenome(row, columns, config) for name, row in rows.items()}
    trained = {name: row for name, row in parsed.items() if name not in only_scored and (not select or name in select)}
    scored = {name: row for name, row in parsed.items() if name in only_scored}
    checksums: dict[str, tuple[str | None, int | None]] = {}
    with errors.check():
        checksums = read_checksums(config, workdir)
    study = Study(config, trained, scored, workdir, checksums)
    # Errors in names of marks and epigenomes, and in the mirror, would be said again for each file.
    of_files = () if errors else (_check_several, _check_predict, _check_interpret, _check_sources)
    with errors.check():
        with located(at("mirror")):
            _ = study.mirror
        for checks in (_check_shared_files, *of_files):
            with errors.check():
                checks(study, at)
    errors.report()
    _ = study.downloads  # raises if two URLs collide
    return study


def _fill_marks(config: dict[str, Any], columns: Sequence[str], at: Place) -> None:
    """Without `marks`, take those of the sheet, or of the authors' binned CSV."""
    if config["marks"] is None:
        template = config["sources"]["signal"] or ""
        found = [column for column in columns if column != config["validation_mark"]]
        if not found and template and "{mark}" not in template and format_of(template) == "binned":
            found = list(PUBLISHED_MARKS)
        if not found:
            config["marks"] = []
            raise UserError(
                f"{at('marks')}: is not given, and {config['epigenomes']} has no column of a mark; list the marks"
            )
        config["marks"] = found


def _check_window(config: dict[str, Any], at: Place) -> None:
    """Check keys that depend on each other: window and bin size, marks, chromosomes of the split."""
    bins = config["bins"]
    width = bins["upstream"] + bins["downstream"]
    if width == 0 or width % bins["size"]:
        raise UserError(
            f"{at('bins.size')}: {bins['size']} does not divide the window of {width} bp; "
            "change upstream, downstream or size"
        )
    if config["validation_mark"] in config["marks"]:
        raise UserError(
            f"{at('validation_mark')}: {config['validation_mark']!r} is also in 'marks'; "
            "models must not see the validation mark, so remove it from one of the two"
        )

    both = set(config["split"]["valid_chromosomes"] or ()) & set(config["split"]["test_chromosomes"] or ())
    if both:
        raise UserError(
            f"{at('split.test_chromosomes')}: {min(both)!r} is also in 'split.valid_chromosomes'; "
            "remove it from one of them"
        )


def _check_several(study: Study, at: Place) -> None:
    """Check that analyses of several epigenomes have the epigenomes that they need."""
    config, chosen = study.config, study.epigenomes
    for key in ("pan_epigenome", "transfer"):
        if config[key] and len(chosen) < 2:
            raise UserError(
                f"{at(key)}: needs at least two epigenomes, but the study has {len(chosen)}; "
                "select more or switch it off"
            )
    for pair in config["differential"]["pairs"]:
        for name in pair:
            if name not in chosen:
                raise UserError(
                    f"{at('differential.pairs')}: epigenome {name!r} is not in the study"
                    f"{did_you_mean(name, chosen)}; add it to the sheet or to 'select', or remove the pair"
                )
        if pair[0] == pair[1]:
            raise UserError(f"{at('differential.pairs')}: {pair[0]!r} is paired with itself; give two epigenomes")


def _check_interpret(study: Study, at: Place) -> None:
    """Check the options for explaining models."""
    config = study.config
    interpret, mark, bins = config["interpret"], config["interpret"]["validation"]["mark"], config["bins"]
    explained = [model for model in interpret["models"] if model in config["models"]]
    if explained and config["validation_mark"] and mark not in config["marks"]:
        raise UserError(
            f"{at('interpret.validation.mark')}: {mark!r} is not in 'marks'"
            f"{did_you_mean(mark, config['marks'])}; name the mark whose weights are compared with "
            f"{config['validation_mark']}"
        )
    number = (bins["upstream"] + bins["downstream"]) // bins["size"]
    if explained and "occlusion" in interpret["methods"] and interpret["occlusion_window"] > number:
        raise UserError(
            f"{at('interpret.occlusion_window')}: {interpret['occlusion_window']} bins are more than the "
            f"{number} bins of a gene; give fewer"
        )


def _check_predict(study: Study, at: Place) -> None:
    """Check that epigenomes to score and checkpoints are given together, and that the checkpoints exist."""
    key, given = "predict.checkpoints", study.config["predict"]["checkpoints"]
    if bool(given) != bool(study.scored):
        empty, other = (key, "predict.epigenomes") if study.scored else ("predict.epigenomes", key)
        raise UserError(f"{at(empty)}: is empty, but {other!r} is not; fill both or neither")
    if not study.epigenomes:
        raise UserError(
            f"{at('predict.epigenomes')}: leaves no epigenome to train on; keep one, or score with the "
            "command 'chromattend predict'"
        )
    for checkpoint in given:
        own = study.own_checkpoints
        if checkpoint.endswith(".ckpt"):
            if not (study.workdir / checkpoint).is_file():
                raise UserError(
                    f"{at(key)}: file {checkpoint!r} does not exist; correct the path, or give a "
                    f"model of this study, such as {own[0]}"
                )
        elif checkpoint not in own:
            raise UserError(
                f"{at(key)}: {checkpoint!r} is not a model of this study"
                f"{did_you_mean(checkpoint, own)}; give the {{epigenome}}/{{model}} of a model that it trains, such as "
                f"{own[0]}, or the path of a .ckpt file"
            )


def _check_sources(study: Study, at: Place) -> None:
    """Check that every source has a known format and that every local file exists."""
    errors = Collected()
    for name, row in study.samples.items():
        template = f"{study.config['epigenomes']}: epigenome {name!r}, signal"
        if row.signal == study.config["sources"]["signal"]:
            template = f"{at('sources.signal')}, epigenome {name!r}"
        with errors.check():
            with located(template):
                binned = study.is_binned(name)
            if binned:
                _check_binned(study, name, at)
            else:
                _check_single_marks(study, name, template, at)
            _check_locations(study, name, template)
    errors.report()
    _check_given_twice(study)


def _check_shared_files(study: Study, at: Place) -> None:
    """Check the sources that all epigenomes share."""
    config = study.config
    errors = Collected()
    local = {"genome.chrom_sizes": config["genome"]["chrom_sizes"], "genes.include": config["genes"]["include"]}
    excluded = config["genome"]["excluded"]
    if excluded and excluded != KNOWN and not is_url(excluded):
        local["genome.excluded"] = excluded
    # The genome has said what is missing beside it.
    wanted = {"expression": "matrix of expression values", "annotation": "GTF or GFF3 file of the genes"}
    for key, content in wanted.items():
        if key == "annotation" and config["genome"]["chrom_sizes"] is None:
            continue
        with errors.check(), located(at(f"sources.{key}")):
            if config["sources"][key] is None:
                raise UserError(f"is not given; give the URL or path of the {content}")
            location = study.source(key)
            if study.local_path(location, "") == location:
                local[f"sources.{key}"] = location
    for key, path in local.items():
        if path:
            with errors.check(), located(at(key)):
                check_file(path, study.workdir)
    errors.report()
    sizes = config["genome"]["chrom_sizes"]
    if config["split"]["mode"] == "chromosome" and sizes:
        chroms = {line.split()[0] for _, line in read_lines(study.workdir / sizes, sizes) if line.strip()}
        for key in ("split.valid_chromosomes", "split.test_chromosomes"):
            for chrom in config["split"][key.removeprefix("split.")] or ():
                if chrom not in chroms:
                    errors.add(
                        f"{at(key)}: {chrom!r} is not in {sizes}{did_you_mean(chrom, chroms)}; correct or remove it"
                    )
    if matrix := local.get("sources.expression"):
        with errors.check():
            with closing(read_cells(study.workdir / matrix, matrix)) as rows:
                number, header = next(rows, (1, []))
            find_matrix_columns(f"{matrix}: line {number}", header, [])
            for epigenome in study.epigenomes:
                with errors.check():
                    find_matrix_columns(f"{matrix}: line {number}", header, [epigenome])
    errors.report()


def _check_binned(study: Study, name: str, at: Place) -> None:
    """Check that the binned CSV of an epigenome has the marks of the models, and that no other file has them."""
    row = study.samples[name]
    for mark in study.marks:
        if mark not in PUBLISHED_MARKS:
            raise UserError(
                f"{at('marks')}: {mark} is not in the binned CSV of epigenome {name!r}, which has "
                f"{', '.join(PUBLISHED_MARKS)}; remove it, or give the epigenome one file per mark"
            )
        if mark in row.sources:
            raise UserError(
                f"{study.config['epigenomes']}: epigenome {name!r}, {mark}: {row.sources[mark]!r} would not be read, "
                "because the binned CSV in 'signal' already has this mark; empty the table cell"
            )


def _check_single_marks(study: Study, name: str, template: str, at: Place) -> None:
    """Check that an epigenome with one file per mark has one for each mark of the models."""
    row = study.samples[name]
    errors = Collected()
    for mark in study.marks:
        with errors.check():
            if mark in row.missing:
                raise UserError(
                    f"{study.config['epigenomes']}: epigenome {name!r} has no {mark}, which the models need; "
                    "give its file, remove the mark from 'marks', or remove the row"
                )
            if not row.signal and mark not in row.sources:
                raise UserError(
                    f"{study.config['epigenomes']}: epigenome {name!r}: {mark} has no file; fill the mark's column, "
                    "give a template as 'sources.signal', or remove the mark from 'marks'"
                )
    needed = [mark for mark in study.marks if row.signal and mark not in row.missing]
    unnamed = [mark for mark in needed if not study.has_mark(name, mark)]
    if unnamed:
        errors.add(
            f"{template}: {row.signal!r} lacks {{mark}}, so it cannot name the file of {listed(unnamed)}; "
            "put {mark} into it or fill the mark's column"
        )
    errors.report()
    if study.config["labels"] == "published" and name in study.epigenomes:
        raise UserError(
            f"{at('labels')}: 'published' needs the authors' binned CSV, but epigenome {name!r} "
            "has other files; choose rpkm_median"
        )


def _check_locations(study: Study, name: str, template: str) -> None:
    """Check format and existence of the files of an epigenome."""
    row = study.samples[name]
    columns = [mark for mark in study.counted_marks if study.has_mark(name, mark)]
    errors, template_errors = Collected(), Collected()
    for column in ["signal", *columns] if study.is_binned(name) else columns:
        where = f"{study.config['epigenomes']}: epigenome {name!r}, {column}" if column in row.sources else template
        if where == template and template_errors:
            continue  # what is wrong with a template is so for every mark
        with template_errors.check() if where == template else errors.check(), located(where):
            locations = study.binned(name) if column == "signal" else study.signals(name, column)
            kinds = {format_of(location) == "bigwig" for location in locations}
            if len(kinds) > 1:
                raise UserError(f"{'; '.join(locations)}: are reads and bigWig; give files of one kind for a mark")
            if len(set(locations)) < len(locations):
                raise UserError(f"{'; '.join(locations)}: has a file twice; remove one, or its reads count twice")
            for location in locations:
                if (format_of(location) == "binned") != (column == "signal"):
                    raise UserError(
                        f"{location!r} holds all marks of an epigenome; "
                        "put it into the column 'signal', without {mark}"
                    )
                if study.local_path(location, "") == location:
                    check_file(location, study.workdir)
    errors.errors += template_errors.errors
    errors.report()


def _check_given_twice(study: Study) -> None:
    """Check that no file is given for two different marks: it can only be the file of one."""
    errors = Collected()
    for location, uses in _uses(study):
        (first, mark), *others = uses
        for name, other in others:
            if other != mark:
                errors.add(
                    f"{study.config['epigenomes']}: epigenome {name!r}, {other}: file {location!r} is also given "
                    f"for {mark} of {first!r}; give each mark its own file"
                )
    errors.report()


def shared_files(study: Study) -> list[str]:
    """Return a warning for each file that several epigenomes give for the same mark, which may be meant."""
    return [
        f"{study.config['epigenomes']}: epigenomes {listed([name for name, _ in uses])} give one file for "
        f"{uses[0][1]}, {location!r}; give each epigenome its own file, unless this is meant"
        for location, uses in _uses(study)
        if len(uses) > 1
    ]


def _uses(study: Study) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return each signal file as it is given first, and the (epigenome, column) pairs that give it."""
    uses: dict[str, tuple[str, list[tuple[str, str]]]] = {}
    for name in study.samples:
        marks = [mark for mark in study.counted_marks if study.has_mark(name, mark)]
        given = [(mark, location) for mark in marks for location in study.signals(name, mark)]
        if study.is_binned(name):
            given += [("signal", location) for location in study.binned(name)]
        for column, location in given:
            place = location if is_url(location) else str((study.workdir / location).resolve())
            uses.setdefault(place, (location, []))[1].append((name, column))
    return list(uses.values())
