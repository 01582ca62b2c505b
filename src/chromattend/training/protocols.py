"""How models are trained: the options, and what the protocols set them to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from chromattend.models.registry import REGISTRY

if TYPE_CHECKING:
    # The rules read this module; arrays and datasets take a second to import.
    from chromattend.models.base import Form


@dataclass(frozen=True)
class TrainingOptions:
    """How a model is trained; the defaults are those of the default protocol.

    Attributes:
        inputs: form of the signal, see `chromattend.chromatin.inputs.ChromatinInputs`.
        class_weights: `balanced` weighs genes so that ON and OFF count alike.
        seed: of weights, shuffling and dropout of the first replicate.
        seeds: number of replicates, trained from this seed and the following ones.
        threads: CPU threads.

    All others are of networks:

    Attributes:
        optimizer: AdamW, Adam or plain SGD.
        learning_rate: highest, where there is a schedule.
        warmup: share of all steps in which the learning rate rises; it then falls along a cosine. 0 keeps it.
        weight_decay: of AdamW.
        batch_size: genes per step.
        max_epochs: most passes over the training genes.
        patience: epochs without a better validation AUC that end the training; None for no such end.
        gradient_clip: largest norm of the gradient; 0 for none.
        initial_range: weights start uniformly within plus and minus this; None for the layers' own rule, which
            is also that of Torch7.
        accelerator, precision: of Lightning's Trainer.
    """

    inputs: "Form" = "depth"
    class_weights: Literal["none", "balanced"] = "none"
    seed: int = 1
    seeds: int = 1
    threads: int = 1
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    learning_rate: float = 4e-3
    warmup: float = 0.1
    weight_decay: float = 0.01
    batch_size: int = 32
    max_epochs: int = 30
    patience: int | None = 8
    gradient_clip: float = 1.0
    initial_range: float | None = None
    accelerator: str = "auto"
    precision: str = "32-true"


# What the default protocol has otherwise than the options' own defaults: large linear layers want smaller steps, and
# an LSTM whose last states alone are classified learns slowly.
_DEFAULT: dict[str, dict[str, Any]] = {
    "mlp": {"learning_rate": 1e-3},
    "deepchrome": {"learning_rate": 1e-3},
    "lstm": {"learning_rate": 1e-3, "max_epochs": 60, "patience": 15},
}

# The Torch7 code of DeepChrome; of the MLP it is the only one.
_TORCH7 = {
    "inputs": "raw",
    "optimizer": "sgd",
    "learning_rate": 1e-3,
    "warmup": 0.0,
    "weight_decay": 0.0,
    "batch_size": 1,
    "max_epochs": 100,
    "patience": None,
    "gradient_clip": 0.0,
}
# The PyTorch code of AttentiveChrome.
_PYTORCH = _TORCH7 | {
    "optimizer": "adam",
    "learning_rate": 2e-4,
    "batch_size": 16,
    "max_epochs": 30,
    "gradient_clip": 1.0,
    "initial_range": 0.1,
}
_PAPER: dict[str, dict[str, Any]] = {
    "mlp": _TORCH7,
    "deepchrome": _TORCH7,
    "deepdiff": _PYTORCH | {"learning_rate": 1e-4, "batch_size": 10, "max_epochs": 90},
}
# Of options of the models themselves; that code's dropout never acts.
_PAPER_MODEL = {name: {"dropout": 0.5 if name in ("mlp", "deepchrome") else 0.0} for name in REGISTRY}


def resolve(
    model: str, training: Mapping[str, Any], model_options: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settle how a model is trained: what the configuration leaves open (null) is the protocol's.

    Args:
        model: name in the registry.
        training: the configuration's section `training`, without what is not an option of training.
        model_options: the model's own part of `model_options`.

    Returns:
        Arguments of `TrainingOptions` that the model depends on, and keyword arguments of the model.
    """
    spec, protocol = REGISTRY[model], training["protocol"]
    given = {key: value for key, value in training.items() if key != "protocol" and value is not None}
    options = {key: value for key, value in model_options.items() if value is not None}
    if protocol == "paper":
        base = _PAPER.get(model, _PYTORCH)
        if spec.kind == "network":
            options = _PAPER_MODEL[model] | options
    else:
        base = _DEFAULT.get(model, {})
    settled = vars(TrainingOptions(**(base | given)))
    # Where a model trains, and on how many threads, is not what it depends on.
    unused = {"threads", "accelerator"}
    if spec.kind == "baseline":
        unused = settled.keys() - {"inputs", "class_weights", "seed", *(["seeds"] if spec.random else [])}
    return {key: value for key, value in settled.items() if key not in unused}, options
