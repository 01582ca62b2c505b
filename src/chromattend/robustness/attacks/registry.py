"""Registry of attacks: the names that the configuration can list, and the properties of each attack.

An attack is a function of the classifier, the inputs and what it is to achieve, see `chromattend.robustness.attacks.
base`. It is named as text and imported on demand: planning a study imports no torch.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Norm = Literal["linf", "l2", "l0"]


@dataclass(frozen=True)
class AttackSpec:
    """Properties of an attack that are known without importing it.

    Attributes:
        name: name in the configuration and in file names.
        title: name in tables and figures.
        norm: distance that it keeps small.
        builder: function, as `module:name` below `chromattend.robustness.attacks`.
        options: its options and their default values, for inputs between 0 and 1.
        source: paper and section.
        targeted: whether it can aim at a class.
        untargeted: whether it can aim at any other class.
    """

    name: str
    title: str
    norm: Norm
    builder: str
    options: Mapping[str, Any]
    source: str
    targeted: bool = True
    untargeted: bool = True

    def load(self) -> Any:
        """Import and return the function, see `chromattend.robustness.attacks.base.Attack`."""
        module, _, name = self.builder.partition(":")
        return getattr(importlib.import_module(f"chromattend.robustness.attacks.{module}"), name)


_CARLINI = {"confidence": 10.0, "learning_rate": 0.05, "iterations": 200, "constant": 0.001, "searches": 9}

ATTACKS = {
    spec.name: spec
    for spec in (
        AttackSpec(
            "fgsm",
            "FGSM",
            "linf",
            "gradient_sign:fgsm",
            {"epsilon": 0.3},
            "Goodfellow, Shlens, Szegedy, ICLR 2015, section 4",
        ),
        AttackSpec(
            "bim",
            "BIM",
            "linf",
            "gradient_sign:bim",
            {"epsilon": 0.3, "step": 0.06, "iterations": 10},
            "Kurakin, Goodfellow, Bengio, ICLR workshop 2017, section 2.2",
        ),
        AttackSpec(
            "jsma",
            "JSMA",
            "l0",
            "saliency:jsma",
            {"theta": 1.0, "gamma": 0.1},
            "Papernot et al., EuroS&P 2016, section IV",
            untargeted=False,
        ),
        AttackSpec(
            "deepfool",
            "DeepFool",
            "l2",
            "deepfool:deepfool",
            {"overshoot": 0.02, "iterations": 50},
            "Moosavi-Dezfooli, Fawzi, Frossard, CVPR 2016, section 3",
            targeted=False,
        ),
        AttackSpec("cw2", "CW2", "l2", "carlini:cw2", _CARLINI, "Carlini, Wagner, S&P 2017, section VI.A"),
        AttackSpec(
            "cwi",
            "CWi",
            "linf",
            "carlini:cwi",
            _CARLINI | {"shrink": 0.9},
            "Carlini, Wagner, S&P 2017, section VI.C",
        ),
        AttackSpec(
            "cw0",
            "CW0",
            "l0",
            "carlini:cw0",
            _CARLINI | {"rounds": 20},
            "Carlini, Wagner, S&P 2017, section VI.B",
        ),
    )
}
