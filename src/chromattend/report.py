"""The page of one epigenome: one self-contained HTML file."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import markupsafe
import pandas as pd
import xarray as xr

from chromattend import __version__
from chromattend.files import atomic
from chromattend.models import REGISTRY

ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("chromattend"), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
)


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


def _inline_svg(path: Path) -> markupsafe.Markup:
    """Return the svg element of a figure file, with ids that do not clash with another figure's."""
    text = path.read_text(encoding="utf-8")
    text = text[text.index("<svg") :]
    prefix = re.sub(r"\W", "-", path.stem)
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}-", text)
    # matplotlib escapes what it draws, so the element is safe to embed as it is.
    return markupsafe.Markup(text)
