"""Logos are well-formed SVG whose letters have the heights that they claim."""

import re
import string
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest

from chromattend.sequence.logos import GLYPHS, STYLES, aligned, attribution_logo, bits, logo, motif_logo
from chromattend.sequence.motifs import DNA, PROTEIN, TEXT, Motif

SVG = "{http://www.w3.org/2000/svg}"
XLINK = "href"


def boxes(markup: str) -> list[tuple[str, float, float, float, float]]:
    """Letter, left, top, width and height of every letter, in pixels."""
    found = []
    for group in ElementTree.fromstring(markup).findall(f"{SVG}g"):
        for use in group.findall(f"{SVG}use"):
            scale_x, _, _, scale_y, left, top = map(float, re.findall(r"-?[\d.]+", use.attrib["transform"]))
            found.append((use.attrib[XLINK][-1], left, top, scale_x * 100, scale_y * 100))
    return found


def test_letters_have_the_heights_of_the_information_and_the_tallest_is_on_top() -> None:
    motif = Motif("m", np.array([[1.0, 0, 0, 0], [0.5, 0.5, 0, 0], [0.6, 0.1, 0.2, 0.1], [0.25] * 4]), 10)
    height = 110
    drawn = boxes(motif_logo(motif, height=height))
    per_bit = (height - 6 - 18) / 2
    first, *rest = sorted(drawn, key=lambda box: (box[1], box[2]))
    assert first[0] == "A"
    assert first[2] == pytest.approx(6, abs=0.02)
    assert first[4] == pytest.approx(2 * per_bit, abs=0.02)
    second, third = rest[:2], rest[2:]
    assert [box[4] for box in second] == pytest.approx([0.5 * per_bit] * 2, abs=0.02)
    assert [box[0] for box in third][:2] == ["A", "G"]
    assert sum(box[4] for box in third) == pytest.approx(bits(motif)[2].sum() * per_bit, abs=0.05)
    # Stacked without gaps down to the axis; the even position is empty.
    for above, below in pairwise(third):
        assert above[2] + above[4] == pytest.approx(below[2], abs=0.03)
    assert third[-1][2] + third[-1][4] == pytest.approx(height - 18, abs=0.03)
    assert len({box[1] for box in drawn}) == 3


def test_negative_attributions_hang_below_the_axis() -> None:
    signal = np.eye(4)[[0, 1, 2, 3]]
    weights = np.zeros((4, 4))
    weights[range(4), range(4)] = [3.0, -1.0, 0.0, 1.0]
    weights[0, 3] = 9.0  # not the observed letter
    markup = attribution_logo(weights, signal, DNA, title="x", height=124)
    drawn = {box[0]: box for box in boxes(markup)}
    assert set(drawn) == {"A", "C", "T"}
    unit = (124 - 6 - 18) / 4
    zero = 6 + 3 * unit
    assert drawn["A"][2] + drawn["A"][4] == pytest.approx(zero, abs=0.02)
    assert drawn["C"][2] == pytest.approx(zero, abs=0.02)
    assert [drawn[letter][4] for letter in "ACT"] == pytest.approx([3 * unit, unit, unit], abs=0.02)


def test_a_logo_is_safe_compact_and_named_for_screen_readers() -> None:
    generator = np.random.default_rng(1)
    letters = generator.integers(4, size=101)
    weights = generator.normal(size=(101, 4))
    title = 'Positive <1> of "YY1" & more'
    markup = attribution_logo(
        weights, np.eye(4)[letters], DNA, title=title, highlight=[(40, 52, "<motif>"), (-3, 2, "")]
    )
    root = ElementTree.fromstring(markup)
    assert root.attrib["aria-label"] == title
    assert root.attrib["role"] == "img"
    assert root.find(f"{SVG}title").text == title
    assert len(root.findall(f"{SVG}rect")) == 2
    assert "&lt;motif&gt;" in markup
    assert len(markup) < 12_000
    # Every letter that is used is defined in the same logo, under a name that no other logo has.
    used = {use.attrib[XLINK][1:] for use in root.iter(f"{SVG}use")}
    assert used == {path.attrib["id"] for path in root.iter(f"{SVG}path") if "id" in path.attrib}
    other = attribution_logo(weights, np.eye(4)[letters], DNA, title="another")
    assert not used & set(re.findall(r'id="(\w+)"', other))
    assert markup == attribution_logo(
        weights, np.eye(4)[letters], DNA, title=title, highlight=[(40, 52, "<motif>"), (-3, 2, "")]
    )


def test_colours_come_from_the_page_in_both_themes() -> None:
    markup = logo(np.eye(4), DNA, title="x")
    for name in "acgt":
        assert f"var(--logo-{name}," in markup
        assert STYLES.count(f"--logo-{name}:") == 3
    assert "prefers-color-scheme: dark" in STYLES


def test_all_letters_can_be_drawn() -> None:
    assert set(f"{string.ascii_uppercase} ") == set(GLYPHS)
    assert len(boxes(logo(np.eye(20), PROTEIN, title="x"))) == 20
    root = ElementTree.fromstring(logo(np.eye(69), TEXT, title="x"))
    drawn = {element.attrib["id"]: element for element in root.iter() if "id" in element.attrib}
    used = [use.attrib[XLINK][1:] for use in root.iter(f"{SVG}use")]
    assert sorted(used) == sorted(drawn)
    assert len(used) == 69
    characters = {element.text for element in drawn.values() if element.tag == f"{SVG}text"}
    assert characters == set(TEXT) - set(GLYPHS)
    assert "--logo-" not in logo(np.eye(69), TEXT, title="x")


def test_values_that_cannot_be_drawn_are_refused() -> None:
    with pytest.raises(ValueError, match="don't fit"):
        logo(np.eye(5), DNA, title="x")
    with pytest.raises(ValueError, match="finite"):
        logo(np.full((2, 4), np.nan), DNA, title="x")


def test_an_empty_map_is_drawn_without_letters() -> None:
    assert boxes(logo(np.zeros((5, 4)), DNA, title="x")) == []


def test_a_motif_and_its_entry_share_positions() -> None:
    sure = np.eye(4)[[2, 0, 0, 1]]  # GAAC
    entry = Motif("entry", np.eye(4)[[2, 3, 3]])  # GTT, AAC on the other strand
    left, right = aligned(Motif("motif", sure), entry, 1, "-")
    assert left.shape == right.shape == (4, 4)
    np.testing.assert_allclose(left[1:], right[1:])
    assert right[0].sum() == 0
    left, right = aligned(Motif("motif", sure[2:]), Motif("entry", sure), -2, "+")
    np.testing.assert_allclose(left[2:], right[2:])
    assert len(left) == 4
