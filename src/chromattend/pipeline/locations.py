"""URLs and paths of sources: templates, and the paths of downloads."""

from pathlib import Path, PurePosixPath
from string import Formatter
from urllib.parse import unquote, urlsplit

from chromattend.errors import UserError


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
