"""What made each output: its record, checked before every use and by `chromattend verify`."""

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

# Records lie below a root of outputs, one small file an output, so that jobs side by side need no lock.
FOLDER = ".records"


def configuration_sha256(config: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a configuration, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


@contextmanager
def recorded(job: Any) -> Iterator[None]:
    """Check what a rule's script reads, and record what made its outputs.

    The record of `{root}/{path}` is `{root}/.records/{path}.json`: sha256 and size (bytes) of the output; the
    program's version; rule, wildcards and params of the job, with the version of its stage; SHA-256 of the
    configuration; path -> SHA-256 of every input. It has no times: the same job leaves the same record. The
    old ones go before the work begins, so that a job that fails leaves none.

    Every input is hashed, downloads too: a flipped bit changes neither size nor time.

    Args:
        job: the `snakemake` object of the script; its `config["records"]` has `roots`, the folders of outputs,
            `checkout`, that of the Snakefile, and `configuration`, a SHA-256.

    Raises:
        UserError: an input is not what its record says, or changed while the script ran.
    """
    roots = [absolute(root) for root in job.config["records"]["roots"]]
    targets = {output: _target(output, roots) for output in job.output}
    for target in targets.values():
        target.unlink(missing_ok=True)
    # What is no file is the script's to complain about.
    inputs = [path for path in dict.fromkeys(job.input) if os.path.isfile(path)]
    before = {path: _state(path) for path in inputs}
    checksums = {path: _checked(path) for path in inputs}
    yield
    for path in inputs:
        # Another time alone, as after a touch, is no other content.
        if _state(path) != before[path] and checksum(path) != checksums[path]:
            raise UserError(f"{path}: changed while this job read it; leave it alone and run again")
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
        known = {_portable(path, root, checkout): digest for path, digest in checksums.items()}
        size = os.path.getsize(output)
        write_json({"sha256": sha256(output), "size": size, **made_by, "inputs": known}, target)


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
    """Return the SHA-256 of an input, which must be that of its record if it has one."""
    digest = checksum(path)
    if record := find_record(path):
        try:
            known = read_record(record)["sha256"]
        except UserError:
            raise UserError(f"{path}: its record {shown(record)} is damaged; delete the file and run again") from None
        if digest != known:
            raise UserError(
                f"{path}: is not the file that was written (SHA-256 {digest[:12]}); delete it and run again"
            )
    return digest


def checksum(path: str | Path) -> str:
    """Return the SHA-256 of a file; one that cannot be read is a `UserError`."""
    try:
        return sha256(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); correct the path or its permissions") from None


def _state(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def absolute(path: str | Path) -> Path:
    """Return an absolute path."""
    # Links stay: what lies beside the link's name is meant, not what lies beside its target.
    return Path(os.path.abspath(path))


def _target(path: str | Path, roots: Iterable[Path]) -> Path:
    """Return where the record of a file lies: below the innermost of the roots that hold it."""
    path = absolute(path)
    root = max((root for root in roots if path.is_relative_to(root)), key=lambda root: len(root.parts))
    return root / FOLDER / f"{path.relative_to(root)}.json"


def root_of(record: Path) -> Path:
    """Return the root that a record lies below."""
    return next(parent.parent for parent in record.parents if parent.name == FOLDER)


def _portable(path: str, root: Path, checkout: str) -> str:
    """Return a path relative to the root, so that a study can be moved; one outside of the study stays absolute."""
    # A table of the checkout is read from a copy that Snakemake makes for one run, with the whole path in its name.
    _, found, within = path.rpartition(f"{checkout}/")
    place = absolute(found + within)
    inside = not os.path.isabs(path) or place.is_relative_to(Path.cwd())
    return os.path.relpath(place, root) if inside else str(place)


def shown(path: Path) -> str:
    """Return a path as a shell in the working directory names it."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
