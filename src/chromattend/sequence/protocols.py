"""Training protocols of sequence models, see `chromattend.training.protocols`."""

from typing import Any

# Small batches: sets of a few thousand sequences need the steps, and on a CPU they cost little more than large ones.
_DEFAULT = {"inputs": "raw", "batch_size": 64, "warmup": 0.2, "fresh": True}
DEFAULT: dict[str, dict[str, Any]] = {
    "kmer_logistic": {"inputs": "raw"},
    "gapped_kmer_logistic": {"inputs": "raw"},
    "gkm_svm": {"inputs": "raw"},
    "cnn": _DEFAULT | {"learning_rate": 1e-3, "max_epochs": 8},
    # With a lower rate, the RNN does not get away from chance in this number of epochs.
    "rnn": _DEFAULT | {"learning_rate": 1e-2, "max_epochs": 15},
    "cnn_rnn": _DEFAULT | {"learning_rate": 2e-3, "max_epochs": 10},
    "dilated": _DEFAULT | {"learning_rate": 3e-3, "max_epochs": 20},
}

# Settings of DeepMotif's Torch7 code (Lanchantin et al., PSB 2017). Unlike this, it takes batches in the order of the
# file, clips each value of the gradient instead of its norm, and chooses the epoch by the AUC of the training part.
_DEEPMOTIF = {
    "inputs": "raw",
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
PAPER: dict[str, dict[str, Any]] = {
    **{name: DEFAULT[name] for name in ("kmer_logistic", "gapped_kmer_logistic", "gkm_svm", "dilated")},
    **{name: _DEEPMOTIF for name in ("cnn", "rnn", "cnn_rnn")},
}
# Options of the models themselves.
PAPER_MODEL: dict[str, dict[str, Any]] = {
    "cnn": {"dropout": 0.5, "strands": "one"},
    "rnn": {"dropout": 0.5, "strands": "one", "pool": "mean"},
    "cnn_rnn": {"dropout": 0.5, "strands": "one", "pool": "mean"},
}
