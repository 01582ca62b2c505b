"""Registry of models: the names that the configuration can list, and the properties of each model.

A network takes signal, float32, shape (example, position, channel), and returns a logit per example, whose sigmoid is
the probability of the positive class. A baseline is a function that builds a scikit-learn estimator for the same signal
flattened to (example, position * channel). Classes and functions of tracks are named as text, `package.module:name`,
and imported on demand, so that this package does not depend on a track and imports nothing heavy until a model is
needed.
"""

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ModelSpec:
    """Properties of a model that are known without importing it.

    Attributes:
        name: name in the configuration and in file names.
        title: name in tables and figures.
        builder: class (network) or function (baseline), as `package.module:name` below `chromattend`.
        kind: `network` (torch) or `baseline` (scikit-learn).
        published: row of the published summary table to compare with, if the papers report the model.
        random: whether the trained model depends on the seed.
        expression: whether it learns log(1 + RPKM) instead of the label.
        attention: levels of attention: none, `alpha` over bins or `alpha_beta` over bins and marks.
        kernel: whether it is a kernel machine, whose scores can be explained as those of networks are.
        relu: whether its layers have rectified units and none is recurrent.
        inputs: class of its inputs, see `chromattend.models.base.InputSpec`, as `package.module:name`.
        scope: stage that trains the model: `epigenome` or `sequence` for models that the key `models` of their track
            can list; other models belong to their own stage.
    """

    name: str
    title: str
    builder: str
    kind: str
    published: str | None = None
    random: bool = True
    expression: bool = False
    attention: str = ""
    kernel: bool = False
    relu: bool = False
    inputs: str = "chromatin.inputs:ChromatinInputs"
    scope: str = "epigenome"

    @property
    def track(self) -> str:
        """Name of the track that the model belongs to."""
        return self.builder.partition(".")[0]

    @property
    def explained(self) -> bool:
        """Whether there are explanations of its scores."""
        return self.kind == "network" or self.kernel

    def protocols(self) -> Any:
        """Import and return the module with the training protocols of the model's track.

        Its DEFAULT, PAPER and PAPER_MODEL map the model's name to options, see `chromattend.training.protocols`.
        """
        return importlib.import_module(f"chromattend.{self.track}.protocols")

    def load(self) -> Callable[..., Any]:
        """Import and return the class or function."""
        return _imported(self.builder)

    def input_spec(self) -> Any:
        """Import and return the class of its inputs, see `chromattend.models.base.InputSpec`."""
        return _imported(self.inputs)


def _imported(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(f"chromattend.{module}"), name)


def _sequence(
    name: str, title: str, place: str, kind: str = "network", inputs: str = "SequenceInputs", **facts: Any
) -> ModelSpec:
    inputs = f"sequence.inputs:{inputs}"
    return ModelSpec(name, title, f"sequence.models.{place}", kind, inputs=inputs, scope="sequence", **facts)


def _network(name: str, title: str, builder: str, **facts: Any) -> ModelSpec:
    return ModelSpec(name, title, f"chromatin.models.{name}:{builder}", "network", **facts)


def _baseline(name: str, title: str, *, random: bool = False, **facts: Any) -> ModelSpec:
    return ModelSpec(name, title, f"chromatin.models.baselines:{name}", "baseline", random=random, **facts)


REGISTRY = {
    spec.name: spec
    for spec in (
        _baseline("linear_regression", "Linear regression", expression=True),
        _baseline("logistic_regression", "Logistic regression"),
        _baseline("linear_svc", "Linear SVC"),
        _baseline("svc", "SVC (RBF)"),
        _baseline("svc_best_bin", "SVC, best bin", random=True),
        _baseline("random_forest", "Random forest", random=True),
        _baseline("random_forest_best_bins", "Random forest, best bins", random=True),
        _network("mlp", "MLP", "MLP", relu=True),
        _network("deepchrome", "DeepChrome", "DeepChrome", published="DeepChrome", relu=True),
        _network("lstm", "LSTM", "LSTM", published="LSTM"),
        _network("cnn_attn", "CNN-Attn", "CNNAttn", published="CNN-Attn", attention="alpha", relu=True),
        _network(
            "cnn_alpha_beta",
            "CNN-alpha,beta",
            "CNNAlphaBeta",
            published="CNN-alpha,beta",
            attention="alpha_beta",
            relu=True,
        ),
        _network("lstm_attn", "LSTM-Attn", "LSTMAttn", published="LSTM-Attn", attention="alpha"),
        _network("lstm_alpha", "LSTM-alpha", "LSTMAlpha", published="LSTM-alpha", attention="alpha"),
        _network(
            "attentivechrome", "AttentiveChrome", "AttentiveChrome", published="AttentiveChrome", attention="alpha_beta"
        ),
        _network("pan_epigenome", "Pan-epigenome", "PanEpigenome", attention="alpha_beta", scope="pan_epigenome"),
        _network("deepdiff", "DeepDiff", "DeepDiff", attention="alpha_beta", scope="differential"),
        _sequence(
            "kmer_logistic", "k-mer logistic regression", "baselines:kmer_logistic", kind="baseline", random=False
        ),
        _sequence(
            "gapped_kmer_logistic",
            "Gapped k-mer logistic regression",
            "baselines:gapped_kmer_logistic",
            kind="baseline",
            random=False,
        ),
        _sequence(
            "gkm_svm",
            "Gapped k-mer SVM",
            "gkm_svm:gkm_svm",
            kind="baseline",
            inputs="LetterInputs",
            random=False,
            kernel=True,
        ),
        _sequence("cnn", "CNN", "cnn:CNN", relu=True),
        _sequence("rnn", "RNN", "rnn:RNN"),
        _sequence("cnn_rnn", "CNN-RNN", "cnn_rnn:CNNRNN"),
        _sequence("dilated", "Dilated CNN", "dilated:Dilated", relu=True),
    )
}


def in_order(models: Iterable[str]) -> list[str]:
    """Return the names of models without repeats, in the order of the registry, which all figures and pages have."""
    return sorted(set(models), key=list(REGISTRY).index)


def read_spec(content: dict[str, Any]) -> Any:
    """Return the inputs of a trained model, see `chromattend.models.base.InputSpec`, from the content of its file."""
    return REGISTRY[content["model"]].input_spec()(**content)
