"""Sequence logos as inline SVG: letters are paths, so that a page needs no font and no plotting library."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from chromattend.sequence.motifs import Motif, information

# Outlines of the letters in a square of 100 units, y downwards; holes by the even-odd rule. Other characters of texts
# are drawn in the page's font.
GLYPHS = {
    # A blank can be seen.
    " ": "M4 72H16V88H84V72H96V100H4Z",
    "A": "M0 100 36 0H64L100 100H76L69 80H31L24 100ZM37 63H63L50 26Z",
    "B": "M0 0H56C80 0 95 9 95 26C95 38 88 45 79 48C92 51 100 60 100 73C100 91 84 100 58 100H0ZM24 18V41H53C65 41 71 37"
    " 71 29S65 18 53 18ZM24 58V82H56C69 82 76 78 76 70S69 58 56 58Z",
    "C": "M100 67C95 88 77 100 53 100C21 100 0 80 0 50S21 0 53 0C77 0 94 11 99 31L75 37C71 25 64 19 53 19"
    "C36 19 24 31 24 50S36 81 53 81C65 81 72 74 76 61Z",
    "D": "M0 0H48C80 0 100 19 100 50S80 100 48 100H0ZM24 19V81H46C65 81 75 70 75 50S65 19 46 19Z",
    "E": "M0 0H100V19H24V40H92V59H24V81H100V100H0Z",
    "F": "M0 0H100V19H24V42H91V61H24V100H0Z",
    "G": "M53 0C76 0 92 10 98 30L74 36C70 25 63 19 53 19C36 19 24 31 24 50S36 81 54 81C62 81 70 79 76 75V63H54V45H100"
    "V86C88 95 72 100 54 100C21 100 0 80 0 50S21 0 53 0Z",
    "H": "M0 0H24V40H76V0H100V100H76V60H24V100H0Z",
    "I": "M15 0H85V18H62V82H85V100H15V82H38V18H15Z",
    "J": "M60 0H84V66C84 88 71 100 47 100C23 100 10 88 10 66V60H34V66C34 76 38 81 47 81S60 76 60 66Z",
    "K": "M0 0H24V42L68 0H100L53 45L100 100H69L36 60L24 71V100H0Z",
    "L": "M0 0H24V81H100V100H0Z",
    "M": "M0 0H28L50 60L72 0H100V100H78V36L58 92H42L22 36V100H0Z",
    "N": "M0 0H27L76 65V0H100V100H73L24 35V100H0Z",
    "O": "M50 0C80 0 100 20 100 50S80 100 50 100S0 80 0 50S20 0 50 0ZM50 19C34 19 24 31 24 50S34 81 50 81S76 69 76 50"
    "S66 19 50 19Z",
    "P": "M0 0H58C85 0 100 12 100 32S85 64 58 64H24V100H0ZM24 18V46H55C69 46 76 41 76 32S69 18 55 18Z",
    "Q": "M50 0C80 0 100 20 100 49C100 61 97 72 90 80L100 90L86 100L75 92C68 96 59 98 50 98C20 98 0 78 0 49S20 0 50 0Z"
    "M50 19C34 19 24 31 24 49S34 79 50 79C53 79 56 79 59 77L48 67L62 57L73 67C75 62 76 56 76 49C76 31 66 19 50 19Z",
    "R": "M0 0H60C86 0 100 11 100 30C100 45 92 54 77 58L100 100H73L53 61H24V100H0ZM24 18V44H57C70 44 76 39 76 31"
    "S70 18 57 18Z",
    "S": "M96 27L73 32C71 22 62 18 50 18C36 18 28 22 28 29C28 36 34 38 53 41C84 46 100 53 100 71C100 90 81 100 51 100"
    "C22 100 4 89 0 69L24 65C26 76 35 82 51 82C67 82 76 78 76 71C76 64 69 62 48 59C19 54 4 47 4 30C4 11 21 0 50 0"
    "C76 0 92 9 96 27Z",
    "T": "M0 0H100V19H62V100H38V19H0Z",
    "U": "M0 0H24V60C24 74 33 81 50 81S76 74 76 60V0H100V60C100 87 81 100 50 100S0 87 0 60Z",
    "V": "M0 0H26L50 72L74 0H100L63 100H37Z",
    "W": "M0 0H21L31 67L42 8H58L69 67L79 0H100L82 100H60L50 45L40 100H18Z",
    "X": "M2 0H31L50 32L69 0H98L66 49L100 100H71L50 66L29 100H0L34 49Z",
    "Y": "M0 0H27L50 39L73 0H100L62 61V100H38V61Z",
    "Z": "M4 0H97V18L34 81H98V100H2V81L64 19H4Z",
}

# Variable of the style sheet, and the letters drawn in it. Nucleotides have the colours usual in the field (T and U
# are red), amino acids one for each kind of side chain (WebLogo's scheme).
NUCLEOTIDES = {"a": "A", "c": "C", "g": "G", "t": "TU"}
SIDE_CHAINS = {"a": "GSTYCNQ", "c": "KRH", "t": "DE", "ink": "AVLIPWFM"}
COLOURS = {
    "a": ("#1a7a34", "#4fc776"),
    "c": ("#1b5fb8", "#6db3f8"),
    "g": ("#b06000", "#f3b13c"),
    "t": ("#c1272d", "#f58080"),
}


def colours_of(letters: str) -> dict[str, str]:
    """Return letter -> the variable of the style sheet that it is drawn in; other letters have the colour of the text.

    Args:
        letters: letters of an alphabet: nucleotides, amino acids, or characters, which have no colours.
    """
    kinds = NUCLEOTIDES if len(letters) <= 5 else SIDE_CHAINS if len(letters) <= 20 else {}
    return {letter: name for name, members in kinds.items() if name != "ink" for letter in members if letter in letters}


def glyph(letter: str, key: str) -> str:
    """Return the SVG element that draws a letter in a square of 100 units.

    Args:
        letter: one character.
        key: id of the element.
    """
    if letter in GLYPHS:
        return f'<path id="{key}" d="{GLYPHS[letter]}"/>'
    # Brackets reach below the line that letters stand on, and stay in the square.
    return (
        f'<text id="{key}" x="50" y="82" font-size="108" font-weight="700" text-anchor="middle" '
        f'style="font-family:monospace">{escape(letter)}</text>'
    )


def _sheet() -> str:
    light, dark = ("; ".join(f"--logo-{name}: {pair[index]}" for name, pair in COLOURS.items()) for index in range(2))
    return (
        f":root {{ {light}; }}\n"
        f"@media (prefers-color-scheme: dark) {{ :root {{ {dark}; }} }}\n"
        f"@media print {{ :root {{ {light}; }} }}\n"
        ".logo text { font-family: inherit; }\n"
    )


# For the `styles` block of a page with logos. A logo without it has colours that are legible on light and dark.
STYLES = _sheet()
_FALLBACK = {"a": "#2a9348", "c": "#3a82d6", "g": "#c87a10", "t": "#dd4b4b"}

# Pixels.
LEFT, RIGHT, TOP, BOTTOM = 34, 6, 6, 18
LABEL = 14  # above the letters, for the labels of highlights
WIDEST = 26  # of a position, if no width is given
NARROW = 7.5  # a position under this width cannot be read
SMALL_SHARE = 0.004  # of the axis; lower letters are not drawn


def bits(motif: Motif | np.ndarray) -> np.ndarray:
    """Return the heights of a motif's logo: probability times information content in bits, shape (position, letter)."""
    probabilities = motif.probabilities if isinstance(motif, Motif) else motif
    return np.asarray(probabilities * np.maximum(information(probabilities), 0)[:, None])


def aligned(motif: Motif, entry: Motif, offset: int, strand: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the heights of a motif and of an entry that it matches, padded to one length and on one strand.

    Args:
        motif, entry: of one alphabet.
        offset, strand: columns of `chromattend.sequence.matching.match`.

    Returns:
        Two arrays of one shape (position, letter) in bits; empty positions are zeros.
    """
    second = entry.reverse_complement() if strand == "-" else entry
    first = min(0, offset)
    last = max(len(motif.probabilities), offset + len(second.probabilities))
    heights = []
    for matrix, start in ((motif, 0), (second, offset)):
        own = bits(matrix)
        heights.append(np.pad(own, ((start - first, last - start - len(own)), (0, 0))))
    return heights[0], heights[1]


@dataclass(frozen=True)
class _Frame:
    """Where a logo's letters are drawn, in pixels, and the values that they show."""

    left: float
    right: float
    top: float
    bottom: float
    low: float
    high: float
    positions: int

    @property
    def step(self) -> float:
        return (self.right - self.left) / max(self.positions, 1)

    def x(self, position: float) -> float:
        return self.left + position * self.step

    def y(self, value: float) -> float:
        return self.bottom - (value - self.low) / (self.high - self.low) * (self.bottom - self.top)


def logo(
    heights: np.ndarray,
    letters: str,
    *,
    title: str,
    width: float | None = None,
    height: float = 110,
    limits: tuple[float, float] | None = None,
    first: int = 1,
    ticks: int | None = None,
    unit: str = "bits",
    highlight: Sequence[tuple[int, int, str]] = (),
) -> str:
    """Draw a sequence logo (Schneider and Stephens, Nucleic Acids Res. 18:6097, 1990).

    Letters of positive height stand on the axis, the tallest on top; those of negative height hang below it. A long
    logo keeps a least width, so put it into an element that scrolls (`<div class="scroll">`).

    Args:
        heights: shape (position, letter): `bits` of a motif, or attributions, which are zero but for the observed
            letter.
        letters: names of the letters, one character each.
        title: what the logo shows, for its tooltip and screen readers.
        width, height: pixels; by default a position is as wide as fits, up to 26 pixels.
        limits: values at the lower and upper end of the axis; by default they fit the heights.
        first: number of the first position.
        ticks: positions between two numbers below the logo; by default as fits.
        unit: what the heights measure, written beside the axis.
        highlight: stretches to mark, each start and end (0-based positions, end excluded) and a label.

    Returns:
        An `svg` element. It uses the page's variables `--ink`, `--dim`, `--line` and those of `STYLES`, or the colour
        of the text.

    Raises:
        ValueError: the shape does not fit the letters, or a height is not finite.
    """
    heights = np.asarray(heights, dtype=np.float64)
    if heights.ndim != 2 or heights.shape[1] != len(letters):
        raise ValueError(f"heights of shape {heights.shape} don't fit the {len(letters)} letters {letters}")
    if not np.isfinite(heights).all():
        raise ValueError("heights must be finite")
    positions = len(heights)
    if width is None:
        width = LEFT + RIGHT + min(WIDEST, max(NARROW + 1.5, 640 / max(positions, 1))) * positions
    low, high = limits or _limits(heights)
    top = TOP + (LABEL if any(label for *_, label in highlight) else 0)
    frame = _Frame(LEFT, width - RIGHT, top, height - BOTTOM, low, high, positions)
    key = hashlib.sha256(
        heights.round(6).tobytes() + f"{letters}{title}{width}{height}{highlight}".encode()
    ).hexdigest()
    least = min(width, LEFT + RIGHT + NARROW * positions)
    parts = [
        f'<svg class="logo" xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(title)}" '
        f'width="{_short(width)}" height="{_short(height)}" viewBox="0 0 {_short(width)} {_short(height)}" '
        f'style="min-width:{_short(least)}px" font-size="10" fill="currentColor">',
        f"<title>{escape(title)}</title>",
        *_highlights(frame, highlight, top),
        *_letters(frame, heights, letters, f"l{key[:8]}"),
        *_axes(frame, first, ticks, unit),
        "</svg>",
    ]
    return "".join(parts)


def motif_logo(motif: Motif, *, title: str = "", width: float | None = None, height: float = 110) -> str:
    """Draw a motif in bits, on an axis from 0 to the most that a position can have (2 bits for DNA)."""
    text = title or f"Motif {motif.name}, {motif.consensus}"
    limits = (0.0, float(np.log2(len(motif.letters))))
    return logo(bits(motif), motif.letters, title=text, width=width, height=height, limits=limits)


def attribution_logo(
    weights: np.ndarray,
    signal: np.ndarray,
    letters: str,
    *,
    title: str,
    width: float | None = None,
    height: float = 120,
    limits: tuple[float, float] | None = None,
    highlight: Sequence[tuple[int, int, str]] = (),
) -> str:
    """Draw the observed letters of one sequence, each as high as its attribution; see `logo`.

    Args:
        weights: attributions, shape (position, letter).
        signal: the one-hot sequence, same shape.
    """
    return logo(
        weights * signal,
        letters,
        title=title,
        width=width,
        height=height,
        limits=limits,
        unit="attribution",
        highlight=highlight,
    )


def _limits(heights: np.ndarray) -> tuple[float, float]:
    """Values at the ends of the axis: the highest and the lowest stack, and 0."""
    high = float(np.clip(heights, 0, None).sum(axis=1).max(initial=0))
    low = float(np.clip(heights, None, 0).sum(axis=1).min(initial=0))
    return (low, high) if high > low else (0.0, 1.0)


def _short(value: float) -> str:
    """A number with at most two decimals, as short as SVG allows."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return {"-0": "0"}.get(text, text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text)


def _letters(frame: _Frame, heights: np.ndarray, letters: str, key: str) -> list[str]:
    """The letters, those of one name in a group that defines their outline."""
    least = SMALL_SHARE * (frame.high - frame.low)
    boxes: dict[str, list[tuple[float, float, float]]] = {}
    for position, column in enumerate(heights):
        for sign in (1, -1):
            level = 0.0
            # From the axis outwards, the smallest letter first.
            for index in np.argsort(sign * column, kind="stable"):
                size = sign * column[index]
                if size < least:
                    level += max(size, 0.0)
                    continue
                outer = frame.y(sign * (level + size))
                inner = frame.y(sign * level)
                boxes.setdefault(letters[index], []).append((frame.x(position), min(outer, inner), abs(outer - inner)))
                level += size
    colours = colours_of(letters)
    # A little space between the columns.
    scale = _short_scale(frame.step * 0.94 / 100)
    parts = []
    for letter, places in boxes.items():
        # An id has no blanks and signs.
        kind, name = colours.get(letter, ""), f"{key}{letter if letter.isalnum() else ord(letter)}"
        colour = f"var(--logo-{kind},{_FALLBACK[kind]})" if kind else "var(--ink,currentColor)"
        parts.append(f'<g style="fill:{colour}" fill-rule="evenodd"><defs>{glyph(letter, name)}</defs>')
        parts += [
            f'<use href="#{name}" transform="matrix({scale} 0 0 {_short_scale(tall / 100)} {_short(x)} {_short(y)})"/>'
            for x, y, tall in places
        ]
        parts.append("</g>")
    return parts


def _short_scale(value: float) -> str:
    """A scale of the square of 100 units: four decimals are a hundredth of a pixel."""
    return f"{value:.4f}".rstrip("0").rstrip(".").removeprefix("0") or "0"


def _highlights(frame: _Frame, highlight: Sequence[tuple[int, int, str]], top: float) -> list[str]:
    parts = []
    for start, end, label in highlight:
        start, end = max(start, 0), min(end, frame.positions)
        if start >= end:
            continue
        left, right = frame.x(start), frame.x(end)
        parts.append(
            f'<rect x="{_short(left)}" y="{_short(top - 2)}" width="{_short(right - left)}" '
            f'height="{_short(frame.bottom - top + 4)}" rx="2" fill-opacity=".13" '
            'style="fill:var(--accent,currentColor)"/>'
        )
        if label:
            # Near an end of the logo the label is drawn inwards.
            middle, room = (left + right) / 2, 3.2 * len(label)
            anchor, x = "middle", middle
            if middle - room < 0:
                anchor, x = "start", left
            elif middle + room > frame.right + RIGHT:
                anchor, x = "end", right
            parts.append(
                f'<text x="{_short(x)}" y="{_short(top - 5)}" text-anchor="{anchor}" font-size="11" '
                f'style="fill:var(--ink,currentColor)">{escape(label)}</text>'
            )
    return parts


def _axes(frame: _Frame, first: int, ticks: int | None, unit: str) -> list[str]:
    """The zero line, the ends of the value axis, and numbers of positions."""
    zero = frame.y(0)
    if ticks is None:
        # Numbers need some 22 pixels each.
        ticks = next((size for size in (1, 2, 5, 10, 20, 50, 100) if size * frame.step >= 22), 200)
    number_line = frame.bottom + 12
    parts = [
        f'<path d="M{_short(frame.left)} {_short(zero)}H{_short(frame.right)}M{_short(frame.left - 3)} '
        f'{_short(frame.top)}V{_short(frame.bottom)}" stroke-width=".75" fill="none" '
        'style="stroke:var(--dim,currentColor)"/>',
        '<g style="fill:var(--dim,currentColor)" text-anchor="middle">',
    ]
    parts += [
        f'<text x="{_short(frame.x(number - first + 0.5))}" y="{_short(number_line)}">{number}</text>'
        for number in range(first, first + frame.positions)
        if number % ticks == 0 or (number == first and ticks <= 2)
    ]
    parts.append('</g><g style="fill:var(--dim,currentColor)" text-anchor="end">')
    for value in dict.fromkeys((frame.low, 0.0, frame.high)):
        y = frame.y(value)
        if value and abs(y - zero) < 9:
            continue
        parts.append(f'<text x="{_short(frame.left - 6)}" y="{_short(y + 3.5)}">{value:.2g}</text>')
    middle = (frame.top + frame.bottom) / 2
    parts.append(
        f'</g><text transform="translate(9 {_short(middle)})rotate(-90)" text-anchor="middle" '
        f'style="fill:var(--dim,currentColor)">{escape(unit)}</text>'
    )
    return parts
