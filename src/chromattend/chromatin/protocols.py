"""Training protocols of chromatin models, see `chromattend.training.protocols`."""

from typing import Any

from chromattend.models.registry import REGISTRY

# Where the default protocol differs from the defaults of `TrainingOptions`: large linear layers need smaller steps, and
# an LSTM whose last states alone are classified learns slowly.
DEFAULT: dict[str, dict[str, Any]] = {
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
PAPER: dict[str, dict[str, Any]] = {
    **{spec.name: _PYTORCH for spec in REGISTRY.values() if spec.track == "chromatin"},
    "mlp": _TORCH7,
    "deepchrome": _TORCH7,
    "deepdiff": _PYTORCH | {"learning_rate": 1e-4, "batch_size": 10, "max_epochs": 90},
}
# Options of the models themselves. Dropout never acts in the PyTorch code, so it is 0.
PAPER_MODEL = {
    spec.name: {"dropout": 0.5 if spec.name in ("mlp", "deepchrome") else 0.0}
    for spec in REGISTRY.values()
    if spec.track == "chromatin" and spec.kind == "network"
}
