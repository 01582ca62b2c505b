"""The page of one epigenome: one self-contained HTML file."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import markupsafe
import pandas as pd
import xarray as xr

from chromattend import __version__
from chromattend.files import atomic
from chromattend.interpret import TITLES
from chromattend.models import REGISTRY

ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("chromattend"), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
)


def _correlation(value: float) -> str:
    return "" if pd.isna(value) else f"{value:.3f}"


ENVIRONMENT.filters["r"] = _correlation


@dataclass(frozen=True)
class Validation:
    """The validation of an epigenome's explanations, as its page shows it.

    Attributes:
        mark: whose weights are compared.
        validation_mark: what they are compared with.
        table: see `chromattend.interpret.validation.validation_table`, of the epigenome.
    """

    mark: str
    validation_mark: str
    table: pd.DataFrame

    @property
    def note(self) -> str | None:
        """Why there is none."""
        notes = self.table["note"].dropna()
        return str(notes.iloc[0]) if len(notes) else None

    @property
    def of_reads(self) -> float:
        """The correlation of the mark's reads themselves, by the first model's choice of genes."""
        found = self._of_mark()
        return float(found.loc[found["method"] == "signal", "pearson"].iloc[0])

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One row a model and method, with the mean of the networks without training beside it."""
        found = self._of_mark()
        controls = found[found["weights"].str.startswith("random")]
        untrained = controls.groupby(["model", "method"])["pearson"].mean().to_dict()
        return [
            {str(name): value for name, value in row.items()}
            | {"title": TITLES[row["method"]], "untrained": untrained[row["model"], row["method"]]}
            for row in found[found["weights"] == "trained"].to_dict("records")
        ]

    def _of_mark(self) -> pd.DataFrame:
        return self.table[self.table["mark"] == self.mark]


def write_page(
    path: str | Path,
    *,
    name: str,
    group: str,
    dataset: xr.Dataset,
    signals: Sequence[Mapping[str, Any]],
    metrics: Mapping[str, Mapping[str, Mapping[str, float]]],
    comparisons: pd.DataFrame,
    figures: Mapping[str, Path],
    attention: Sequence[Path] = (),
    validation: Validation | None = None,
    command: str,
) -> None:
    """Write the page of one epigenome.

    Args:
        path: the HTML file.
        name, group: as in the sample sheet.
        dataset: see `chromattend.dataset.build_dataset`.
        signals: attributes of the signal files.
        metrics: model -> see `chromattend.evaluate.metrics`.
        comparisons: see `chromattend.statistics.compare_aucs`.
        figures: SVG files to embed: roc, calibration and profile.
        attention: SVG files of the attention of each attentive model.
        validation: how explanations compare with the validation mark, if any were made.
        command: what makes the page again.
    """
    split, label = dataset["split"].values, dataset["label"].values
    ranked = sorted(metrics.items(), key=lambda item: -item[1]["test"]["auc"])
    page = ENVIRONMENT.get_template("epigenome.html").render(
        epigenome=dataset.attrs["epigenome"],
        name=name,
        group=group,
        attributes=dataset.attrs,
        parts={
            part: {"genes": int((split == part).sum()), "on": float(label[split == part].mean())}
            for part in ("train", "valid", "test")
        },
        signals=signals,
        models=ranked,
        to_best=_differences(comparisons, ranked[0][0]),
        titles={model: REGISTRY[model].title for model in metrics},
        figures={name: _inline_svg(path) for name, path in figures.items()},
        attention=[_inline_svg(path, f"attention-{number}") for number, path in enumerate(attention)],
        validation=validation,
        command=command,
        version=__version__,
    )
    with atomic(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _differences(comparisons: pd.DataFrame, best: str) -> dict[str, tuple[float, float]]:
    """Return model -> difference of its AUC to that of the best model, and q value."""
    found = {}
    for row in comparisons.to_dict("records"):
        if row["other"] == best:
            found[row["model"]] = (row["difference"], row["q"])
        elif row["model"] == best:
            found[row["other"]] = (-row["difference"], row["q"])
    return found


def _inline_svg(path: Path, name: str | None = None) -> markupsafe.Markup:
    """Return the svg element of a figure file, with ids that do not clash with another figure's."""
    text = path.read_text(encoding="utf-8")
    text = text[text.index("<svg") :]
    prefix = re.sub(r"\W", "-", name or path.stem)
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}-", text)
    # matplotlib escapes what it draws, so the element is safe to embed as it is.
    return markupsafe.Markup(text)
