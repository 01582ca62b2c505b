"""Registry of attacks: the names that the configuration can list, and the properties of each attack.

An attack is a function of the classifier, the inputs and what it is to achieve, see `chromattend.robustness.attacks.
base`. It is named as text and imported on demand: planning a study imports no torch.
"""

import importlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from chromattend.errors import UserError, did_you_mean

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


# What values of options must be, in words and as a test; numbers are whole where the default is.
_POSITIVE: tuple[str, Callable[[float], bool]] = ("above 0", lambda value: value > 0)
_NOT_NEGATIVE: tuple[str, Callable[[float], bool]] = ("0 or more", lambda value: value >= 0)
_SHARE: tuple[str, Callable[[float], bool]] = ("between 0 and 1", lambda value: 0 < value < 1)
LIMITS: dict[str, tuple[str, Callable[[float], bool]]] = {
    "epsilon": _POSITIVE,
    "step": _POSITIVE,
    "iterations": _POSITIVE,
    "theta": ("1 or -1", lambda value: value in (1, -1)),
    "gamma": ("above 0 and at most 1", lambda value: 0 < value <= 1),
    "overshoot": _NOT_NEGATIVE,
    "confidence": _NOT_NEGATIVE,
    "learning_rate": _POSITIVE,
    "constant": _POSITIVE,
    "searches": _POSITIVE,
    "shrink": _SHARE,
    "share": _SHARE,
}

# The authors take 1,000 to 10,000 steps of 0.01. 200 steps of a falling rate come as far if they start with 0.2; with
# 0.1, one of MNIST's first 50 digits is not reached by CW0, and only from afar by CW2.
_CARLINI = {"confidence": 10.0, "learning_rate": 0.2, "iterations": 200, "constant": 0.001, "searches": 9}

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
            # Each descent starts near its end: at 0.2, the largest change on MNIST is 0.271 in place of 0.262.
            # Constants above 10 bring nothing and cost 200 steps each at the end of every example.
            _CARLINI | {"learning_rate": 0.1, "searches": 5, "shrink": 0.9},
            "Carlini, Wagner, S&P 2017, section VI.C",
        ),
        AttackSpec(
            "cw0",
            "CW0",
            "l0",
            "carlini:cw0",
            # With so few entries, one of MNIST's first 50 digits needs a constant of 100.
            _CARLINI | {"searches": 6, "share": 0.3},
            "Carlini, Wagner, S&P 2017, section VI.B",
        ),
    )
}


def checked_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return all options of an attack: the given ones, and the defaults of the others.

    Raises:
        UserError: an option does not exist or has an impossible value.
    """
    defaults = ATTACKS[name].options
    for option, value in options.items():
        if option not in defaults:
            guess = did_you_mean(option, defaults)
            raise UserError(f"{name}: has no option {option!r}{guess}; its options are {', '.join(defaults)}")
        whole = isinstance(defaults[option], int)
        words, allowed = LIMITS[option]
        number = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
        if not (number and math.isfinite(value) and allowed(value)):
            kind = "a whole number" if whole else "a number"
            raise UserError(f"{name}: option {option} is {value!r}; give {kind} that is {words}")
    return {**defaults, **options}
