"""Elements of charts that pages draw as SVG, in their own colours and without a script."""

from collections.abc import Sequence

import markupsafe


def element(name: str, content: object = "", **attributes: object) -> markupsafe.Markup:
    """Return an SVG element; text is escaped, `_` in names of attributes means `-`, and `class_` is class."""
    given = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
    text = markupsafe.Markup("").join(
        markupsafe.Markup(' {}="{}"').format(key, round(value, 2) if isinstance(value, float) else value)
        for key, value in given.items()
    )
    return markupsafe.Markup("<{0}{1}>{2}</{0}>").format(markupsafe.Markup(name), text, content)


def joined(parts: Sequence[markupsafe.Markup]) -> markupsafe.Markup:
    """Return elements side by side."""
    return markupsafe.Markup("").join(parts)


def picture(parts: Sequence[markupsafe.Markup], height: float, label: str, width: float) -> markupsafe.Markup:
    """Return an svg element with a text for screen readers, of a height and a width in units of its drawing."""
    return element("svg", joined(parts), viewBox=f"0 0 {width:g} {height:g}", role="img", aria_label=label)
