"""Downloads: resumed, retried, and verified before they get their final name."""

import hashlib
import json
import logging
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urlsplit

import requests
import tenacity
from isal import igzip

from chromattend.errors import UserError
from chromattend.files import GZIP_ERRORS, atomic

logger = logging.getLogger(__name__)

BLOCK = 1 << 20
# The most received data that a broken connection loses.
RECEIVE_BLOCK = 1 << 16
GZIP_MAGIC = b"\x1f\x8b"
BIGWIG_MAGICS = (b"\x26\xfc\x8f\x88", b"\x88\x8f\xfc\x26")
# The empty block that ends every complete BGZF file (SAM specification, section 4.1.2).
BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
TRANSIENT_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})


class TransferError(Exception):
    """A failure of a transfer that may be temporary, so that it is tried again."""


class _StalePartError(TransferError):
    """The partial download does not match the server's current file: the next try starts from the beginning."""


@dataclass(frozen=True)
class Expectation:
    """What is known about a file before it is downloaded.

    Attributes:
        checksum: `sha256:...` or `md5:...`, or None if unknown.
        size: size in bytes, or None if unknown.
    """

    checksum: str | None = None
    size: int | None = None


@dataclass
class _Body:
    """An open response: its stream, its start in the file, and the size and identity of the whole file."""

    stream: IO[bytes] | Any
    start: int
    size: int | None
    identity: str | None


def download(
    url: str,
    target: str | Path,
    *,
    expect: Expectation = Expectation(),
    http: bool = False,
    retries: int = 6,
    timeout: float = 60,
    backoff: float = 2,
) -> str:
    """Download `url` to `target` and return its SHA-256.

    The data go to `.{name}.part` next to the target, which a later call resumes. The file gets its final name only
    after it was verified: the size given by the server or `expect`, the checksum in `expect`, and the format given by
    the file name's ending (see `verify_content`). The SHA-256 is written to `{target}.sha256`, in the format of
    `sha256sum`.

    Args:
        url: http, https or file URL.
        target: final path.
        expect: known checksum and size.
        http: allow plain http, for the URL and for redirects.
        retries: number of tries after the first one.
        timeout: seconds without data after which a try fails.
        backoff: seconds before the first retry; doubled for each further retry, up to two minutes.

    Raises:
        UserError: the server refused the file, all tries failed, or the file did not pass verification.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(TransferError),
        stop=tenacity.stop_after_attempt(retries + 1),
        wait=tenacity.wait_exponential(multiplier=backoff, max=120) + tenacity.wait_random(0, backoff / 4),
        before_sleep=lambda state: logger.warning(
            "%s: try %d failed: %s; retrying in %.0f s",
            url,
            state.attempt_number,
            state.outcome.exception() if state.outcome else "",
            state.next_action.sleep if state.next_action else 0,
        ),
        reraise=True,
    )
    try:
        retrying(_transfer, url, part, timeout, http)
    except TransferError as error:
        tries = "1 try" if retries == 0 else f"{retries + 1} tries"
        again = "run again to resume the partial download" if _resumable(url, part)[0] else "run again later"
        raise UserError(
            f"{url}: {error}, after {tries}; {again}, or download the file by hand and give its local path"
        ) from None
    try:
        digest = _verify(url, part, target.name, expect)
    except UserError:
        _discard(part)
        raise
    with atomic(f"{target}.sha256") as record:
        record.write_text(f"{digest}  {target.name}\n")
    os.replace(part, target)
    _discard(part)
    return digest


def verify_content(path: Path, name: str) -> None:
    """Check that a file has the format that its name implies; a format with checksums is read to its end.

    Args:
        path: file to read.
        name: file name, whose ending gives the format: `.gz` is decompressed to its end; bigWig and BAM are checked
            by their magic number, and BAM by its end marker too. Any other file must only not be HTML.

    Raises:
        UserError: the file is empty, damaged, truncated, or an HTML page.
    """
    with open(path, "rb") as file:
        head = file.read(512)
    if not head:
        raise UserError(f"{name}: is empty; the source holds no data, correct its URL")
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html", b"<?xml")):
        raise UserError(f"{name}: is a web page, not data; correct the URL, or log in and download it by hand")
    lower = name.lower()
    if lower.endswith(".gz"):
        _verify_gzip(path, name, head)
    elif lower.endswith((".bigwig", ".bw")) and not head.startswith(BIGWIG_MAGICS):
        raise UserError(f"{name}: is not a bigWig file; correct the URL")
    elif lower.endswith(".bam"):
        with open(path, "rb") as file:
            file.seek(max(0, path.stat().st_size - len(BGZF_END)))
            if not head.startswith(GZIP_MAGIC) or file.read() != BGZF_END:
                raise UserError(f"{name}: is not a complete BAM file; download it again")


def _verify_gzip(path: Path, name: str, head: bytes) -> None:
    if not head.startswith(GZIP_MAGIC):
        raise UserError(f"{name}: is not gzip data; correct the URL")
    start = b""
    try:
        with igzip.open(path, "rb") as file:
            start = file.read(512)
            while file.read(BLOCK):
                pass
    except GZIP_ERRORS as error:
        raise UserError(f"{name}: is a truncated or damaged gzip file ({error}); download it again") from None
    if not start:
        raise UserError(f"{name}: is empty after decompression; the source holds no data, correct its URL")
    if start.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise UserError(f"{name}: is a web page, not data; correct the URL, or log in and download it by hand")


def _verify(url: str, part: Path, name: str, expect: Expectation) -> str:
    """Check size, checksum and content of a finished download; return its SHA-256."""
    size = part.stat().st_size
    if expect.size is not None and size != expect.size:
        raise UserError(
            f"{url}: has {size} bytes, but the checksum table says {expect.size}; "
            "the source has changed or the table is wrong, compare them"
        )
    algorithm, _, expected = (expect.checksum or "sha256:").partition(":")
    digests = {"sha256": hashlib.sha256(), algorithm: hashlib.new(algorithm, usedforsecurity=False)}
    with open(part, "rb") as file:
        while block := file.read(BLOCK):
            for digest in digests.values():
                digest.update(block)
    if expected and digests[algorithm].hexdigest() != expected:
        raise UserError(
            f"{url}: {algorithm} is {digests[algorithm].hexdigest()}, but the checksum table says {expected}; "
            "the source has changed or the table is wrong, compare them"
        )
    verify_content(part, name)
    return digests["sha256"].hexdigest()


def _transfer(url: str, part: Path, timeout: float, http: bool) -> None:
    """Download `part` to its full size, resuming an earlier try of the same file."""
    offset, identity = _resumable(url, part)
    try:
        with _open(url, offset, identity, timeout, http) as body:
            if body.start == 0:
                part.unlink(missing_ok=True)
                _note_of(part).write_text(json.dumps({"url": url, "identity": body.identity}))
            else:
                logger.info("%s: resuming at byte %d", url, body.start)
            _receive(url, body, part)
    except _StalePartError:
        _discard(part)
        raise
    size = part.stat().st_size
    if body.size is not None and size < body.size:
        raise TransferError(f"ended after {size} of {body.size} bytes")
    if body.size is not None and size > body.size:
        _discard(part)
        raise TransferError(f"sent {size} bytes instead of the announced {body.size}")


def _resumable(url: str, part: Path) -> tuple[int, str | None]:
    """Return the size of a partial download and the identity of its file; 0 and None if it cannot be resumed."""
    try:
        note = json.loads(_note_of(part).read_text())
        if note["url"] == url and note["identity"]:
            return part.stat().st_size, note["identity"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        pass
    return 0, None


def _note_of(part: Path) -> Path:
    """Return the file with the URL and identity of a partial download."""
    return part.with_name(part.name + ".json")


def _receive(url: str, body: _Body, part: Path) -> None:
    reported = time.monotonic()
    with open(part, "ab") as file:
        while True:
            try:
                block = body.stream.read(RECEIVE_BLOCK)
            # requests and urllib3 raise many kinds of errors here; all of them mean that the stream broke off.
            except (requests.RequestException, OSError) as error:
                raise TransferError(f"broke off ({error})") from None
            except Exception as error:
                if type(error).__module__.startswith("urllib3"):
                    raise TransferError(f"broke off ({error})") from None
                raise
            if not block:
                return
            file.write(block)
            if time.monotonic() - reported > 10:
                reported = time.monotonic()
                share = f" of {body.size / 1e6:.0f}" if body.size else ""
                logger.info("%s: %.0f%s MB", url, file.tell() / 1e6, share)


class _NoHTTP(requests.adapters.HTTPAdapter):
    """Refuse plain http before anything is sent, also for redirects."""

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        raise UserError(f"{request.url}: plain http is not secure; give an https URL, or set download.http: true")


@contextmanager
def _open(url: str, offset: int, identity: str | None, timeout: float, http: bool) -> Iterator[_Body]:
    """Open a URL at `offset` if its file still has the identity `identity`, else at the start."""
    if urlsplit(url).scheme == "file":
        with _open_file(url, offset, identity) as body:
            yield body
        return
    # A compressed transfer would change the bytes that published checksums refer to.
    headers = {"Accept-Encoding": "identity"}
    if offset and identity:
        headers |= {"Range": f"bytes={offset}-", "If-Range": identity}
    try:
        with requests.Session() as session:
            session.mount("http://", requests.adapters.HTTPAdapter() if http else _NoHTTP())
            response = session.get(url, headers=headers, stream=True, timeout=timeout)
    except UserError:
        raise
    except ValueError as error:  # raised by requests for an invalid URL
        raise UserError(f"{url}: {error}; correct the URL or the mirror") from None
    except requests.RequestException as error:
        raise TransferError(f"connection failed ({error})") from None
    with response:
        status = response.status_code
        span = response.headers.get("Content-Range", "")
        if status == 416 and offset:
            # A complete part leaves no bytes to request.
            if span != f"bytes */{offset}":
                raise _StalePartError(f"has no bytes from {offset}, where the partial download ends")
            yield _Body(BytesIO(), offset, offset, identity)
            return
        if status in TRANSIENT_STATUS:
            raise TransferError(f"answered {status} {response.reason}")
        if status not in (200, 206):
            raise UserError(f"{url}: the server answered {status} {response.reason}; correct the URL or the mirror")
        length = response.headers.get("Content-Length")
        start, size = 0, int(length) if length and length.isdecimal() else None
        if status == 206:
            match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", span)
            if not match or int(match[1]) != offset:
                raise _StalePartError(f"answered with {span!r} to a request for the bytes from {offset}")
            start, size = offset, None if match[2] == "*" else int(match[2])
        etag = response.headers.get("ETag", "")
        # A weak ETag cannot be used in If-Range (RFC 9110, section 13.1.5).
        strong = etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")
        if start and strong and strong != identity:
            raise _StalePartError("has changed since the partial download")
        yield _Body(response.raw, start, size, strong)


@contextmanager
def _open_file(url: str, offset: int, identity: str | None) -> Iterator[_Body]:
    path = Path(unquote(urlsplit(url).path))
    try:
        file = open(path, "rb")  # noqa: SIM115 (closed below; this block must not catch the caller's errors)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError) as error:
        raise UserError(f"{url}: {error.strerror}; correct the URL or the mirror") from None
    with file:
        stat = os.fstat(file.fileno())
        current = f"{stat.st_size}-{stat.st_mtime_ns}"
        start = offset if identity == current else 0
        file.seek(start)
        yield _Body(file, start, stat.st_size, current)


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _note_of(part).unlink(missing_ok=True)
