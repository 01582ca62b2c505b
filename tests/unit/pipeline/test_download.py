"""Downloads from a real server that disconnects, stalls, sends wrong data and changes its files."""

import gzip
import hashlib
import random
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from chromattend.errors import UserError
from chromattend.files import sha256
from chromattend.pipeline.download import BGZF_END, Expectation, download

READS = gzip.compress(b"chr1\t5\t41\tN\t1000\t+\n" * 9, mtime=0)
# Large enough to be cut in the middle, and random, so that a splice of the two shows.
LARGE = gzip.compress(random.Random(1).randbytes(600_000), compresslevel=1, mtime=0)
OTHER = gzip.compress(random.Random(2).randbytes(600_000), compresslevel=1, mtime=0)
HTML = b"\n<!DOCTYPE html><html><body>Please log in</body></html>"
NAME = "E003-H3K4me3.tagAlign.gz"


@dataclass(frozen=True)
class Reply:
    """How the server answers one request.

    Attributes:
        body: the file that it has.
        status: in place of 200 or 206.
        etag, modified: validators that it sends.
        ranges: whether it heeds Range.
        if_range: whether it heeds If-Range.
        cut: bytes of the body after which it closes the connection.
        stall: bytes of the body after which it sends nothing more.
        headers: further ones, or others.
    """

    body: bytes = LARGE
    status: int | None = None
    etag: str | None = '"v1"'
    modified: str | None = None
    ranges: bool = True
    if_range: bool = True
    cut: int | None = None
    stall: int | None = None
    headers: dict[str, str] = field(default_factory=dict)


ANYTHING = Expectation()


class Site(ThreadingHTTPServer):
    """A server that answers each request with the next reply, and all further ones with the last."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies: list[Reply] = [Reply()]
        self.requests: list[dict[str, str]] = []
        self.sent = 0
        self.closing = threading.Event()

    def url(self, name: str = NAME) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/data/{name}"


class Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        reply = self.server.replies[min(len(self.server.requests), len(self.server.replies) - 1)]
        self.server.requests.append(dict(self.headers))
        known = {value for value in (reply.etag, reply.modified) if value}
        start, status = 0, 200
        if reply.ranges and "Range" in self.headers and (not reply.if_range or self.headers.get("If-Range") in known):
            start, status = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-")), 206
        body = reply.body[start:]
        span = f"{start}-{len(reply.body) - 1}"
        if status == 206 and not body:
            status, span = 416, "*"
        self.send_response(reply.status or status)
        headers = {"Content-Length": str(len(body)), "ETag": reply.etag, "Last-Modified": reply.modified}
        if status in (206, 416):
            headers["Content-Range"] = f"bytes {span}/{len(reply.body)}"
        for key, value in (headers | reply.headers).items():
            if value is not None:
                self.send_header(key, value)
        self.end_headers()
        part = body[: reply.cut if reply.stall is None else reply.stall]
        self.wfile.write(part)
        self.server.sent += len(part)
        if reply.stall is not None:
            self.server.closing.wait(5)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    site = Site()
    thread = threading.Thread(target=site.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield site
    site.closing.set()
    site.shutdown()
    site.server_close()
    thread.join()


def fetch(url: str, folder: Path, expect: Expectation = ANYTHING, retries: int = 2, timeout: float = 5) -> Path:
    target = folder / url.rsplit("/", 1)[-1]
    download(url, target, expect=expect, http=True, retries=retries, timeout=timeout, backoff=0)
    return target


def refusal(url: str, folder: Path, **options: object) -> str:
    """Return the one line with which a download fails."""
    with pytest.raises(UserError) as caught:
        fetch(url, folder, **options)
    message = str(caught.value)
    assert message.startswith(url) or message.startswith(url.rsplit("/", 1)[-1])
    assert "\n" not in message
    return message


def short(value: object) -> str | None:
    """Name a body in the name of a test."""
    return f"{len(value)} bytes" if isinstance(value, bytes) else None


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_arrives_as_published_with_its_checksum(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "new folder" / NAME
    digest = download(site.url(), target, http=True, retries=0, backoff=0)
    assert target.read_bytes() == LARGE
    assert digest == hashlib.sha256(LARGE).hexdigest() == sha256(target)
    assert names(target.parent) == [NAME, f"{NAME}.sha256"]
    assert len(site.requests) == 1
    assert "Range" not in site.requests[0]


def test_the_recorded_checksum_is_one_that_sha256sum_checks(site: Site, tmp_path: Path) -> None:
    target = fetch(site.url(), tmp_path)
    command = ["sha256sum", "--check", "--strict", f"{NAME}.sha256"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).stdout == f"{NAME}: OK\n"
    target.write_bytes(LARGE[:-1])
    assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode == 1


def test_a_transfer_that_breaks_off_goes_on_where_it_stopped(site: Site, tmp_path: Path) -> None:
    site.replies = [Reply(cut=400_000), Reply()]
    assert fetch(site.url(), tmp_path).read_bytes() == LARGE
    first, second = site.requests
    assert "Range" not in first
    start = int(second["Range"].removeprefix("bytes=").removesuffix("-"))
    assert 300_000 < start <= 400_000
    assert second["If-Range"] == '"v1"'
    assert site.sent < 1.2 * len(LARGE)
    assert names(tmp_path) == [NAME, f"{NAME}.sha256"]


def test_many_short_connections_add_up(site: Site, tmp_path: Path) -> None:
    site.replies = [Reply(cut=150_000)]
    assert fetch(site.url(), tmp_path, retries=8).read_bytes() == LARGE


def test_a_later_call_goes_on_with_the_part_of_an_earlier_one(site: Site, tmp_path: Path) -> None:
    site.replies = [Reply(cut=400_000)]
    message = refusal(site.url(), tmp_path, retries=0)
    assert "after 1 try; run again to resume the partial download, or" in message
    assert names(tmp_path) == [f".{NAME}.part", f".{NAME}.part.json"]
    site.replies = [Reply()]
    assert fetch(site.url(), tmp_path, retries=0).read_bytes() == LARGE
    assert "Range" in site.requests[1]
    assert site.sent < 1.2 * len(LARGE)
    assert names(tmp_path) == [NAME, f"{NAME}.sha256"]


def test_a_part_that_was_complete_is_not_sent_again(site: Site, tmp_path: Path) -> None:
    site.replies = [Reply(cut=0), Reply()]
    refusal(site.url(), tmp_path, retries=0)
    (tmp_path / f".{NAME}.part").write_bytes(LARGE)  # as when the job is killed before the check of the whole file
    assert fetch(site.url(), tmp_path, retries=0).read_bytes() == LARGE
    assert site.sent == 0


def test_a_part_longer_than_the_file_starts_anew(site: Site, tmp_path: Path) -> None:
    site.replies = [Reply(cut=0), Reply()]
    refusal(site.url(), tmp_path, retries=0)
    (tmp_path / f".{NAME}.part").write_bytes(LARGE + b"x")
    assert fetch(site.url(), tmp_path).read_bytes() == LARGE


@pytest.mark.parametrize("note", ["", "null", "[]", "{}", '{"url": "x"}'])
def test_a_part_without_a_readable_note_starts_anew(site: Site, tmp_path: Path, note: str) -> None:
    (tmp_path / f".{NAME}.part").write_bytes(b"something else")
    (tmp_path / f".{NAME}.part.json").write_text(note)
    assert fetch(site.url(), tmp_path).read_bytes() == LARGE


def test_a_server_that_ignores_ranges_sends_the_whole_file(site: Site, tmp_path: Path) -> None:
    site.replies = [Reply(cut=400_000), Reply(ranges=False)]
    assert fetch(site.url(), tmp_path).read_bytes() == LARGE
    assert "Range" in site.requests[1]


@pytest.mark.parametrize("if_range", [True, False], ids=["a correct server", "a server that ignores If-Range"])
def test_a_file_that_changed_between_tries_is_not_spliced(site: Site, tmp_path: Path, if_range: bool) -> None:
    site.replies = [Reply(cut=400_000), Reply(OTHER, etag='"v2"', if_range=if_range)]
    assert fetch(site.url(), tmp_path).read_bytes() == OTHER


def test_the_part_of_another_url_is_not_used(site: Site, tmp_path: Path) -> None:
    site.replies = [Reply(cut=400_000)]
    refusal(site.url(), tmp_path, retries=0)
    site.replies = [Reply(OTHER)]
    assert fetch(site.url().replace("data", "other"), tmp_path).read_bytes() == OTHER
    assert "Range" not in site.requests[1]


def test_a_weak_etag_is_no_reason_to_splice(site: Site, tmp_path: Path) -> None:
    site.replies = [Reply(cut=400_000, etag='W/"v1"'), Reply(OTHER, etag='W/"v1"')]
    assert fetch(site.url(), tmp_path).read_bytes() == OTHER
    assert "Range" not in site.requests[1]


def test_beside_a_weak_etag_the_date_tells_the_file(site: Site, tmp_path: Path) -> None:
    date = "Tue, 01 Jan 2013 00:00:00 GMT"
    site.replies = [Reply(cut=400_000, etag='W/"v1"', modified=date), Reply(etag='W/"v1"', modified=date)]
    assert fetch(site.url(), tmp_path).read_bytes() == LARGE
    assert site.requests[1]["If-Range"] == date
    assert site.sent < 1.2 * len(LARGE)


@pytest.mark.parametrize("span", ["bytes 5-9/600000", "nonsense", ""])
def test_another_range_than_asked_for_is_not_spliced(site: Site, tmp_path: Path, span: str) -> None:
    wrong = Reply(headers={"Content-Range": span})
    site.replies = [Reply(cut=400_000), wrong, Reply()]
    assert fetch(site.url(), tmp_path).read_bytes() == LARGE


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_a_passing_failure_of_the_server_is_tried_again(site: Site, tmp_path: Path, status: int) -> None:
    site.replies = [Reply(b"", status=status), Reply(b"", status=status), Reply()]
    assert fetch(site.url(), tmp_path).read_bytes() == LARGE
    assert len(site.requests) == 3


def test_a_failure_that_does_not_pass_is_one_line(site: Site, tmp_path: Path) -> None:
    site.replies = [Reply(b"busy", status=503)]
    message = refusal(site.url(), tmp_path)
    assert "answered 503" in message
    assert "after 3 tries; run again later, or" in message
    assert len(site.requests) == 3
    assert names(tmp_path) == []


def test_tries_are_further_and_further_apart(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site.replies = [Reply(b"busy", status=503)]
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    with pytest.raises(UserError, match="after 9 tries"):
        download(site.url(), tmp_path / NAME, http=True, retries=8, backoff=2)
    expected = [2, 4, 8, 16, 32, 64, 120, 120]
    assert all(0 <= wait - least <= 0.5 for wait, least in zip(waits, expected, strict=True)), waits


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_of_the_server_is_final(site: Site, tmp_path: Path, status: int) -> None:
    site.replies = [Reply(b"not here", status=status)]
    message = refusal(site.url(), tmp_path)
    assert f"answered {status}" in message
    assert "correct the URL or the mirror" in message
    assert len(site.requests) == 1
    assert names(tmp_path) == []


def test_a_stalled_transfer_ends_and_can_go_on(site: Site, tmp_path: Path) -> None:
    site.replies = [Reply(stall=400_000), Reply()]
    start = time.monotonic()
    message = refusal(site.url(), tmp_path, retries=0, timeout=0.3)
    assert time.monotonic() - start < 3
    assert "broke off" in message
    assert "timed out" in message
    assert fetch(site.url(), tmp_path).read_bytes() == LARGE
    assert "Range" in site.requests[1]


def test_a_server_that_never_answers_is_one_line(site: Site, tmp_path: Path) -> None:
    site.shutdown()
    assert "connection failed" in refusal(site.url(), tmp_path, retries=0, timeout=0.3)
    site.server_close()
    assert "connection failed" in refusal(site.url(), tmp_path, retries=1)
    assert names(tmp_path) == []


def test_a_body_that_is_always_too_short_is_one_line(site: Site, tmp_path: Path) -> None:
    site.replies = [Reply(READS, ranges=False, headers={"Content-Length": str(len(READS) + 100)})]
    message = refusal(site.url(), tmp_path)
    assert "after 3 tries" in message
    assert len(site.requests) == 3
    assert NAME not in names(tmp_path)


def test_a_body_of_unknown_length_is_taken_to_its_end(site: Site, tmp_path: Path) -> None:
    site.replies = [Reply(headers={"Content-Length": None})]
    assert fetch(site.url(), tmp_path).read_bytes() == LARGE


def test_a_body_of_unknown_length_that_breaks_off_is_refused(site: Site, tmp_path: Path) -> None:
    site.replies = [Reply(headers={"Content-Length": None}, cut=400_000)]
    assert "truncated" in refusal(site.url(), tmp_path)
    assert names(tmp_path) == []


def test_a_compressed_file_is_not_decompressed_on_the_way(site: Site, tmp_path: Path) -> None:
    site.replies = [Reply(headers={"Content-Encoding": "gzip", "Content-Type": "text/plain"})]
    assert fetch(site.url(), tmp_path).read_bytes() == LARGE
    assert site.requests[0]["Accept-Encoding"] == "identity"


def damaged(content: bytes, at: int) -> bytes:
    return content[:at] + bytes(byte ^ 0xFF for byte in content[at : at + 64]) + content[at + 64 :]


@pytest.mark.parametrize(
    ("name", "body", "words"),
    [
        ("a.bed.gz", LARGE[:-2000], ["truncated or damaged gzip", "download it again"]),
        ("a.bed.gz", READS[:-4], ["truncated or damaged gzip"]),
        ("a.bed.gz", damaged(LARGE, 300_000), ["truncated or damaged gzip"]),
        ("a.bed.gz", damaged(gzip.compress(b"chr1\t1\t2\n" * 90_000, mtime=0), 700), ["truncated or damaged gzip"]),
        ("a.bed.gz", READS[:-8] + bytes(4) + READS[-4:], ["truncated or damaged gzip"]),
        ("a.bed.gz", READS[:10] + b"\x07" + READS[11:], ["truncated or damaged gzip"]),
        ("a.bed.gz", READS + b"garbage", ["truncated or damaged gzip"]),
        ("a.bed.gz", HTML, ["web page", "log in"]),
        ("a.bed.gz", gzip.compress(HTML), ["web page", "log in"]),
        ("a.bed.gz", b"chr1\t5\t41\n", ["is not gzip data"]),
        ("a.bed.gz", gzip.compress(b""), ["empty after decompression"]),
        ("a.bed.gz", b"", ["is empty"]),
        ("a.bed", HTML, ["web page"]),
        ("a.bed", b"<HTML><head>", ["web page"]),
        ("a.csv", b'<?xml version="1.0"?><Error>NoSuchKey</Error>', ["web page"]),
        ("a.bed", b"", ["is empty"]),
        ("a.bw", b"not a bigWig", ["is not a bigWig file"]),
        ("a.bigWig", HTML, ["web page"]),
        ("a.bam", gzip.compress(b"BAM\1", mtime=0), ["is not a complete BAM file", "download it again"]),
        ("a.bam", b"x" * 100 + BGZF_END, ["is not a complete BAM file"]),
        ("a.bam", BGZF_END[:10], ["is not a complete BAM file"]),
    ],
    ids=short,
)
def test_what_is_not_the_data_is_refused(site: Site, tmp_path: Path, name: str, body: bytes, words: list[str]) -> None:
    site.replies = [Reply(body)]
    message = refusal(site.url(name), tmp_path)
    assert all(word in message for word in [name, *words]), message
    assert len(site.requests) == 1
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("a.bed.gz", READS + gzip.compress(b"chr2\t1\t2\n")),
        ("a.bed", b"chr1\t5\t41\n"),
        ("a.bw", b"\x26\xfc\x8f\x88" + bytes(60)),
        ("a.bigWig", b"\x88\x8f\xfc\x26" + bytes(60)),
        ("a.bam", gzip.compress(b"BAM\1", mtime=0) + BGZF_END),
        ("a.csv", b"000001,1,0,0,0,0,0,1\n"),
    ],
    ids=short,
)
def test_what_looks_like_the_data_is_kept(site: Site, tmp_path: Path, name: str, body: bytes) -> None:
    site.replies = [Reply(body)]
    assert fetch(site.url(name), tmp_path).read_bytes() == body
    assert names(tmp_path) == [name, f"{name}.sha256"]


def sums(content: bytes) -> dict[str, Expectation]:
    return {
        "sha256": Expectation(f"sha256:{hashlib.sha256(content).hexdigest()}"),
        "md5": Expectation(f"md5:{hashlib.md5(content).hexdigest()}"),
        "size": Expectation(size=len(content)),
        "all": Expectation(f"md5:{hashlib.md5(content).hexdigest()}", len(content)),
    }


@pytest.mark.parametrize("kind", ["sha256", "md5", "size", "all"])
def test_a_file_as_expected_is_kept(site: Site, tmp_path: Path, kind: str) -> None:
    site.replies = [Reply(READS)]
    target = fetch(site.url(), tmp_path, sums(READS)[kind])
    assert sha256(target) == hashlib.sha256(READS).hexdigest()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("sha256", ["sha256 is", "the checksum table says"]),
        ("md5", ["md5 is", "the checksum table says"]),
        ("size", [f"{len(READS)} bytes", f"says {len(READS) + 1}"]),
    ],
)
def test_another_file_than_expected_is_refused(site: Site, tmp_path: Path, kind: str, words: list[str]) -> None:
    site.replies = [Reply(READS)]
    message = refusal(site.url(), tmp_path, expect=sums(READS + b"x")[kind])
    assert all(word in message for word in [*words, "compare them"]), message
    assert names(tmp_path) == []


@pytest.mark.parametrize("folder", ["plain", "with space", "with #1 and 50%25 ü"])
def test_a_file_url_is_copied(tmp_path: Path, folder: str) -> None:
    source = tmp_path / folder / NAME
    source.parent.mkdir()
    source.write_bytes(LARGE)
    target = tmp_path / "copy" / NAME
    digest = download(source.as_uri(), target)
    assert target.read_bytes() == source.read_bytes() == LARGE
    assert digest == hashlib.sha256(LARGE).hexdigest()


@pytest.mark.parametrize(("name", "words"), [(NAME, "No such file"), ("", "Is a directory")])
def test_a_file_url_of_nothing_is_one_line(tmp_path: Path, name: str, words: str) -> None:
    url = f"file://{tmp_path}/source/{name}"
    (tmp_path / "source").mkdir()
    (tmp_path / "copy").mkdir()
    with pytest.raises(UserError) as caught:
        download(url, tmp_path / "copy" / NAME, retries=5, backoff=60)
    assert str(caught.value).startswith(f"{url}: {words}")
    assert "correct the URL" in str(caught.value)
    assert names(tmp_path / "copy") == []


def test_a_damaged_file_of_a_local_mirror_is_refused_and_left_there(tmp_path: Path) -> None:
    source = tmp_path / "source" / NAME
    source.parent.mkdir()
    source.write_bytes(LARGE[:-10])
    (tmp_path / "copy").mkdir()
    assert "truncated" in refusal(source.as_uri(), tmp_path / "copy")
    assert names(tmp_path / "copy") == []
    assert source.read_bytes() == LARGE[:-10]


def test_an_unknown_kind_of_url_is_final(tmp_path: Path) -> None:
    message = refusal(f"sftp://host/{NAME}", tmp_path, retries=0)
    assert "run again" not in message
    assert "correct the URL" in message


def test_plain_http_is_only_used_when_asked_for(site: Site, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"plain http is not secure; .* https URL, or set download\.http: true"):
        download(site.url(), tmp_path / NAME)
    assert site.requests == []
    assert names(tmp_path) == []
