"""The registry of models: the names that the configuration can list, and what each one is.

A network takes raw counts, float32, shape (gene, bin, mark), and returns a logit per gene, whose sigmoid is the
probability that the gene is ON. A baseline is a function that builds a scikit-learn estimator for the same
counts flattened to (gene, bin * mark). Nothing heavy is imported until a model is asked for.
"""

import importlib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chromattend.errors import UserError

if TYPE_CHECKING:
    from chromattend.models.base import TrainedModel


@dataclass(frozen=True)
class ModelSpec:
    """What is known of a model without importing it.

    Attributes:
        name: name in the configuration and in file names.
        title: name in tables and figures.
        kind: `network` (torch) or `baseline` (scikit-learn).
        target: module and class or function.
        published: row of the published summary table to compare with, if the papers report the model.
    """

    name: str
    title: str
    kind: str
    target: str
    published: str | None = None

    def load(self) -> Callable[..., Any]:
        """Import and return the class or function."""
        module, _, name = self.target.partition(":")
        return getattr(importlib.import_module(f"chromattend.models.{module}"), name)


REGISTRY = {
    spec.name: spec
    for spec in (
        ModelSpec("logistic_regression", "Logistic regression", "baseline", "logistic_regression:logistic_regression"),
        ModelSpec("linear_svc", "Linear SVC", "baseline", "linear_svc:linear_svc"),
        ModelSpec("random_forest", "Random forest", "baseline", "random_forest:random_forest"),
        ModelSpec("deepchrome", "DeepChrome", "network", "deepchrome:DeepChrome", "DeepChrome"),
        ModelSpec(
            "attentivechrome", "AttentiveChrome", "network", "attentivechrome:AttentiveChrome", "AttentiveChrome"
        ),
    )
}


def load_model(path: str | Path) -> "TrainedModel":
    """Read a trained model of any kind; only weights and known types are read, never code.

    Raises:
        UserError: the file is damaged or holds something else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            is_baseline = "schema.json" in archive.namelist()
            # torch does not compare the checksums of weights.
            if (damaged := archive.testzip()) is not None:
                raise ValueError(f"the checksum of {damaged} differs")
        if is_baseline:
            from chromattend.models.baseline import Baseline

            return Baseline.load(path)
        from chromattend.models.network import Network

        return Network.load(path)
    except FileNotFoundError:
        raise
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path}: is no model of chromattend or is damaged ({reason}); train it again") from error
