"""Records of how each output was made, checked before every use and by `chromattend verify`."""

import hashlib
import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chromattend import __version__
from chromattend.errors import UserError
from chromattend.files import read_json, sha256, write_json

logger = logging.getLogger(__name__)

# Records are kept below a root of outputs, one small file per output, so that parallel jobs need no lock.
FOLDER = ".records"


def configuration_sha256(config: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a configuration, independent of the order of its keys."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


@contextmanager
def recorded(job: Any) -> Iterator[None]:
    """Check the inputs of a rule's script, and record how its outputs were made.

    The record of `{root}/{path}` is `{root}/.records/{path}.json`: sha256 and size (bytes) of the output; the
    program's version; rule, wildcards and params of the job, with the version of its stage; SHA-256 of the
    configuration; path -> SHA-256 of every input. It has no times, so the same job writes the same record. Old
    records are deleted before the work starts, so that a job that fails leaves none.

    Every input is hashed, downloads too: a flipped bit changes neither size nor time.

    Args:
        job: the `snakemake` object of the script; its `config["records"]` has `roots`, the folders of outputs,
            `checkout`, the folder of the Snakefile, and `configuration`, a SHA-256.

    Raises:
        UserError: an input differs from its record, or changed while the script ran.
    """
    roots = [absolute(root) for root in job.config["records"]["roots"]]
    targets = {output: _target(output, roots) for output in job.output}
    for target in targets.values():
        target.unlink(missing_ok=True)
    # Missing inputs are left to the script to report.
    inputs = [path for path in dict.fromkeys(job.input) if os.path.isfile(path)]
    before = {path: _state(path) for path in inputs}
    checksums = {path: _checked(path) for path in inputs}
    yield
    for path in inputs:
        # A new time alone, as after a touch, is not a change of content.
        if _state(path) != before[path] and checksum(path) != checksums[path]:
            raise UserError(f"{path}: changed while this job read it; leave it unchanged and run again")
    made_by = {
        "program": f"chromattend {__version__}",
        "rule": job.rule,
        "wildcards": dict(job.wildcards.items()),
        "params": json.loads(json.dumps(dict(job.params.items()), default=repr)),
        "configuration": job.config["records"]["configuration"],
    }
    for output, target in targets.items():
        root = root_of(target)
        checkout = job.config["records"]["checkout"]
        inputs_sha256 = {_portable(path, root, checkout): digest for path, digest in checksums.items()}
        size = os.path.getsize(output)
        write_json({"sha256": sha256(output), "size": size, **made_by, "inputs": inputs_sha256}, target)


def find_record(path: str | Path) -> Path | None:
    """Return the record of a file, or None if it has none."""
    path = absolute(path)
    for root in path.parents:
        record = _target(path, [root])
        if record.is_file():
            return record
    return None


def read_record(record: Path) -> dict[str, Any]:
    """Read a record.

    Raises:
        UserError: it is damaged.
    """
    content = read_json(record)
    try:
        texts = [content["sha256"], *content["inputs"].values(), *content["params"].keys()]
        if not all(isinstance(text, str) for text in texts) or not isinstance(content["size"], int):
            raise TypeError
    except (KeyError, TypeError, AttributeError):
        raise UserError(f"{record}: is damaged; delete its file and run again") from None
    return content


def _checked(path: str) -> str:
    """Return the SHA-256 of an input; raise a `UserError` if it has a record with another SHA-256."""
    digest = checksum(path)
    if record := find_record(path):
        try:
            recorded_sha256 = read_record(record)["sha256"]
        except UserError:
            raise UserError(f"{path}: its record {shown(record)} is damaged; delete the file and run again") from None
        if digest != recorded_sha256:
            raise UserError(
                f"{path}: is not the file that was written (SHA-256 {digest[:12]}); delete it and run again"
            )
    return digest


def checksum(path: str | Path) -> str:
    """Return the SHA-256 of a file; raise a `UserError` if it cannot be read."""
    try:
        return sha256(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); correct the path or its permissions") from None


def _state(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def absolute(path: str | Path) -> Path:
    """Return an absolute path."""
    # Links are not resolved: the folder of the link counts, not the folder of its target.
    return Path(os.path.abspath(path))


def _target(path: str | Path, roots: Iterable[Path]) -> Path:
    """Return the path of a file's record: below the innermost root that contains the file."""
    path = absolute(path)
    root = max((root for root in roots if path.is_relative_to(root)), key=lambda root: len(root.parts))
    return root / FOLDER / f"{path.relative_to(root)}.json"


def root_of(record: Path) -> Path:
    """Return the root that a record belongs to."""
    return next(parent.parent for parent in record.parents if parent.name == FOLDER)


def _portable(path: str, root: Path, checkout: str) -> str:
    """Return a path relative to the root, so that a study can be moved; a path outside the study stays absolute."""
    # Snakemake copies a table of the checkout for one run, to a path that contains the whole original path.
    _, prefix, within = path.rpartition(f"{checkout}/")
    original = absolute(prefix + within)
    inside = not os.path.isabs(path) or original.is_relative_to(Path.cwd())
    return os.path.relpath(original, root) if inside else str(original)


def shown(path: Path) -> str:
    """Return a path for messages: relative if it is below the working directory."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
