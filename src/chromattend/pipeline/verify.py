"""The check of `chromattend verify`: files compared with the records of how they were made."""

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

# States that are errors; a file without a record may be correct.
WRONG = ("damaged", "missing", "stale")


@dataclass(frozen=True)
class Finding:
    """A file that is not as it was written, or that has no record.

    Attributes:
        state: damaged, missing, stale or unrecorded.
        path: relative if it is below the working directory.
        reason: why the file has this state.
    """

    state: str
    path: str
    reason: str


@dataclass(frozen=True)
class Verification:
    """The result of `verify`.

    Attributes:
        as_written: number of files that match their records and are up to date.
        findings: all other files, sorted by path.
        absent: inputs from outside the places that do not exist, so that they could not be compared.
    """

    as_written: int
    findings: Sequence[Finding]
    absent: Sequence[str]

    @property
    def summary(self) -> str:
        """The counts, as one line."""
        states = [finding.state for finding in self.findings]
        counts = {state: states.count(state) for state in (*WRONG, "unrecorded")}
        parts = [f"{_number(self.as_written, 'file')} as written"]
        parts += [f"{count} {state}" for state, count in counts.items() if count]
        if self.absent:
            parts.append(f"{_number(len(self.absent), 'input')} not available to compare")
        return "; ".join(parts)

    def check(self) -> None:
        """Raise a `UserError` with the commands that fix it if a file is damaged, missing or stale."""
        wrong = [finding.path for finding in self.findings if finding.state in WRONG]
        if wrong:
            files = shlex.join(wrong)
            raise UserError(
                f"to make {_number(len(wrong), 'file')} again, with the --configfile and other options of the original "
                f"run: rm -f {files}; snakemake --cores all {files}; then repeat it to update what depends on them"
            )


def verify(places: Iterable[str | Path]) -> Verification:
    """Compare files with their records, and with the records of all their inputs.

    A file is damaged if its size or SHA-256 differs from its record, missing if it was written or read but no longer
    exists in the places, and stale if an input has changed since or its stage has another version in this program.
    An input that has a record is compared by that record: a damaged dataset does not make its models stale, because
    the fix restores the same bytes. Every file is read once.

    Args:
        places: folders and files. Files of the pipeline that they were made from are checked too.

    Raises:
        UserError: a place does not exist.
    """
    digest_of = functools.cache(checksum)
    record_of = functools.cache(find_record)
    waiting: list[Path] = []
    unrecorded: set[Path] = set()
    nonexistent: set[Path] = set()
    asked = [absolute(place) for place in places]
    for place in asked:
        present, with_record = _files(place)
        if not with_record and not place.exists():
            raise UserError(f"{shown(place)}: does not exist; give a folder or file of results")
        waiting += with_record
        unrecorded |= {path for path in present if record_of(path) is None}
    findings = [Finding("unrecorded", shown(path), "has no record of how it was made") for path in unrecorded]
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
        for name, recorded_sha256 in record["inputs"].items():
            source = Path(os.path.normpath(root_of(record_file) / name))
            if source_record := record_of(source):
                waiting.append(source)
                try:
                    now = read_record(source_record)["sha256"]
                except UserError:
                    continue  # reported with that file
            elif source.is_file():
                now = digest_of(source)
            else:
                nonexistent.add(source)
                continue
            if now != recorded_sha256:
                stale = stale or f"its input {shown(source)} has changed since"
        if not path.is_file():
            nonexistent.add(path)
        elif (size := path.stat().st_size) != record["size"]:
            findings.append(Finding("damaged", shown(path), f"has {size} bytes, not {record['size']}"))
        elif digest_of(path) != record["sha256"]:
            findings.append(Finding("damaged", shown(path), "its SHA-256 has changed since it was written"))
        elif stale:
            findings.append(Finding("stale", shown(path), stale))
        else:
            as_written += 1
    # Downloads may be deleted once they are counted; files in the requested places may not.
    missing = {path for path in nonexistent if any(path.is_relative_to(place) for place in asked)}
    findings += [Finding("missing", shown(path), "was written but no longer exists") for path in missing]
    absent = sorted(map(shown, nonexistent - missing))
    return Verification(as_written, sorted(findings, key=lambda finding: finding.path), absent)


def _old_stage(version: Any) -> str:
    """Return how a stage's version differs from this program's, or an empty string if it does not."""
    stage = str(version).split(" ")[0]
    now = STAGE_VERSIONS.get(stage)
    # Downloads have no version: any program would download the same bytes.
    return f"was made by {version}, but this program has {now}" if version is not None and version != now else ""


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _files(place: Path) -> tuple[list[Path], list[Path]]:
    """Return the files of a place, which may itself be a file, and the files that have a record, existing or not.

    Hidden files are left out: they are being written, or are not outputs.
    """
    present = [place] if place.is_file() else []
    with_record = [place] if find_record(place) else []
    stores = [root / FOLDER / place.relative_to(root) for root in place.parents]
    for folder, folders, names in os.walk(place):
        if FOLDER in folders:
            stores.append(Path(folder, FOLDER))
        folders[:] = [name for name in folders if not name.startswith(".")]
        present += [Path(folder, name) for name in names if not name.startswith(".")]
    for store in stores:
        for record in store.rglob("[!.]*.json"):
            root = root_of(record)
            with_record.append(root / record.relative_to(root / FOLDER).with_suffix(""))
    return present, with_record
