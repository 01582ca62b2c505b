"""The page of one model and epigenome: one self-contained HTML file."""

import base64
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from chromattend.figures import title
from chromattend.pages import render, table_rows
from chromattend.robustness.pages import charts
from chromattend.robustness.pages.charts import percent
from chromattend.robustness.study import CONTROL, JOINER
from chromattend.robustness.tables import Result, condition, quantile, right, study_row

MOST_ROWS = 2000
# Genes whose counts are on the page.
MOST_GENES = 1000
EXAMPLES = 3
# Above this share of calls that one redraw changes, or below this r of alpha, the sample is too shallow.
MOST_REDRAWN = 0.1
LEAST_ALPHA = 0.8
# Below this accuracy, or with this share of all calls on one side, a model looks robust because it says one thing.
LEAST_ACCURACY = 0.6
MOST_ON_ONE_SIDE = 0.85
# Fewest genes that an edit must turn before rates of detectors are shown.
FEWEST = 10

FILES = (
    *("noise.tsv", "stability.tsv", "certificate.tsv", "worst_case.tsv", "edits.tsv", "factors.tsv", "explanation.tsv"),
    *("detection.tsv", "edited.nc", "../transfer.tsv", "../together.tsv"),
)

KINDS = {
    "redraw": "Sequencing again",
    "duplicates": "Duplicates",
    "shift": "TSS misplaced",
    "strand": "Strand",
    "cross_talk": "Antibody that binds another mark",
    "efficiency": "Weak antibody",
    "absent": "Mark left out",
    "seed": "Trained again",
}


@dataclass(frozen=True)
class Worst:
    """What the worst case of a model did; tables of parts that are switched off are empty.

    Attributes:
        edits: content of edits.tsv.
        factors: content of factors.tsv.
        explanation: content of explanation.tsv.
        detection: content of detection.tsv.
        together: content of the epigenome's together.tsv.
        edited: content of edited.nc, on the page for genes that turn; its variables reads_score and entries_score,
            P(ON) of the edited genes, are shown if it has them.
    """

    edits: pd.DataFrame = field(default_factory=pd.DataFrame)
    factors: pd.DataFrame = field(default_factory=pd.DataFrame)
    explanation: pd.DataFrame = field(default_factory=pd.DataFrame)
    detection: pd.DataFrame = field(default_factory=pd.DataFrame)
    together: pd.DataFrame = field(default_factory=pd.DataFrame)
    edited: xr.Dataset | None = None


def write_page(
    path: str | Path,
    *,
    result: Result,
    worst: Worst,
    settings: Mapping[str, Any],
    named: Sequence[str] = (),
    links: Sequence[tuple[str, str]] = (),
    command: str,
) -> None:
    """Write the page of one model and epigenome.

    Args:
        path: the HTML file, beside the tables of the result.
        result: what was measured.
        worst: what the worst case did.
        settings: the study's section `robustness`, with its defaults.
        named: symbols of genes that are shown first if they turn.
        links: other pages: title and address.
        command: command that writes the page again.
    """
    noise, called = result.noise, right(result.worst_case)
    row = study_row(result)
    redraw = condition(noise, "redraw")
    low = charts.lowest(noise)
    depth = [
        (chart, caption)
        for kind, caption in (
            ("keep", "Depth of the smaller sample: counts are divided by the depth that is left."),
            ("keep_old_depth", "Depth of the whole sample: the same reads, divided by the depth before the loss."),
        )
        if (chart := charts.depth_chart(noise, kind, low))
    ]
    entries = worst.edits[worst.edits["threat"] == "entries"] if len(worst.edits) else worst.edits
    reads = worst.edits[worst.edits["threat"] == "reads"] if len(worst.edits) else worst.edits
    genes = genes_of(result)
    render(
        path,
        __package__,
        "robustness.html",
        epigenome=result.epigenome,
        model=title(result.model),
        title=title,
        sentence=sentence(result),
        caveats=caveats(result, settings),
        warnings=warnings(result),
        row=row,
        redraw=redraw,
        budget=result.budget,
        percent=percent,
        right_genes=len(called),
        window=float(called["window_reads"].median()) if len(called) else None,
        depth=depth,
        over_depth=charts.legend(
            {name: label for name, column, label in charts.OVER_DEPTH if column != "alpha_r" or _has(noise, "alpha_r")}
        ),
        conditions=conditions(noise),
        changed_top=max([0.05, *noise.loc[~noise["kind"].isin(["keep", "keep_old_depth"]), "changed"].fillna(0)]),
        attention=_has(noise, "alpha_r"),
        attributed=_has(noise, "attribution_r"),
        cell=charts.share_cell,
        turned=charts.turned_chart(result.worst_case, result.certificate, redraw.get("reads")),
        directions=charts.legend(
            {"on": "ON to OFF, found", "off": "OFF to ON, found"}
            | ({"proven": "vote, proven to keep its call up to here"} if len(result.certificate) else {})
        ),
        by_direction=by_direction(called),
        edits=[
            (threat, direction, chart)
            for threat, table in (("reads", reads), ("entries", entries))
            for _, direction, _ in charts.DIRECTIONS
            if len(table) and (chart := charts.edits_chart(table, direction))
        ],
        marks=by_mark(called),
        factors=table_rows(worst.factors),
        certified=charts.certificate_chart(result.certificate),
        explained=table_rows(worst.explanation),
        noise_rows=explained_rows(noise),
        detectors=detectors(enough(worst.detection)),
        detection_sentences=detection_sentences(enough(worst.detection)),
        transfer=transfer_rows(result),
        together=together_rows(worst.together, result.model),
        genes=genes[:MOST_ROWS],
        genes_total=len(genes),
        has_certificate=len(result.certificate) > 0,
        stable=_has(result.stability, "stability"),
        gene_alpha=_has(result.stability, "alpha_r"),
        data=counts_data(worst.edited, result.worst_case, named) if worst.edited is not None else None,
        files=FILES,
        settings=flat(settings),
        keep=settings.get("certificate", {}).get("keep"),
        copies=settings.get("certificate", {}).get("samples"),
        confidence=settings.get("certificate", {}).get("confidence"),
        links=links,
        command=command,
    )


def _has(table: pd.DataFrame, column: str) -> bool:
    return column in table and bool(table[column].notna().any())


def number(value: float) -> str:
    """Return a number of reads for readers."""
    return f"{value:,.0f}"


def deciding_mark(noise: pd.DataFrame) -> tuple[str, float] | None:
    """Return the mark without which most calls change, and their share; None if no mark was left out."""
    absent = noise[(noise["kind"] == "absent") & noise["changed"].notna()]
    if absent.empty:
        return None
    row = absent.loc[absent["changed"].idxmax()]
    return str(row["mark"]), float(row["changed"])


def sentence(result: Result) -> str:
    """Return what the page says first, in one or two sentences."""
    who = f"{title(result.model)} in {result.epigenome}"
    row, redraw = study_row(result), condition(result.noise, "redraw")
    called = right(result.worst_case)
    parts = []
    if len(result.worst_case) and called.empty:
        parts.append(f"No call of {who} is right, so that none can be turned")
    elif len(called) and row["reads_median"] is not None:
        share = row["reads_share_median"]
        of_window = f" ({percent(share)} of the reads in a gene's window)" if share is not None else ""
        parts.append(
            f"Half of the right calls of {who} turn with {number(row['reads_median'])} reads{of_window} put in the "
            "worst place"
        )
    elif len(called):
        parts.append(
            f"With up to {number(result.budget)} reads put in the worst place, {percent(row['turned_within'])} of the "
            f"right calls of {who} turn"
        )
    if redraw.get("changed") is not None:
        moved = f", which changes about {number(redraw['reads'])} reads," if redraw.get("reads") else ""
        of = "" if parts else f" of the calls of {who}"
        parts.append(f"one Poisson redraw{moved} turns {percent(redraw['changed'])}{of}")
    said = "; ".join(parts)
    said = said[:1].upper() + said[1:] + "." if said else f"What disturbs the calls of {who}."
    decides = deciding_mark(result.noise)
    if decides and decides[1] > 0:
        said += f" {decides[0]} decides: without it, {percent(decides[1])} of the calls change."
    return said


def caveats(result: Result, settings: Mapping[str, Any]) -> list[str]:
    """Return what limits the sentence: what was searched only, and what is proven."""
    row, said = study_row(result), []
    if row["reads_median"] is not None:
        said.append(
            f"Found, not proven: the search is greedy, so that {number(row['reads_median'])} "
            "is an upper bound, and fewer reads may turn a call."
        )
    elif len(right(result.worst_case)):
        said.append(
            f"The search is greedy. A call that it does not turn within "
            f"{number(result.budget)} reads may turn with an edit that it has not tried."
        )
    if row["certified_median"] is not None:
        given = settings.get("certificate", {})
        copies = f" of {number(given['samples'])} copies" if "samples" in given else " of copies"
        kept = f" with {100 * given['keep']:g}\u00a0% of the reads" if "keep" in given else ""
        level = f", each with a confidence of {100 * given['confidence']:g}\u00a0%" if "confidence" in given else ""
        said.append(
            f"Proven: the vote{copies}{kept} keeps half of its right calls whatever {number(row['certified_median'])} "
            f"reads are added or removed{level}. The vote is another classifier than the model itself: "
            f"{percent(row['vote_accuracy'])} of its calls are right, and {percent(row['vote_share_on'])} are ON."
        )
    return said


def warnings(result: Result) -> list[str]:
    """Return reasons not to read the page as it is."""
    row, said = study_row(result), []
    accuracy, on = row["accuracy"], row["share_on"]
    if accuracy is not None and on is not None:
        one_side = max(on, 1 - on) >= MOST_ON_ONE_SIDE
        if accuracy < LEAST_ACCURACY or one_side:
            said.append(
                f"{percent(accuracy)} of the calls are right, and {percent(on)} are ON. A model that says one thing of "
                "most genes looks robust: compare its figures with no other model's."
            )
    if row["redraw_changed"] is not None and row["redraw_changed"] > MOST_REDRAWN:
        said.append(
            f"Sequencing the same sample again would change {percent(row['redraw_changed'])} of the calls: the sample "
            "is too shallow for this model. Do not interpret single genes."
        )
    if row["alpha_r_redraw"] is not None and row["alpha_r_redraw"] < LEAST_ALPHA:
        said.append(
            f"Sequencing the same sample again would change attention (median r {row['alpha_r_redraw']:.2f}): the "
            "sample is too shallow to read the alpha of single genes."
        )
    return said


def conditions(noise: pd.DataFrame) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return the rows of noise.tsv that are not in the depth charts, by the heading of their kind."""
    groups = []
    for kind, heading in KINDS.items():
        rows = table_rows(noise[(noise["kind"] == kind) & noise["changed"].notna()])
        if rows:
            groups.append((heading, rows))
    return groups


def explained_rows(noise: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the conditions whose attention or attribution was compared with the undisturbed one."""
    compared = noise[[name for name in ("alpha_r", "attribution_r") if name in noise]].notna().any(axis=1)
    return table_rows(noise[compared & (noise["kind"] != "none")])


def by_direction(called: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the reads, moves and entries that turn calls, by direction; quantiles above the budget are None."""
    rows = []
    for _, direction, label in charts.DIRECTIONS:
        chosen = called[called["label"] == label] if len(called) else called
        if not len(chosen):
            continue
        made: dict[str, Any] = {"direction": direction, "genes": len(chosen)}
        made["turned"] = float(chosen["reads"].notna().mean())
        for column in ("reads", "moves", "entries"):
            # Only networks are searched for moves.
            known = column != "moves" or bool(chosen[column].notna().any())
            made |= {
                f"{column}_{name}": quantile(chosen[column], share) if known else None for name, share in _QUANTILES
            }
            made[f"{column}_known"] = known
        rows.append(made)
    return rows


_QUANTILES = (("p10", 0.1), ("median", 0.5), ("p90", 0.9))


def by_mark(called: pd.DataFrame) -> list[dict[str, Any]]:
    """Return for every mark the share of right calls that turn by reads of this mark alone, and the median number."""
    columns = [name for name in called.columns if name.startswith("reads_") and name != "reads_share"]
    return [
        {
            "mark": name.removeprefix("reads_"),
            "turned": float(called[name].notna().mean()),
            "median": quantile(called[name], 0.5),
        }
        for name in (columns if called[columns].notna().any(axis=None) else ())
    ]


def enough(detection: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the edits that turn at least `FEWEST` genes: shares of fewer say nothing."""
    return detection if detection.empty else detection[detection["genes"] >= FEWEST]


def detectors(detection: pd.DataFrame) -> dict[str, Any] | None:
    """Return the table of detectors and edits, the control last; None without one."""
    if detection.empty:
        return None
    genes = detection.drop_duplicates("edits").set_index("edits")["genes"]
    edits = list(dict.fromkeys(detection["edits"]))
    names = [name for name in dict.fromkeys(detection["detector"]) if name != CONTROL]
    rows = []
    for name in [*names, *([CONTROL] if (detection["detector"] == CONTROL).any() else [])]:
        chosen = detection[detection["detector"] == name]
        cells = {row["edits"]: row for row in table_rows(chosen)}
        rows.append(
            {
                "detector": name,
                "control": name == CONTROL,
                "false_positives": cells[next(iter(cells))]["false_positives"],
                "cells": [cells.get(edit) for edit in edits],
            }
        )
    return {"edits": [(edit, int(genes[edit])) for edit in edits], "rows": rows}


def detection_sentences(detection: pd.DataFrame) -> list[str]:
    """Return where detection works and where it does not, beside the control."""
    if detection.empty:
        return []
    attacks = detection[detection["edits"] != "redraw"]
    squeezing = attacks[attacks["detector"] != CONTROL]
    control = attacks[attacks["detector"] == CONTROL].set_index("edits")
    if squeezing.empty:
        return []
    best = squeezing.sort_values("auc", ascending=False, kind="stable").drop_duplicates("edits").set_index("edits")
    order = [
        edit for edit in dict.fromkeys(squeezing["edits"]) if edit in best.index and pd.notna(best.loc[edit, "auc"])
    ]
    worse = [edit for edit in order if edit in control.index and control.loc[edit, "auc"] >= best.loc[edit, "auc"]]
    said = []
    if worse:
        pairs = ", ".join(
            f"{edit} ({control.loc[edit, 'auc']:.2f} against {best.loc[edit, 'auc']:.2f})" for edit in worse
        )
        said.append(
            f"Squeezing adds nothing where low confidence alone has at least the AUC of the best detector: {pairs}. "
            "The fewest edits that turn a call end just beyond the threshold, where any model is unsure."
        )
    better = [edit for edit in order if edit not in worse and edit in control.index]
    if better:
        pairs = ", ".join(
            f"{edit} ({best.loc[edit, 'auc']:.2f} against {control.loc[edit, 'auc']:.2f})" for edit in better
        )
        said.append(f"Squeezing has a higher AUC than low confidence for {pairs}.")
    most = squeezing.groupby("edits", sort=False)["detected"].max()
    missed = [f"{edit} ({percent(most[edit])})" for edit in order if most[edit] < 0.5]
    if missed:
        said.append(f"No detector finds half of the edits by {', '.join(missed)}.")
    return said


def transfer_rows(result: Result) -> list[dict[str, Any]]:
    """Return how often other models are fooled by the edits of this model."""
    if result.transfer.empty:
        return []
    return table_rows(result.transfer[result.transfer["from_model"] == result.model])


def together_rows(together: pd.DataFrame, model: str) -> list[dict[str, Any]]:
    """Return what it takes to fool this model and another one at once."""
    if together.empty:
        return []
    return [
        row | {"titles": " and ".join(map(title, str(row["models"]).split(JOINER)))}
        for row in table_rows(together)
        if model in str(row["models"]).split(JOINER)
    ]


def genes_of(result: Result) -> list[dict[str, Any]]:
    """Return one row per gene for the page's table, those that turn with fewest reads first."""
    keys = ["gene", "symbol"]
    tables = [
        (
            result.worst_case,
            ["label", "score", "call", "right", "window_reads", "reads", "reads_share", "entries", "factor"],
        ),
        (result.stability, ["label", "score", "call", "stability", "alpha_r"]),
        (result.certificate, ["certified_reads", "voted"]),
    ]
    merged: pd.DataFrame | None = None
    for table, columns in tables:
        if table.empty:
            continue
        # A symbol can be missing; merging would drop it as NaN.
        table = table.assign(symbol=table["symbol"].fillna(""))
        new = [name for name in columns if name in table and (merged is None or name not in merged)]
        part = table[[*keys, *new]].drop_duplicates(keys)
        merged = part if merged is None else merged.merge(part, on=keys, how="left")
    if merged is None:
        return []
    if "voted" in merged:
        # A vote for the other class says nothing of the call.
        merged["certified_reads"] = merged["certified_reads"].where(merged["voted"] == merged["call"])
    if "right" not in merged:
        merged["right"] = (merged["call"] == "ON") == (merged["label"] == 1)
    if "reads" in merged:
        # Not turned within the budget comes after all that turn, and wrong calls come last.
        rank = merged["reads"].fillna(np.inf).where(merged["right"].astype(bool), np.inf)
        merged = merged.assign(rank=rank).sort_values(["rank", "right"], ascending=[True, False], kind="stable")
    return table_rows(merged)


def counts_data(edited: xr.Dataset, worst_case: pd.DataFrame, named: Sequence[str]) -> dict[str, Any] | None:
    """Pack the counts of genes that turn, and what is added and removed, for the page's script.

    Args:
        edited: content of edited.nc.
        worst_case: content of worst_case.tsv, one row for each gene of `edited` and in its order, or for more genes.
        named: symbols of genes that come first in the examples.

    Returns:
        marks, bins, genes (parallel columns), examples (numbers of genes), and packed values of shape (gene, mark,
        bin): `counts` (unsigned, two bytes) and differences `reads` and `entries` (two bytes). None if no gene turns.
    """
    flags = {threat: edited[f"{threat}_turned"].values.astype(bool) for threat in ("reads", "entries")}
    rows = np.flatnonzero(flags["reads"] | flags["entries"])
    if not len(rows):
        return None
    table = worst_case.assign(symbol=worst_case["symbol"].fillna("")).drop_duplicates("gene").set_index("gene")
    identity = edited["gene"].values.astype(str)
    rows = np.array([row for row in rows if identity[row] in table.index], dtype=int)
    shown = sorted(rows.tolist(), key=lambda row: (table.loc[identity[row], "symbol"] not in named, row))[:MOST_GENES]
    rows = np.array(sorted(shown, key=lambda row: str(table.loc[identity[row], "symbol"] or identity[row])), dtype=int)
    facts = table.loc[identity[rows]]
    original = edited["original"].transpose("gene", "mark", "bin").values[rows].astype(np.int64)
    changed = {
        threat: edited[threat].transpose("gene", "mark", "bin").values[rows].astype(np.int64) - original
        for threat in flags
    }
    return {
        "marks": [str(mark) for mark in edited["mark"].values],
        "bins": [int(start) for start in edited["bin"].values],
        "genes": {
            "name": [str(symbol or gene) for symbol, gene in zip(facts["symbol"], facts.index, strict=True)],
            "label": facts["label"].astype(int).tolist(),
            "score": facts["score"].astype(float).round(4).tolist(),
            "window": facts["window_reads"].astype(int).tolist(),
            **{threat: flags[threat][rows].tolist() for threat in flags},
            **{
                f"{threat}_score": edited[f"{threat}_score"].values[rows].astype(float).round(4).tolist()
                for threat in flags
                if f"{threat}_score" in edited
            },
        },
        "of": int((flags["reads"] | flags["entries"]).sum()),
        "examples": examples(facts, flags["reads"][rows] if flags["reads"].any() else flags["entries"][rows], named),
        "counts": _pack(original.clip(0, 65535).astype("<u2")),
        **{threat: _pack(values.clip(-32768, 32767).astype("<i2")) for threat, values in changed.items()},
    }


def examples(facts: pd.DataFrame, turned: np.ndarray, named: Sequence[str]) -> list[int]:
    """Return the numbers of a few genes to start with: named ones, else ON and OFF genes over the range of reads.

    Args:
        facts: rows of worst_case.tsv.
        turned: whether a gene turns, bool, shape (gene,).
        named: symbols that come first.
    """
    chosen: list[int] = []
    symbols = facts["symbol"].tolist()
    for label in (1, 0):
        of_label = np.flatnonzero(turned & (facts["label"].to_numpy() == label))
        own = [row for row in of_label.tolist() if symbols[row] in named][:EXAMPLES]
        order = of_label[np.argsort(facts["reads"].to_numpy(dtype=float)[of_label], kind="stable")]
        spread = [int(order[round(share * (len(order) - 1))]) for share in (0.1, 0.5, 0.9)] if len(order) else []
        chosen += list(dict.fromkeys([*own, *spread]))[:EXAMPLES]
    return chosen


def _pack(values: np.ndarray) -> str:
    return base64.b64encode(zlib.compress(np.ascontiguousarray(values).tobytes(), 9)).decode("ascii")


def flat(settings: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    """Return nested settings as rows of key and value, in the order of the configuration."""
    rows: list[tuple[str, str]] = []
    for key, value in settings.items():
        name = f"{before}.{key}" if before else str(key)
        if isinstance(value, Mapping):
            rows += flat(value, name)
        elif isinstance(value, list):
            rows.append(
                (
                    name,
                    ", ".join(JOINER.join(map(str, each)) if isinstance(each, list) else str(each) for each in value),
                )
            )
        elif value is not None:
            rows.append(
                (name, {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value))
            )
    return rows
