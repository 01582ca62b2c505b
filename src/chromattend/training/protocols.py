"""Training options of models, and their values in each protocol."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from chromattend.models.registry import REGISTRY

if TYPE_CHECKING:
    # The workflow's rules import this module; importing arrays and datasets would take a second.
    from chromattend.models.base import Form


@dataclass(frozen=True)
class TrainingOptions:
    """Training options of a model, with the defaults of the default protocol.

    Attributes:
        inputs: form of the signal, see `chromattend.chromatin.inputs.ChromatinInputs`.
        class_weights: `balanced` weights genes so that ON and OFF count alike.
        seed: seed of the weights, shuffling and dropout of the first replicate.
        seeds: number of replicates, with this seed and the following ones.
        threads: number of CPU threads.

    The others apply to networks:

    Attributes:
        optimizer: AdamW, Adam or plain SGD.
        learning_rate: learning rate; the highest one, if there is a schedule.
        warmup: share of all steps in which the learning rate rises, before it falls along a cosine; 0 for a constant
            rate.
        weight_decay: weight decay of AdamW.
        batch_size: genes per step.
        max_epochs: maximum number of passes over the training genes.
        monitor: what the valid part chooses the epoch by: the lowest `loss`, or the highest `metric`, which is the AUC,
            or r in a regression.
        patience: epochs without a better value after which the training stops; None to train to the end.
        calibrate: whether P(ON) comes from a logistic curve fitted to the valid part (classification).
        gradient_clip: largest norm of the gradient; 0 for no clipping.
        initial_range: initial weights are uniform within plus and minus this; None for the layers' own rule, which is
            also Torch7's.
        accelerator, precision: options of Lightning's Trainer.
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
    monitor: Literal["loss", "metric"] = "loss"
    patience: int | None = None
    calibrate: bool = True
    gradient_clip: float = 1.0
    initial_range: float | None = None
    accelerator: str = "auto"
    precision: str = "32-true"

    @property
    def class_weight(self) -> str | None:
        """The class weights as an option of scikit-learn."""
        return "balanced" if self.class_weights == "balanced" else None


# Where the default protocol differs from the defaults above: large linear layers need smaller steps, and an LSTM whose
# last states alone are classified learns slowly.
_DEFAULT: dict[str, dict[str, Any]] = {
    "mlp": {"learning_rate": 1e-3},
    "deepchrome": {"learning_rate": 1e-3},
    "lstm": {"learning_rate": 1e-3, "max_epochs": 60},
}

# Settings of DeepChrome's Torch7 code, the only published code of the MLP.
_TORCH7 = {
    "inputs": "raw",
    "optimizer": "sgd",
    "learning_rate": 1e-3,
    "warmup": 0.0,
    "weight_decay": 0.0,
    "batch_size": 1,
    "max_epochs": 100,
    "monitor": "metric",
    "patience": None,
    "calibrate": False,
    "gradient_clip": 0.0,
}
# Settings of AttentiveChrome's PyTorch code.
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
# Options of the models themselves. Dropout never acts in the PyTorch code, so it is 0.
_PAPER_MODEL = {name: {"dropout": 0.5 if name in ("mlp", "deepchrome") else 0.0} for name in REGISTRY}


def resolve(
    model: str, training: Mapping[str, Any], model_options: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Resolve the training options of a model: keys that are null in the configuration are set by the protocol.

    Args:
        model: name in the registry.
        training: section `training` of the configuration, without the keys that are not training options.
        model_options: the model's part of `model_options`.

    Returns:
        The arguments of `TrainingOptions` that the model depends on, and the keyword arguments of the model.
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
    # The trained model does not depend on the device and the number of threads.
    unused = {"threads", "accelerator"}
    if spec.kind == "baseline":
        unused = settled.keys() - {"inputs", "class_weights", "seed", *(["seeds"] if spec.random else [])}
    return {key: value for key, value in settled.items() if key not in unused}, options
