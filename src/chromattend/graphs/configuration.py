"""Checks of the section `graphs` of a configuration and of its sheet, which report every error before the first job.

Neither NumPy nor pandas is imported: planning a study of many sets takes a moment.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from chromattend.errors import UserError, did_you_mean, listed, located
from chromattend.graphs.estimators.registry import ESTIMATORS
from chromattend.graphs.formats import size_of
from chromattend.graphs.knowledge import check_names_known, names_in
from chromattend.graphs.sheet import EPIGENOME, EXPRESSION, LABELS, Context, GraphSet, read_sheet
from chromattend.graphs.study import GraphStudy, Shape, Sources
from chromattend.pipeline.config import Place, Section, read_yaml
from chromattend.pipeline.locations import check_file
from chromattend.text import find_columns, read_small_table

SECTION = "graphs"
TRUTH = ("node1", "node2")


def read_schema(schemas: Path) -> dict[str, Any]:
    """Read the schema of the section, with the names of estimators from the registry."""
    schema = read_yaml(schemas / "graphs.schema.yaml")
    schema["$defs"]["estimator"]["enum"] = [spec.name for spec in ESTIMATORS.values() if not spec.baseline]
    return schema


def load_graphs(
    config: Mapping[str, Any],
    schemas: Path,
    workdir: Path,
    part: Callable[[str], str] = lambda _: "config",
    sources: Sources | None = None,
) -> GraphStudy | None:
    """Check the section `graphs` and its sheet; every error is one line that names the key, the value and the fix.

    Args:
        config: the merged configuration; the section's missing keys get the schema's defaults.
        schemas: folder with `graphs.schema.yaml` and `contexts.schema.yaml`.
        workdir: folder that relative paths are resolved against.
        part: names the file, or other part of the configuration, that gives a key such as `graphs.sheet`.
        sources: what the study's epigenomes offer as data; None for nothing.

    Returns:
        The study of graphs, or None if the section names no sheet.

    Raises:
        UserError: a key, a cell of the sheet or the head of a file would make a job fail later.
    """
    taken = Section.of(config, SECTION, read_schema(schemas), part)
    section, at = taken.values, taken.at
    _check_share_cost(section, at)
    taken.check()
    if section["sheet"] is None:
        return None
    with located(at("sheet")):
        check_file(section["sheet"], workdir)
    row_schema = read_yaml(schemas / "contexts.schema.yaml")
    rows = read_sheet(workdir / section["sheet"], section["sheet"], row_schema)
    for name in section["select"]:
        if name not in rows:
            raise UserError(
                f"{at('select')}: set {name!r} is not in {section['sheet']}{did_you_mean(name, rows)}; add its rows or "
                "remove it"
            )
    chosen = {name: row for name, row in rows.items() if not section["select"] or name in section["select"]}
    study = GraphStudy(section, chosen, {}, sources or Sources(), workdir)
    study = replace(study, shapes={name: _shape_of_set(study, one, at) for name, one in chosen.items()})
    for one in chosen.values():
        _check_covariates(study, one, at)
        _check_estimators(study, one, at)
        _check_lambda(study, one, at)
        if study.in_tiles(one.name):
            _check_tiles(study, one, at)
    _check_knowledge(study, at)
    return study


def _check_share_cost(section: Any, at: Place) -> None:
    """Refuse costs that share nothing, with the reason; other mistakes are the schema's."""
    cost = section.get("share_cost") if isinstance(section, dict) else None
    if isinstance(cost, int | float) and not isinstance(cost, bool) and cost >= 1:
        raise UserError(
            f"{at('share_cost')}: {cost!r} is out of range: from 1 on, a shared edge costs as much as the same edge in "
            "every context, so nothing is ever shared; give a number above 0 and below 1, such as 0.5"
        )


def _shape_of_set(study: GraphStudy, one: GraphSet, at: Place) -> Shape:
    """Check the rows of a set, and return its size."""
    sheet = study.config["sheet"]
    kinds = {context.kind: context for context in one.contexts}
    if len(kinds) > 1:
        first, second = list(kinds.values())[:2]
        raise UserError(
            f"{sheet}: set {one.name!r}: {first.data!r} and {second.data!r} have other variables; give all contexts of "
            "a set the same kind of data"
        )
    shapes = [
        _shape_of(study, context, f"{sheet}: set {one.name!r}, context {context.name!r}", at)
        for context in one.contexts
    ]
    names = shapes[0].names
    for context, shape in zip(one.contexts[1:], shapes[1:], strict=True):
        if names is None or shape.names is None or set(names) == set(shape.names):
            continue
        missing = [name for name in names if name not in set(shape.names)]
        more = [name for name in shape.names if name not in set(names)]
        what = f"lacks {listed(missing)}" if missing else f"has also {listed(more)}"
        raise UserError(
            f"{sheet}: set {one.name!r}, context {context.name!r}: {context.data} {what}, unlike context "
            f"{one.contexts[0].name!r}; give all contexts of a set the same variables"
        )
    _check_same_data(study, one)
    if one.truth:
        _check_truth(study, one)
    samples = tuple(shape.samples[0] for shape in shapes)
    variables = shapes[0].variables - len(study.config["covariates"])
    return Shape(variables, samples, names, all(shape.counted for shape in shapes))


def _shape_of(study: GraphStudy, context: Context, where: str, at: Place) -> Shape:
    """Check the cells `data` and `block` of a row, and return the size of the data."""
    if context.kind == "matrix":
        with located(where):
            return _shape_of_matrix(study, context)
    if context.block:
        raise UserError(f"{where}: block: samples of {context.kind} have blocks of their own; empty this cell")
    return (_shape_of_epigenome if context.kind == EPIGENOME else _shape_of_expression)(study, context, where, at)


def _shape_of_matrix(study: GraphStudy, context: Context) -> Shape:
    for column, path in context.files.items():
        if not (study.workdir / path).is_file() and (hint := did_you_mean(path.split(":")[0], (EPIGENOME, EXPRESSION))):
            raise UserError(f"{column}: file {path!r} does not exist{hint}; correct the cell")
        with located(column):
            check_file(path, study.workdir)
    size = size_of(study.workdir / context.data, context.data, context.block_column)
    least, covariates = study.config["min_samples"], len(study.config["covariates"])
    if size.counted and size.samples - covariates < least:
        raise UserError(_too_few(f"{context.data} has {size.samples} samples", least, covariates))
    return Shape(len(size.variables), (size.samples,), size.variables, size.counted)


def _too_few(what: str, least: int, covariates: int = 0) -> str:
    without = f", without one for each of {covariates} covariates" if covariates else ""
    return (
        f"{what}, fewer than the {least} of 'graphs.min_samples'{without}; from so few, graphs do not replicate: join "
        "contexts, add samples, or lower the key"
    )


def _shape_of_epigenome(study: GraphStudy, context: Context, where: str, at: Place) -> Shape:
    sources = study.sources
    name, *labels = context.data.split(":")[1:] or [""]
    if name not in sources.groups:
        raise UserError(
            f"{where}: data: epigenome {name!r} is not in the study{did_you_mean(name, sources.groups)}; add it to the "
            "sample sheet or to 'select', or correct the cell"
        )
    if labels and (len(labels) > 1 or labels[0] not in LABELS):
        given = ":".join(labels)
        raise UserError(
            f"{where}: data: {given!r} is not a class of genes{did_you_mean(given, LABELS)}; give ON or OFF"
        )
    groups = study.config["variables"]["bin_groups"]
    if sources.bins % groups:
        raise UserError(
            f"{at('variables.bin_groups')}: {groups} groups do not divide the {sources.bins} bins of a gene evenly; "
            "give a divisor"
        )
    names = tuple(f"{mark}:{group}" for mark in sources.marks for group in range(1, groups + 1))
    return Shape(len(names), (None,), names)


def _shape_of_expression(study: GraphStudy, context: Context, where: str, at: Place) -> Shape:
    sources = study.sources
    group = context.lineage
    if group and group not in sources.groups.values():
        known = sorted(set(filter(None, sources.groups.values())))
        raise UserError(
            f"{where}: data: no epigenome of the study is of the group {group!r}{did_you_mean(group, known)}; the "
            f"groups are {listed(known)}"
        )
    number = len(sources.lineage(group))
    if number < study.config["min_samples"]:
        alone = "" if group else ", without those that are alone in their group"
        what = f"expression of the group {group!r}" if group else "expression"
        raise UserError(f"{where}: {_too_few(f'{what} has {number} epigenomes{alone}', study.config['min_samples'])}")
    return Shape(study.config["variables"]["genes"], (number,), None)


def _check_same_data(study: GraphStudy, one: GraphSet) -> None:
    """Check that contexts of a set have data of their own: a graph is always like itself."""
    given: dict[str, str] = {}
    for context in one.contexts:
        place = str((study.workdir / context.data).resolve()) if context.kind == "matrix" else context.data
        other = given.setdefault(place, context.name)
        if other != context.name:
            raise UserError(
                f"{study.config['sheet']}: set {one.name!r}, context {context.name!r}: {context.data!r} is also the "
                f"data of context {other!r}; give each context its own"
            )


def _check_truth(study: GraphStudy, one: GraphSet) -> None:
    with located(f"{study.config['sheet']}: set {one.name!r}, truth"):
        check_file(one.truth, study.workdir)
        number, header, _ = read_small_table(study.workdir / one.truth, one.truth)
        expected = "a tab-separated table of the true edges, with node1, node2 and, optionally, context"
        find_columns(f"{one.truth}: line {number}", header, TRUTH, expected)


def _check_covariates(study: GraphStudy, one: GraphSet, at: Place) -> None:
    names, covariates = study.shapes[one.name].names, study.config["covariates"]
    for covariate in covariates:
        if names is None:
            raise UserError(
                f"{at('covariates')}: set {one.name!r} is of expression, whose only variables are genes; remove "
                f"{covariate!r}, or select other sets"
            )
        if covariate not in names:
            raise UserError(
                f"{at('covariates')}: {covariate!r} is not a variable of set {one.name!r}"
                f"{did_you_mean(covariate, names)}; correct or remove it, or select other sets"
            )
    if study.shapes[one.name].variables < 2:
        raise UserError(
            f"{study.config['sheet']}: set {one.name!r}: has fewer than two variables beside covariates; add variables"
        )


def _check_estimators(study: GraphStudy, one: GraphSet, at: Place) -> None:
    names, variables = study.estimators(one.name), study.shapes[one.name].variables
    if not names:
        raise UserError(
            f"{at('estimators')}: all are of the difference of two contexts, but set {one.name!r} has "
            f"{len(one.contexts)}; add an estimator of graphs, such as jeek"
        )
    for name in names:
        if variables > ESTIMATORS[name].most_variables:
            raise UserError(
                f"{at('estimators')}: {name} takes at most {ESTIMATORS[name].most_variables:,} variables, but set "
                f"{one.name!r} has {variables:,}; remove it, or take {_other(name)}, which estimates the same"
            )


def _other(name: str) -> str:
    return "diffee" if ESTIMATORS[name].difference else "jeek"


def _check_lambda(study: GraphStudy, one: GraphSet, at: Place) -> None:
    given = study.config["lambda"]
    if given == "stability" and not study.config["controls"]["stability"]:
        raise UserError(
            f"{at('lambda')}: stability needs halves of the samples, but 'graphs.controls.stability' is 0; raise it"
        )
    if not isinstance(given, int | float):
        return
    if study.in_tiles(one.name) and given < 1:
        raise UserError(
            f"{at('lambda')}: {given:g} is below 1, but the {study.shapes[one.name].variables:,} variables of set "
            f"{one.name!r} are estimated in tiles, where it is in units of noise; give a number such as 5, or null"
        )
    if not study.in_tiles(one.name) and given >= 1:
        raise UserError(
            f"{at('lambda')}: {given:g} is out of range: no partial correlation is above 1, so set {one.name!r} would "
            f"have no edge; give a number between 0 and 1, or null"
        )


def _check_tiles(study: GraphStudy, one: GraphSet, at: Place) -> None:
    """Check what needs whole matrices."""
    config = study.config
    wrong = [name for name in study.estimators(one.name) if not ESTIMATORS[name].tiled]
    reasons = {
        "estimators": f"{wrong[0]} reads" if wrong else "",
        "backward.map": "threshold inverts" if config["backward"]["map"] == "threshold" else "",
        "covariance": "kendall reads" if config["covariance"] == "kendall" else "",
        "lambda": "stability reads" if config["lambda"] == "stability" else "",
        "knowledge.edges": "weights are" if config["knowledge"]["edges"] else "",
        "knowledge.hubs": "weights are" if config["knowledge"]["hubs"] else "",
    }
    for key, reason in reasons.items():
        if reason:
            raise UserError(
                f"{at(key)}: {reason} whole matrices of pairs, but the {study.shapes[one.name].variables:,} variables "
                f"of set {one.name!r} are estimated in tiles; change it, give fewer variables, or raise "
                f"'graphs.tiles.from', {config['tiles']['from']}, if the memory suffices"
            )


def _check_knowledge(study: GraphStudy, at: Place) -> None:
    knowledge = study.config["knowledge"]
    for key in ("edges", "groups", "hubs"):
        if knowledge[key]:
            with located(at(f"knowledge.{key}")):
                check_file(knowledge[key], study.workdir)
    if knowledge["groups"] and "kdiffnet" not in study.config["estimators"]:
        raise UserError(
            f"{at('knowledge.groups')}: only kdiffnet reads groups; add it to 'graphs.estimators', or remove the groups"
        )
    if "kdiffnet" in study.config["estimators"] and not study.knowledge_files:
        raise UserError(
            f"{at('estimators')}: kdiffnet without 'graphs.knowledge' is diffee; give groups, edges or hubs, or take "
            "diffee"
        )
    if not study.knowledge_files:
        return
    places = names_in(knowledge, study.workdir)
    known: set[str] = set()
    for shape in study.shapes.values():
        if shape.names is None:
            return  # the genes that vary most are known to a job only
        known |= set(shape.names) - set(study.config["covariates"])
    sets = listed([repr(name) for name in study.sets])
    check_names_known(places, known, f"the variables of {'set' if len(study.sets) == 1 else 'the sets'} {sets}")
