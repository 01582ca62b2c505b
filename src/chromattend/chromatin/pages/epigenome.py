"""The page of one epigenome: one self-contained HTML file."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import markupsafe
import numpy as np
import pandas as pd
import xarray as xr
from sklearn.metrics import roc_curve

from chromattend.chromatin.chromosomes import cause_of_empty, listed, may_be_absent
from chromattend.chromatin.pages.browser import browser_data, example_genes, gene_browsers
from chromattend.chromatin.pages.quality import warning_rows
from chromattend.chromatin.tables import auc_table, published_table
from chromattend.chromatin.verdict import best_model, epigenome_verdict
from chromattend.figures import look
from chromattend.interpret import TITLES
from chromattend.models.registry import REGISTRY, in_order
from chromattend.pages import embed_svg, render

# A screen cannot resolve more points of a curve.
ROC_POINTS = 400
# Labels of figures for screen readers.
FIGURES = {
    "calibration": "Calibration of each model on the test genes of {}",
    "profile": "Mean signal of each mark around the TSS of ON and OFF genes of {}",
}


def _correlation(value: float) -> str:
    return "" if pd.isna(value) else f"{value:.3f}"


@dataclass(frozen=True)
class Validation:
    """The validation of an epigenome's explanations, as shown on its page.

    Attributes:
        mark: the mark whose weights are compared.
        validation_mark: the mark that they are compared with.
        table: see `chromattend.chromatin.validation.validation_table`, for this epigenome.
    """

    mark: str
    validation_mark: str
    table: pd.DataFrame

    @property
    def note(self) -> str | None:
        """The reason why there is no validation; None if there is one."""
        notes = self.table.loc[self.table["mark"].isna(), "note"]
        return str(notes.iloc[0]) if len(notes) else None

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One row per model and method, with the correlations of the reads and of untrained networks."""
        correlations = self.table[self.table["mark"] == self.mark]
        reads = correlations[correlations["method"] == "signal"].set_index(["model", "genes"])["pearson"]
        reads = reads[~reads.index.duplicated()].rename("reads")
        controls = correlations[correlations["weights"].str.startswith("random")]
        untrained = controls.groupby(["model", "method"])[["pearson", "genes"]].mean()
        untrained.columns = pd.Index(["untrained", "untrained_genes"])
        trained = correlations[correlations["weights"] == "trained"].join(untrained, on=["model", "method"])
        trained = trained.join(reads, on=["model", "genes"])
        return [
            {str(name): value for name, value in row.items()} | {"title": TITLES[row["method"]]}
            for row in trained.to_dict("records")
        ]


def write_page(
    path: str | Path,
    *,
    name: str,
    group: str,
    metadata: Mapping[str, str] | None = None,
    dataset: xr.Dataset,
    signals: Sequence[Mapping[str, Any]],
    metrics: Mapping[str, Mapping[str, Mapping[str, float]]],
    comparisons: pd.DataFrame,
    predictions: Mapping[str, pd.DataFrame],
    published: pd.DataFrame,
    figures: Mapping[str, Path],
    attention: Sequence[Path] = (),
    maps: Mapping[str, xr.Dataset] | None = None,
    influence: Mapping[str, pd.DataFrame] | None = None,
    turned: Mapping[str, pd.DataFrame] | None = None,
    validation: Validation | None = None,
    warnings: pd.DataFrame | None = None,
    faithfulness: Mapping[str, pd.DataFrame] | None = None,
    uncompiled: Sequence[str] = (),
    command: str,
) -> None:
    """Write the page of one epigenome.

    Args:
        path: the HTML file.
        name, group, metadata: as in the sample sheet.
        dataset: see `chromattend.chromatin.dataset.build_dataset`.
        signals: attributes of the signal files.
        metrics: model -> see `chromattend.evaluate.metrics`.
        comparisons: see `chromattend.statistics.compare_aucs`.
        predictions: model -> see `chromattend.evaluate.predict`, of the same models as `metrics`.
        published: AUCs that others report, see `chromattend.chromatin.tables.published_table`.
        figures: SVG files to embed: calibration and profile.
        attention: SVG files of the attention of each attentive model, named by it.
        maps: attentive model -> see `chromattend.chromatin.attention.attention_maps`, for the gene browser.
        influence: explained model -> `chromattend.chromatin.explain.Explanation.influence`, for the gene browser.
        turned: tested model -> see `chromattend.chromatin.pages.browser.browser_data`, for the gene browser.
        validation: comparison of explanations with the validation mark, if there are any.
        warnings: see `chromattend.chromatin.quality.warnings_table`, of this epigenome; None if it was not judged.
        faithfulness: explained model -> see `chromattend.interpret.faithfulness.faithfulness_table`.
        uncompiled: models whose LSTMs could not be compiled for their training.
        command: command that writes the page again.
    """
    split, label = dataset["split"].values, dataset["label"].values
    maps, influence = maps or {}, influence or {}
    trust = {
        (model, str(method)): bool(least)
        for model, table in (faithfulness or {}).items()
        for method, least in table.groupby("method")["trustworthy"].min().items()
    }
    epigenome = str(dataset.attrs["epigenome"])
    shown = [(model, metrics[model]) for model in in_order(metrics)]
    aucs = {model: float(metric["test"]["auc"]) for model, metric in shown}
    best = best_model(aucs)
    titles = {model: REGISTRY[model].title for model in metrics}
    ordered = {model: predictions[model] for model, _ in shown}
    own = auc_table({(epigenome, model): metric for model, metric in shown}, str(dataset.attrs["split_rule"]))
    render(
        path,
        __package__,
        "epigenome.html",
        epigenome=epigenome,
        name=name,
        group=group,
        metadata=metadata or {},
        attributes=dataset.attrs,
        parts={
            part: {"genes": int((split == part).sum()), "on": float(label[split == part].mean())}
            for part in ("train", "valid", "test")
        },
        signals=signals,
        empty=[
            (signal, listed(chroms), cause_of_empty(chroms))
            for signal in signals
            if not all(map(may_be_absent, chroms := str(signal.get("empty_chromosomes", "")).split()))
        ],
        models=shown,
        best=best,
        verdict=epigenome_verdict(aucs, comparisons),
        to_best=_differences(comparisons, best),
        warnings=warning_rows(warnings) if warnings is not None else [],
        browsers=gene_browsers(str(dataset.attrs.get("genome", ""))),
        unit=str(dataset.attrs.get("expression_unit", "expression, as given")),
        threshold=_threshold(dataset),
        trust=trust,
        published=published_table(own, published).to_dict("records"),
        titles=titles,
        roc=_roc_curves(ordered, metrics),
        genes=browser_data(dataset, ordered, maps, influence, turned),
        examples=example_genes(dataset, ordered, maps, best),
        attentive=list(maps),
        influenced=list(influence),
        figures={key: _inline_svg(file, FIGURES[key].format(epigenome)) for key, file in figures.items()},
        attention=[
            (
                file.stem,
                _inline_svg(file, f"Mean attention of genes predicted ON and OFF, {file.stem}", f"attention-{number}"),
            )
            for number, file in enumerate(attention)
        ],
        validation=validation,
        uncompiled=[titles[model] for model in uncompiled],
        correlation=_correlation,
        command=command,
    )


def _threshold(dataset: xr.Dataset) -> float | None:
    """Return the expression above which a gene is ON; None where the labels were given or the dataset does not say."""
    value = dataset["label"].attrs.get("threshold")
    return None if value is None else float(value)


def _roc_curves(
    predictions: Mapping[str, pd.DataFrame], metrics: Mapping[str, Mapping[str, Mapping[str, float]]]
) -> list[dict[str, Any]]:
    """Return the ROC curve of each model on the test genes, thinned to the resolution of a screen."""
    curves = []
    for model, table in predictions.items():
        test = table[table["split"] == "test"]
        fpr, tpr, threshold = roc_curve(test["label"], test["score"])
        # Equal steps along the curve, so that its steep beginning keeps its shape.
        length = np.concatenate([[0], np.cumsum(np.abs(np.diff(fpr)) + np.abs(np.diff(tpr)))])
        keep = np.unique(np.searchsorted(length, np.linspace(0, length[-1], ROC_POINTS)).clip(max=len(length) - 1))
        curves.append(
            {
                "title": REGISTRY[model].title,
                "look": look(model),
                "auc": round(float(metrics[model]["test"]["auc"]), 4),
                "fpr": fpr[keep].round(4).tolist(),
                "tpr": tpr[keep].round(4).tolist(),
                # The first threshold is infinite, above every score.
                "threshold": np.minimum(threshold[keep], 1).round(4).tolist(),
            }
        )
    return curves


def _differences(comparisons: pd.DataFrame, best: str) -> dict[str, tuple[float, float]]:
    """Return model -> its AUC minus the best model's AUC, and the q value."""
    differences = {}
    for row in comparisons.to_dict("records"):
        if row["other"] == best:
            differences[row["model"]] = (row["difference"], row["q"])
        elif row["model"] == best:
            differences[row["other"]] = (-row["difference"], row["q"])
    return differences


def _inline_svg(path: Path, label: str, name: str | None = None) -> markupsafe.Markup:
    """Return the svg element of a figure file, with a label for screen readers and ids that are unique in the page."""
    return embed_svg(path.read_text(encoding="utf-8"), re.sub(r"\W", "-", name or path.stem), label)
