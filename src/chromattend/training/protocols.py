"""Training options of models, and their values in each protocol.

A track's module `protocols` has three tables by the name of the model: DEFAULT and PAPER, the arguments of
`TrainingOptions` in the two protocols, and PAPER_MODEL, the model's own options in the paper's.
"""

from collections.abc import Mapping, Sequence
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
        class_weights: `balanced` weights examples so that both classes count alike.
        seed: seed of the weights, shuffling and dropout of the first replicate.
        seeds: number of replicates, with this seed and the following ones.
        thin: shares of reads; for each, all training examples are learned from once more at this share of their reads,
            with the depth of such a sample. The same copies for all replicates.
        threads: number of CPU threads.

    The others apply to networks:

    Attributes:
        optimizer: AdamW, Adam or plain SGD.
        learning_rate: learning rate; the highest one, if there is a schedule.
        warmup: share of all steps in which the learning rate rises, before it falls along a cosine; 0 for a constant
            rate.
        weight_decay: weight decay of AdamW.
        batch_size: examples per step.
        fresh: whether examples that are random in part, such as shuffled negative sequences, are drawn again in every
            epoch.
        halve_every: epochs after which the learning rate is halved, again and again; 0 for never. Not with a warm-up.
        max_epochs: maximum number of passes over the training examples.
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
    thin: Sequence[float] = ()
    threads: int = 1
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    learning_rate: float = 4e-3
    warmup: float = 0.1
    weight_decay: float = 0.01
    halve_every: int = 0
    fresh: bool = False
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
    tables = spec.protocols()
    given = {key: value for key, value in training.items() if key != "protocol" and value is not None}
    options = {key: value for key, value in model_options.items() if value is not None}
    if protocol == "paper":
        base = tables.PAPER.get(model, {})
        options = tables.PAPER_MODEL.get(model, {}) | options
    else:
        base = tables.DEFAULT.get(model, {})
    settled = vars(TrainingOptions(**(base | given)))
    # The trained model does not depend on the device and the number of threads.
    unused = {"threads", "accelerator"}
    # These do nothing unless they are given. Models that do not use them need not be trained again because they exist.
    idle = {key for key in ("halve_every", "fresh", "thin") if not settled[key]}
    if spec.kind == "baseline":
        unused = settled.keys() - {"inputs", "class_weights", "seed", "thin", *(["seeds"] if spec.random else [])}
    unused |= idle
    return {key: value for key, value in settled.items() if key not in unused}, options
