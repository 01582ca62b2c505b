"""What `chromattend verify` does: files compared with the records of what made them."""

import functools
import logging
import os
import shlex
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chromattend import STAGE_VERSIONS
from chromattend.errors import UserError
from chromattend.pipeline.records import FOLDER, absolute, checksum, find_record, read_record, root_of, shown

logger = logging.getLogger(__name__)

# States that are wrong; a file without a record may be right.
WRONG = ("damaged", "missing", "stale")


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
    digest_of = functools.cache(checksum)
    record_of = functools.cache(find_record)
    waiting: list[Path] = []
    unrecorded: set[Path] = set()
    gone: set[Path] = set()
    asked = [absolute(place) for place in places]
    for place in asked:
        here, known = _files(place)
        if not known and not place.exists():
            raise UserError(f"{shown(place)}: does not exist; give a folder or file of results")
        waiting += known
        unrecorded |= {path for path in here if record_of(path) is None}
    findings = [Finding("unrecorded", shown(path), "has no record of what made it") for path in unrecorded]
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
            findings.append(Finding("damaged", shown(path), f"its record {shown(record_file)} is not readable"))
            continue
        stale = _old_stage(record["params"].get("version"))
        for name, known in record["inputs"].items():
            source = Path(os.path.normpath(root_of(record_file) / name))
            if source_record := record_of(source):
                waiting.append(source)
                try:
                    now = read_record(source_record)["sha256"]
                except UserError:
                    continue  # named when it is that file's turn
            elif source.is_file():
                now = digest_of(source)
            else:
                gone.add(source)
                continue
            if now != known:
                stale = stale or f"its input {shown(source)} has changed since"
        if not path.is_file():
            gone.add(path)
        elif (size := path.stat().st_size) != record["size"]:
            findings.append(Finding("damaged", shown(path), f"has {size} bytes of {record['size']}"))
        elif digest_of(path) != record["sha256"]:
            findings.append(Finding("damaged", shown(path), "has another SHA-256 than when it was written"))
        elif stale:
            findings.append(Finding("stale", shown(path), stale))
        else:
            as_written += 1
    # Downloads may be deleted once they are counted; nothing that was asked for may.
    missing = {path for path in gone if any(path.is_relative_to(place) for place in asked)}
    findings += [Finding("missing", shown(path), "was written, and is not here") for path in missing]
    absent = sorted(map(shown, gone - missing))
    return Verification(as_written, sorted(findings, key=lambda finding: finding.path), absent)


def _old_stage(version: Any) -> str:
    """Return how the version of a stage is not that of this program, or nothing if it is."""
    stage = str(version).split(" ")[0]
    now = STAGE_VERSIONS.get(stage)
    # Downloads have no version: other programs would bring the same bytes.
    return f"was made by {version} where this program has {now}" if version is not None and version != now else ""


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


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
            root = root_of(record)
            known.append(root / record.relative_to(root / FOLDER).with_suffix(""))
    return here, known
