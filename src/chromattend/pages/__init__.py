"""HTML pages: one Jinja environment, one base template, and everything inlined so that pages open offline."""

import json
import os
import re
import subprocess
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import markupsafe
import pandas as pd

from chromattend import __version__
from chromattend.errors import UserError
from chromattend.files import atomic

# Characters that could end a script element, or that older JavaScript takes as line ends.
_UNSAFE = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


def embed_json(value: Any) -> markupsafe.Markup:
    """Return a value as JSON that is safe inside `<script type="application/json">`.

    Args:
        value: a value for `json.dumps`, without NaN and infinity, which JSON does not have.

    Returns:
        The JSON, in which no name can end the script element.

    Raises:
        ValueError: a number is NaN or infinite.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return markupsafe.Markup(text.translate(_UNSAFE))


# The script elements of Snakemake's report with data, each of them JSON on one line.
_REPORT_DATA = ("workflow-desc", "results", "categories", "rulegraph", "runtimes", "timeline", "rules")


def escape_report(page: str) -> str:
    """Return Snakemake's report with its data safe inside its script elements.

    Snakemake writes paths and params, and thus names of the study, as plain JSON, in which `</script>` ends the script.

    Raises:
        UserError: the report has another form than that of the supported versions of Snakemake.
    """
    for name in _REPORT_DATA:
        # In JSON a "<" can only be in a string.
        page, found = re.subn(
            rf'(<script id="{name}">\n *var \w+ = )(.*;\n)',
            lambda match: match[1] + match[2].replace("<", r"\u003c"),
            page,
        )
        if found != 1:
            raise UserError(
                f"Snakemake's report has {found} scripts {name!r} instead of one, so its names cannot be escaped; "
                "use the Snakemake of requirements.lock"
            )
    return page


def embed_svg(text: str, prefix: str, label: str) -> markupsafe.Markup:
    """Return the svg element of a matplotlib figure for a page.

    Args:
        text: the SVG file.
        prefix: letters, digits and dashes put before its ids, so that they do not clash with another figure's.
        label: text for screen readers.
    """

    def unique(tag: re.Match[str]) -> str:
        return re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}-", tag[0])

    # matplotlib escapes all text, so the element is safe to embed, and ">" ends a tag.
    text = re.sub(r"<[^>]*>", unique, text[text.index("<svg") :])
    return markupsafe.Markup(text.replace("<svg", f'<svg role="img" aria-label="{markupsafe.escape(label)}"', 1))


@cache
def plotly_script() -> markupsafe.Markup:
    """Return the plotly.js of the installed package plotly, to be inlined in one script element of a page."""
    from plotly.offline import get_plotlyjs  # slow to import, and only pages with charts need it

    return _script_text(get_plotlyjs())


def _script_text(text: str) -> markupsafe.Markup:
    """Return JavaScript that cannot end a script element: within its strings, `<\\/` means `</`."""
    return markupsafe.Markup(text.replace("</script", "<\\/script").replace("<!--", "<\\!--"))


@cache
def environment(package: str) -> jinja2.Environment:
    """Return the Jinja environment of a track's pages.

    Templates and scripts are looked up in the track's folder `templates` first, then in this package's `templates`.

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
        """Return a JavaScript file unchanged: unlike an include, it is not processed by Jinja."""
        assert environment.loader is not None
        return _script_text(environment.loader.get_source(environment, name)[0])

    environment.globals |= {"plotly_script": plotly_script, "script": script, "written": written}
    environment.filters |= {"embed_json": embed_json, "file_name": file_name}
    return environment


@cache
def commit() -> str:
    """Return the short commit of the checkout that this program runs from; empty where it is installed without one."""
    folder = Path(__file__).resolve().parent
    checkout = next((parent for parent in folder.parents if (parent / ".git").exists()), None)
    # A package inside another project's checkout, such as that of a virtual environment, has not its commit.
    if checkout is None or not folder.is_relative_to(checkout / "src"):
        return ""
    command = ["git", "-C", str(checkout), "rev-parse", "--short=10", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def written() -> str:
    """Return when and by which version a page is written, for its footer.

    The date is that of today, or of SOURCE_DATE_EPOCH (seconds since 1970) where the environment gives it, so that a
    page can be written again to the same bytes.
    """
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    date = datetime.fromtimestamp(int(given), UTC) if given.isdecimal() else datetime.now(UTC)
    of = f", commit {commit()}" if commit() else ""
    return f"Written on {date:%Y-%m-%d} (UTC) by chromattend {__version__}{of}."


def file_name(location: str) -> str:
    """Return the file's name of a path or URL, for texts beside which the whole location is given."""
    return location.rstrip("/").rpartition("/")[2] or location


def render(path: str | Path, package: str, template: str, **values: Any) -> None:
    """Write a page.

    Args:
        path: the HTML file.
        package: see `environment`.
        template: file name of the template, which extends `base.html`.
        **values: values of all names that the template uses.

    Raises:
        jinja2.UndefinedError: the template uses a name that was not given.
    """
    page = environment(package).get_template(template).render(**values)
    with atomic(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def table_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table for a template, with missing values as None."""
    return [
        {str(name): None if pd.isna(value) else value for name, value in row.items()}
        for row in table.to_dict("records")
    ]
