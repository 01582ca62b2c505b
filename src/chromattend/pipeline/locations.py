"""URLs and paths of sources: templates, the paths of downloads, and their known checksums."""

import re
from pathlib import Path, PurePosixPath
from string import Formatter
from urllib.parse import unquote, urlsplit

from chromattend.errors import UserError
from chromattend.text import find_columns, read_small_table, text_of


def is_url(location: str) -> bool:
    """Return whether a location is a URL, which is downloaded, or a local path, which is read in place."""
    return "://" in location


def check_file(path: str, workdir: Path) -> None:
    """Raise a `UserError` if a path, relative to the working directory, is not that of a file."""
    if (workdir / path).is_file():
        return
    if (workdir / path).is_dir():
        raise UserError(f"{path!r} is a folder; give the path of a file")
    if path.startswith("~") or "$" in path:
        raise UserError(f"file {path!r} does not exist: ~ and $ are not expanded; write the whole path")
    raise UserError(f"file {path!r} does not exist; correct the path")


def fill(template: str, **fields: str) -> str:
    """Fill in the `{fields}` of a URL or path template.

    Raises:
        UserError: the template has an unknown field, or a single brace.
    """
    names = ", ".join(f"{{{name}}}" for name in fields)
    try:
        for _, name, _, _ in Formatter().parse(template):
            if name is not None and name not in fields:
                raise UserError(f"source {template!r}: {{{name}}} is not a field; the fields are {names}")
        return template.format(**fields)
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"source {template!r}: {error}; the fields are {names}, correct or remove the braces") from None


def download_name(url: str, mirror: str) -> str:
    """Return the path under the resources folder that a URL is downloaded to.

    A URL under the mirror keeps its relative path, below `roadmap/`; any other URL goes to `other/{host}/{path}`.

    Raises:
        UserError: the URL cannot be downloaded, or its path could lead outside that folder or does not name a file.
    """
    if urlsplit(url).scheme not in ("http", "https", "file"):
        raise UserError(
            f"source {url!r}: is not an https, http or file URL; download it by hand and give the local path"
        )
    root = mirror.rstrip("/") + "/"
    if url.startswith(root):
        folder, path = "roadmap", urlsplit(url[len(root) :]).path
    else:
        parts = urlsplit(url)
        folder, path = "other/" + (parts.hostname or "localhost"), parts.path
    path = unquote(path).lstrip("/")
    name = PurePosixPath(folder, path)
    if not path or path.endswith("/") or ".." in name.parts or any(ord(c) < 32 for c in path):
        raise UserError(f"source {url!r}: does not name a file; give the URL of a file, without '..' in its path")
    return str(name)


def read_checksum_table(path: Path, name: str) -> dict[str, tuple[str | None, int | None]]:
    """Read a table of known downloads, with the columns url, checksum and size.

    Args:
        path: the table, tab-separated.
        name: its name in messages.

    Returns:
        URL -> checksum, as `sha256:` or `md5:` and digits, and size (bytes); None for what is not known.

    Raises:
        UserError: a column is missing, a cell is not valid, or two rows of a URL differ.
    """
    number, header, table = read_small_table(path, name, comments=True)
    find_columns(f"{name}: line {number}", header, ["url"], "the columns url, checksum and size, separated by tabs")
    checksums: dict[str, tuple[str | None, int | None]] = {}
    lines: dict[str, int] = {}
    for number, cells in table:
        where = f"{name}: line {number}"
        row = dict(zip(header, map(text_of, cells), strict=True))
        url, checksum, size = row["url"], row.get("checksum", ""), row.get("size", "")
        if checksum and not re.fullmatch(r"sha256:[0-9a-fA-F]{64}|md5:[0-9a-fA-F]{32}", checksum):
            raise UserError(
                f"{where}: checksum {checksum!r} is not valid; give sha256: or md5: followed by the hexadecimal digits"
            )
        if size and not size.isdecimal():
            raise UserError(f"{where}: size {size!r} is not a number of bytes; correct it or leave it empty")
        known = checksum.lower() or None, int(size) if size else None
        if checksums.setdefault(url, known) != known:
            raise UserError(f"{where}: {url} has another checksum or size in line {lines[url]}; keep one row")
        lines.setdefault(url, number)
    return checksums
