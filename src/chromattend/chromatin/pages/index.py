"""The index of all epigenomes: one self-contained HTML file with links to every other page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from chromattend.chromatin.figures import plot_dots
from chromattend.figures import inline_svg, look, title
from chromattend.interpret import METHODS, TITLES
from chromattend.models.registry import REGISTRY, in_order
from chromattend.pages import render, table_rows

# Number of epigenomes that the comparison shows at first.
CHOSEN = 3


def validated_method(auc: pd.DataFrame, validation: pd.DataFrame | None) -> tuple[str, str] | None:
    """Return the model and the method whose validation the index shows, the same for every epigenome.

    It is chosen without looking at the correlations: the method that comes first in `METHODS`, of the model with the
    best mean AUC among those with it; None if nothing was validated.
    """
    if validation is None:
        return None
    trained = validation[validation["weights"] == "trained"]
    methods = [method for method in METHODS if (trained["method"] == method).any()]
    if not methods:
        return None
    models = in_order(trained.loc[trained["method"] == methods[0], "model"])
    means = auc.groupby("model")["auc"].mean()
    return max(models, key=lambda model: means.get(model, 0.0)), methods[0]


def index_values(
    auc: pd.DataFrame,
    published: pd.DataFrame,
    warnings: pd.DataFrame,
    validation: pd.DataFrame | None,
    epigenomes: Mapping[str, Sequence[str]],
    validation_mark: str = "",
) -> dict[str, Any]:
    """Collect the contents of the index.

    Args:
        auc: see `chromattend.chromatin.tables.auc_table`.
        published: see `chromattend.chromatin.tables.published_table`.
        warnings: see `chromattend.chromatin.quality.warnings_table`.
        validation: see `chromattend.chromatin.validation.validation_table`, of all epigenomes; None if no model was
            explained.
        epigenomes: epigenome -> name, group and colour.
        validation_mark: the mark whose weights are compared with the validation mark.

    Returns:
        Plain values: `models` with id, title and look; `epigenomes` with id, name, group, colour,
        warnings, best (title of the best model), mean, aucs (model -> AUC and its interval), published (model ->
        reported AUCs with kind and source) and validated (r and number of genes of `validated_method`, or None), best
        mean AUC first.
    """
    models = in_order(auc["model"])
    warned = warnings["epigenome"].value_counts()
    method = validated_method(auc, validation)
    validated: dict[Any, dict[str, Any]] = {}
    if validation is not None and method is not None:
        chosen = validation[
            (validation["weights"] == "trained")
            & (validation["model"] == method[0])
            & (validation["method"] == method[1])
            & (validation["mark"] == validation_mark)
            & validation["pearson"].notna()
        ]
        validated = {
            row["epigenome"]: {"r": float(row["pearson"]), "genes": int(row["genes"])}
            for row in chosen.drop_duplicates("epigenome").to_dict("records")
        }
    rows = []
    for epigenome, (name, group, colour) in epigenomes.items():
        own = auc[auc["epigenome"] == epigenome].set_index("model")
        intervals = own[["auc", "auc_low", "auc_high"]].T.to_dict("list")
        reported: dict[str, list[dict[str, Any]]] = {}
        for row in published[published["epigenome"] == epigenome].to_dict("records"):
            reported.setdefault(row["model"], []).append(
                {"auc": row["reported"], "kind": row["kind"], "by": row["source"]}
            )
        rows.append(
            {
                "id": epigenome,
                "name": name,
                "group": group,
                "colour": colour,
                "warnings": int(warned.get(epigenome, 0)),
                "best": REGISTRY[str(own["auc"].idxmax())].title,
                "best_auc": float(own["auc"].max()),
                "mean": float(own["auc"].mean()),
                "aucs": {str(model): intervals[model] for model in models if model in intervals},
                "published": reported,
                "validated": validated.get(epigenome),
            }
        )
    return {
        "models": [{"id": str(model), "title": REGISTRY[str(model)].title, "look": look(model)} for model in models],
        "epigenomes": sorted(rows, key=lambda row: -row["mean"]),
    }


def write_index(
    path: str | Path,
    *,
    auc: pd.DataFrame,
    summary: pd.DataFrame,
    published: pd.DataFrame,
    warnings: pd.DataFrame,
    validation: pd.DataFrame | None,
    epigenomes: Mapping[str, Sequence[str]],
    split_rule: str,
    verdict: str = "",
    validation_mark: str = "",
) -> None:
    """Write the index of all epigenomes.

    Args:
        path: the HTML file.
        auc, published, warnings, validation, epigenomes, validation_mark: see `index_values`.
        summary: see `chromattend.chromatin.tables.summary_table`.
        split_rule: how genes were split.
        verdict: see `chromattend.chromatin.verdict.study_verdict`.
    """
    values = index_values(auc, published, warnings, validation, epigenomes, validation_mark)
    method = validated_method(auc, validation)
    limits = (float(auc["auc"].min()), float(auc["auc"].max()))
    dots = {
        row["id"]: inline_svg(
            plot_dots({model: interval[0] for model, interval in row["aucs"].items()}, limits),
            f"dots{number}",
            f"AUC of {len(row['aucs'])} models between {limits[0]:.3f} and {limits[1]:.3f}",
        )
        for number, row in enumerate(values["epigenomes"])
    }
    render(
        path,
        __package__,
        "index.html",
        **values,
        data=values,
        dots=dots,
        limits=limits,
        summary=table_rows(summary),
        validated=f"{title(method[0])}, {TITLES[method[1]]}" if method else None,
        validation_mark=validation_mark,
        verdict=verdict,
        chosen=CHOSEN,
        split_rule=split_rule,
        warned=warnings["epigenome"].nunique(),
        number_of_warnings=len(warnings),
    )
