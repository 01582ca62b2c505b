"""HTML pages: one Jinja environment, one base template, everything inlined so that a page opens without a network."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import markupsafe
import pandas as pd

from chromattend import __version__
from chromattend.files import atomic

# Characters that could end a script element, or that older JavaScript reads as the end of a line.
_UNSAFE = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


def embed_json(value: Any) -> markupsafe.Markup:
    """Return a value as JSON that is safe inside `<script type="application/json">`.

    Args:
        value: what `json.dumps` takes; no NaN and no infinity, which JSON does not know.

    Returns:
        The JSON, in which no name, whatever it is, can end the script element.

    Raises:
        ValueError: a number is NaN or infinite.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return markupsafe.Markup(text.translate(_UNSAFE))


def embed_svg(text: str, prefix: str, label: str) -> markupsafe.Markup:
    """Return the svg element of a figure of matplotlib, to put into a page.

    Args:
        text: the SVG file.
        prefix: letters, digits and dashes that its ids begin with, so that they do not clash with another figure's.
        label: what a screen reader says in its place.
    """
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}-", text[text.index("<svg") :])
    # matplotlib escapes what it draws, so the element is safe to embed as it is.
    return markupsafe.Markup(text.replace("<svg", f'<svg role="img" aria-label="{markupsafe.escape(label)}"', 1))


@cache
def plotly_script() -> markupsafe.Markup:
    """Return plotly.js as the installed package plotly ships it, to be inlined in one script element of a page."""
    from plotly.offline import get_plotlyjs  # slow to import, and only pages with charts need it

    return _script_text(get_plotlyjs())


def _script_text(text: str) -> markupsafe.Markup:
    """Return JavaScript that ends no script element: in its strings, and nowhere else, `<\\/` is `</`."""
    return markupsafe.Markup(text.replace("</script", "<\\/script").replace("<!--", "<\\!--"))


@cache
def environment(package: str) -> jinja2.Environment:
    """Return the Jinja environment of a track's pages.

    Templates and scripts are looked up in the track's folder `templates` first, then in that of this room.

    Args:
        package: the track's package of pages, such as `chromattend.chromatin.pages`.
    """
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(package), jinja2.PackageLoader(__name__)]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def script(name: str) -> markupsafe.Markup:
        """Return a JavaScript file as it stands: unlike an include, Jinja does not look into it."""
        assert environment.loader is not None
        return _script_text(environment.loader.get_source(environment, name)[0])

    environment.globals |= {"plotly_script": plotly_script, "script": script, "version": __version__}
    environment.filters["embed_json"] = embed_json
    return environment


def render(path: str | Path, package: str, template: str, **values: Any) -> None:
    """Write a page.

    Args:
        path: the HTML file.
        package: see `environment`.
        template: its template, which extends `base.html`.
        **values: what the template shows; every name that it uses must be given.

    Raises:
        jinja2.UndefinedError: the template uses a name that was not given.
    """
    page = environment(package).get_template(template).render(**values)
    with atomic(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def rows_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as a template shows them: what is missing is None."""
    return [
        {str(name): None if pd.isna(value) else value for name, value in row.items()}
        for row in table.to_dict("records")
    ]
