"""Colours, dashes and symbols of models: told apart by everyone, and computed rather than believed."""

import itertools

import numpy as np
import pytest

from chromattend.figures import MODEL_COLOURS, look, style
from chromattend.models.registry import REGISTRY, in_order

PAIRS = [
    (first, second)
    for first, second in itertools.combinations(REGISTRY, 2)
    if REGISTRY[first].track == REGISTRY[second].track
]
# Machado, Oliveira and Fernandes 2009: deuteranopia, on linear RGB.
DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
)
# Ottosson 2020: linear RGB to OKLab, in which distances are about as large as they look.
TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def linear(colour: str) -> np.ndarray:
    values = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def seen(model: str, *, deuteranopia: bool = False) -> np.ndarray:
    light = linear(MODEL_COLOURS[model])
    if deuteranopia:
        light = np.clip(DEUTERANOPIA @ light, 0, 1)
    return TO_LAB @ np.cbrt(TO_LMS @ light)


def distance(first: str, second: str, *, deuteranopia: bool = False) -> float:
    return float(np.linalg.norm(seen(first, deuteranopia=deuteranopia) - seen(second, deuteranopia=deuteranopia)))


def contrast(first: str, second: str) -> float:
    dark, light = sorted(float(np.array([0.2126, 0.7152, 0.0722]) @ linear(colour)) for colour in (first, second))
    return (light + 0.05) / (dark + 0.05)


def test_the_measures_are_those_of_the_literature() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    # Red and green of the same lightness are nearly one colour to a deuteranope, and far apart to others.
    red, green = (TO_LAB @ np.cbrt(TO_LMS @ np.clip(DEUTERANOPIA @ linear(c), 0, 1)) for c in ("#b05030", "#707030"))
    assert np.linalg.norm(red - green) < 0.04
    assert np.linalg.norm(TO_LAB @ np.cbrt(TO_LMS @ (linear("#b05030") - linear("#707030")))) > 0.1


@pytest.mark.parametrize("paper", ["#ffffff", "#12171d"])
def test_every_colour_is_visible_on_the_white_and_on_the_dark_page(paper: str) -> None:
    assert {
        model: contrast(colour, paper) for model, colour in MODEL_COLOURS.items() if contrast(colour, paper) < 3
    } == {}


def test_every_model_has_a_colour_of_its_own() -> None:
    assert len(set(MODEL_COLOURS.values())) == len(REGISTRY) == 24
    assert min(distance(*pair) for pair in PAIRS) > 0.07
    assert min(distance(*pair) for pair in itertools.combinations(REGISTRY, 2)) > 0.04


def test_in_grey_dash_and_symbol_tell_models_of_a_track_apart() -> None:
    for first, second in PAIRS:
        assert (look(first)["dash"], look(first)["symbol"]) != (look(second)["dash"], look(second)["symbol"])


def test_with_deuteranopia_lines_and_symbols_are_told_apart() -> None:
    for first, second in PAIRS:
        if look(first)["dash"] == look(second)["dash"] or look(first)["symbol"] == look(second)["symbol"]:
            assert distance(first, second, deuteranopia=True) > 0.11, (first, second)


def test_the_usual_models_are_told_apart_by_colour_alone() -> None:
    usual = ["logistic_regression", "deepchrome", "lstm", "lstm_alpha", "attentivechrome"]
    assert min(distance(*pair) for pair in itertools.combinations(usual, 2)) > 0.15
    assert min(distance(*pair, deuteranopia=True) for pair in itertools.combinations(usual, 2)) > 0.08


def test_pages_and_figures_have_the_same_looks() -> None:
    markers = {"o": "circle", "s": "square", "^": "triangle-up", "D": "diamond", "v": "triangle-down", "P": "cross"}
    markers |= {"X": "x", "*": "star"}
    for model in REGISTRY:
        line = style(model)["linestyle"]
        dash = "solid" if line == "-" else ",".join(f"{2 * length:g}px" for length in line[1])
        assert look(model) | {"path": ""} == {
            "colour": style(model)["color"],
            "dash": dash,
            "symbol": markers[style(model)["marker"]],
            "path": "",
        }


def test_models_stand_in_one_order() -> None:
    assert in_order(["deepchrome", "svc", "deepchrome", "cnn", "mlp"]) == ["svc", "mlp", "deepchrome", "cnn"]
