"""What made each output: its record, checked before every use and by `chromattend verify`."""

import functools
import hashlib
import json
import logging
import os
import shlex
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chromattend import STAGE_VERSIONS, __version__
from chromattend.errors import UserError
from chromattend.files import read_json, sha256, write_json
from chromattend.logs import logged

logger = logging.getLogger(__name__)

# Records lie below a root of outputs, one small file an output, so that jobs side by side need no lock.
FOLDER = ".records"
# States that are wrong; a file without a record may be right.
WRONG = ("damaged", "missing", "stale")


def configuration_sha256(config: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a configuration, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


@contextmanager
def recorded(job: Any) -> Iterator[None]:
    """Run a rule's script: log it as `logged` does, check what it reads, and record what made its outputs.

    The record of `{root}/{path}` is `{root}/.records/{path}.json`: sha256 and size (bytes) of the output; the
    program's version; rule, wildcards and params of the job, with the version of its stage; SHA-256 of the
    configuration; path -> SHA-256 of every input. It has no times: the same job leaves the same record. The
    old ones go before the work begins, so that a job that fails leaves none.

    Every input is hashed, downloads too: a flipped bit changes neither size nor time.

    Args:
        job: the `snakemake` object of the script; its `config["records"]` has `roots`, the folders of outputs,
            `checkout`, that of the Snakefile, and `configuration`, a SHA-256.

    Raises:
        UserError: an input is not what its record says, or changed while the script ran; as `logged`, this ends
            the script with one line.
    """
    with logged(job.log[0]):
        roots = [_absolute(root) for root in job.config["records"]["roots"]]
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
            if _state(path) != before[path] and _checksum(path) != checksums[path]:
                raise UserError(f"{path}: changed while this job read it; leave it alone and run again")
        made_by = {
            "program": f"chromattend {__version__}",
            "rule": job.rule,
            "wildcards": dict(job.wildcards.items()),
            "params": json.loads(json.dumps(dict(job.params.items()), default=repr)),
            "configuration": job.config["records"]["configuration"],
        }
        for output, target in targets.items():
            root = _root(target)
            checkout = job.config["records"]["checkout"]
            known = {_portable(path, root, checkout): digest for path, digest in checksums.items()}
            size = os.path.getsize(output)
            write_json({"sha256": sha256(output), "size": size, **made_by, "inputs": known}, target)


def find_record(path: str | Path) -> Path | None:
    """Return the record of a file, or None if it has none."""
    path = _absolute(path)
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


@dataclass(frozen=True)
class Finding:
    """A file that is not as it was written, or of which nothing is known.

    Attributes:
        state: damaged, missing, stale or unrecorded.
        path: as a shell in the working directory names it.
        reason: how it shows.
    """

    state: str
    path: str
    reason: str


@dataclass(frozen=True)
class Verification:
    """What `verify` found.

    Attributes:
        as_written: number of files that are as their records say, and up to date.
        findings: the others, in order of their paths.
        absent: inputs from outside of the places that are not here, so that nothing was compared with them.
    """

    as_written: int
    findings: Sequence[Finding]
    absent: Sequence[str]

    @property
    def summary(self) -> str:
        """The counts in one line."""
        states = [finding.state for finding in self.findings]
        counts = {state: states.count(state) for state in (*WRONG, "unrecorded")}
        parts = [f"{_number(self.as_written, 'file')} as written"]
        parts += [f"{count} {state}" for state, count in counts.items() if count]
        if self.absent:
            parts.append(f"{_number(len(self.absent), 'input')} not here to compare")
        return "; ".join(parts)

    def check(self) -> None:
        """Raise a `UserError` with the commands of the mend if a file is damaged, missing or stale."""
        wrong = [finding.path for finding in self.findings if finding.state in WRONG]
        if wrong:
            files = shlex.join(wrong)
            raise UserError(
                f"to make {_number(len(wrong), 'file')} again, with the options of the run that made them: "
                f"rm -f {files}; snakemake --cores all {files}; then that run once more, for what depends on them"
            )


def verify(places: Iterable[str | Path]) -> Verification:
    """Compare files with their records, and with those of all that they were made of.

    A file is damaged if its size or SHA-256 is not that of its record, missing if it was written or read and is
    gone from the places, and stale if an input is no longer the one that it was made of, or its stage has
    another version in this program.
    What an input that has a record itself should be is what that record says: a damaged dataset makes no model
    stale, for the mend gives it the same bytes again. Every file is read once.

    Args:
        places: folders and files. Files of the pipeline that theirs were made of are checked with them.

    Raises:
        UserError: a place does not exist.
    """
    checksum = functools.cache(_checksum)
    record_of = functools.cache(find_record)
    waiting: list[Path] = []
    unrecorded: set[Path] = set()
    gone: set[Path] = set()
    asked = [_absolute(place) for place in places]
    for place in asked:
        here, known = _files(place)
        if not known and not place.exists():
            raise UserError(f"{_shown(place)}: does not exist; give a folder or file of results")
        waiting += known
        unrecorded |= {path for path in here if record_of(path) is None}
    findings = [Finding("unrecorded", _shown(path), "has no record of what made it") for path in unrecorded]
    seen: set[Path] = set()
    reported = time.monotonic()
    as_written = 0
    while waiting:
        path = waiting.pop()
        record_file = record_of(path)
        if path in seen or record_file is None:
            continue
        seen.add(path)
        if time.monotonic() - reported > 10:
            reported = time.monotonic()
            logger.info("%d files checked", len(seen))
        try:
            record = read_record(record_file)
        except UserError:
            findings.append(Finding("damaged", _shown(path), f"its record {_shown(record_file)} is not readable"))
            continue
        stale = _old_stage(record["params"].get("version"))
        for name, known in record["inputs"].items():
            source = Path(os.path.normpath(_root(record_file) / name))
            if source_record := record_of(source):
                waiting.append(source)
                try:
                    now = read_record(source_record)["sha256"]
                except UserError:
                    continue  # named when it is that file's turn
            elif source.is_file():
                now = checksum(source)
            else:
                gone.add(source)
                continue
            if now != known:
                stale = stale or f"its input {_shown(source)} has changed since"
        if not path.is_file():
            gone.add(path)
        elif (size := path.stat().st_size) != record["size"]:
            findings.append(Finding("damaged", _shown(path), f"has {size} bytes of {record['size']}"))
        elif checksum(path) != record["sha256"]:
            findings.append(Finding("damaged", _shown(path), "has another SHA-256 than when it was written"))
        elif stale:
            findings.append(Finding("stale", _shown(path), stale))
        else:
            as_written += 1
    # Downloads may be deleted once they are counted; nothing that was asked for may.
    missing = {path for path in gone if any(path.is_relative_to(place) for place in asked)}
    findings += [Finding("missing", _shown(path), "was written, and is not here") for path in missing]
    absent = sorted(map(_shown, gone - missing))
    return Verification(as_written, sorted(findings, key=lambda finding: finding.path), absent)


def _old_stage(version: Any) -> str:
    """Return how the version of a stage is not that of this program, or nothing if it is."""
    stage = str(version).split(" ")[0]
    now = STAGE_VERSIONS.get(stage)
    # Downloads have no version: other programs would bring the same bytes.
    return f"was made by {version} where this program has {now}" if version is not None and version != now else ""


def _checked(path: str) -> str:
    """Return the SHA-256 of an input, which must be that of its record if it has one."""
    digest = _checksum(path)
    if record := find_record(path):
        try:
            known = read_record(record)["sha256"]
        except UserError:
            raise UserError(f"{path}: its record {_shown(record)} is damaged; delete the file and run again") from None
        if digest != known:
            raise UserError(
                f"{path}: is not the file that was written (SHA-256 {digest[:12]}); delete it and run again"
            )
    return digest


def _checksum(path: str | Path) -> str:
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


def _absolute(path: str | Path) -> Path:
    # Links stay: what lies beside the link's name is meant, not what lies beside its target.
    return Path(os.path.abspath(path))


def _target(path: str | Path, roots: Iterable[Path]) -> Path:
    """Return where the record of a file lies: below the innermost of the roots that hold it."""
    path = _absolute(path)
    root = max((root for root in roots if path.is_relative_to(root)), key=lambda root: len(root.parts))
    return root / FOLDER / f"{path.relative_to(root)}.json"


def _root(record: Path) -> Path:
    """Return the root that a record lies below."""
    return next(parent.parent for parent in record.parents if parent.name == FOLDER)


def _portable(path: str, root: Path, checkout: str) -> str:
    """Return a path relative to the root, so that a study can be moved; one outside of the study stays absolute."""
    # A table of the checkout is read from a copy that Snakemake makes for one run, with the whole path in its name.
    _, found, within = path.rpartition(f"{checkout}/")
    absolute = _absolute(found + within)
    inside = not os.path.isabs(path) or absolute.is_relative_to(Path.cwd())
    return os.path.relpath(absolute, root) if inside else str(absolute)


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _shown(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def _files(place: Path) -> tuple[list[Path], list[Path]]:
    """Return the files of a place, which may be one itself, and those that have a record, there or not.

    Hidden files are left out: they are being written, or are no outputs.
    """
    here = [place] if place.is_file() else []
    known = [place] if find_record(place) else []
    stores = [root / FOLDER / place.relative_to(root) for root in place.parents]
    for folder, folders, names in os.walk(place):
        if FOLDER in folders:
            stores.append(Path(folder, FOLDER))
        folders[:] = [name for name in folders if not name.startswith(".")]
        here += [Path(folder, name) for name in names if not name.startswith(".")]
    for store in stores:
        for record in store.rglob("[!.]*.json"):
            root = _root(record)
            known.append(root / record.relative_to(root / FOLDER).with_suffix(""))
    return here, known
