"""Training protocols of sequence models, see `chromattend.training.protocols`."""

from typing import Any

_DEFAULT = {"batch_size": 256, "warmup": 0.2, "fresh": True}
DEFAULT: dict[str, dict[str, Any]] = {
    "cnn": _DEFAULT | {"learning_rate": 2e-3, "max_epochs": 10},
    "rnn": _DEFAULT | {"learning_rate": 1e-2, "max_epochs": 20},
    "cnn_rnn": _DEFAULT | {"learning_rate": 4e-3, "max_epochs": 10},
    "dilated": _DEFAULT | {"learning_rate": 3e-3, "max_epochs": 15},
}

# Settings of DeepMotif's code (Lanchantin et al., PSB 2017). Its optimiser is not known here; Adam is an assumption.
_DEEPMOTIF = {
    "optimizer": "adam",
    "learning_rate": 1e-2,
    "halve_every": 10,
    "warmup": 0.0,
    "weight_decay": 0.0,
    "batch_size": 256,
    "max_epochs": 50,
    "monitor": "metric",
    "patience": None,
    "calibrate": False,
    "gradient_clip": 5.0,
    "fresh": False,
}
PAPER: dict[str, dict[str, Any]] = {name: _DEEPMOTIF for name in ("cnn", "rnn", "cnn_rnn")}
# Options of the models themselves.
PAPER_MODEL: dict[str, dict[str, Any]] = {
    "cnn": {"dropout": 0.5, "strands": "one"},
    "rnn": {"dropout": 0.5, "strands": "one", "pool": "mean"},
    "cnn_rnn": {"dropout": 0.5, "strands": "one", "pool": "mean"},
}
