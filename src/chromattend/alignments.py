"""Alignments out of a BAM file as arrays, a block at a time (SAM specification, section 4.2).

Records differ in length, so that one tells where the next begins: that walk is all that Python does per record. The
fields of a block's records are then gathered with numpy.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

# Bytes of a record's fixed fields, its own length left out.
FIXED = 32
# CIGAR operations that consume the reference: M, D, N, = and X.
CONSUMES = np.zeros(16, dtype=np.int64)
CONSUMES[[0, 2, 3, 7, 8]] = 1


@dataclass(frozen=True)
class Alignments:
    """Records of a BAM file in their order, each array of shape (record,).

    Attributes:
        codes: reference sequence as an index into the header's, int32; -1 where there is none.
        starts, ends: first base and end of the last aligned base, in bp from 0, int64.
        flags, mapq: SAM flags and mapping quality.
        placed: whether the record has a reference sequence, a position and a CIGAR.
    """

    codes: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    flags: np.ndarray
    mapq: np.ndarray
    placed: np.ndarray


def skip_header(stream: BinaryIO) -> None:
    """Read a decompressed BAM stream up to its first record."""
    magic, length = struct.unpack("<4si", _exactly(stream, 8))
    if magic != b"BAM\1":
        raise ValueError("it does not begin as BAM does")
    _exactly(stream, length)
    (references,) = struct.unpack("<i", _exactly(stream, 4))
    for _ in range(references):
        (length,) = struct.unpack("<i", _exactly(stream, 4))
        _exactly(stream, length + 4)


def read_alignments(stream: BinaryIO, block_bytes: int, references: int) -> Iterator[Alignments]:
    """Stream the records that follow the header.

    Args:
        stream: decompressed BAM after its header.
        block_bytes: how much to read at once; a record may be longer.
        references: number of reference sequences.

    Raises:
        ValueError: a record is damaged, or the last is cut.
    """
    rest = b""
    while got := stream.read(block_bytes):
        data = rest + got
        places, end = _record_places(data)
        if places:
            yield _alignments(data, np.array(places, dtype=np.int64), end, references)
        rest = data[end:]
    if rest:
        raise ValueError("it ends within a record")


def _record_places(data: bytes) -> tuple[list[int], int]:
    """Find where the whole records of a block begin, after their lengths, and where the last of them ends."""
    length_at = struct.Struct("<i").unpack_from
    places = []
    place, last = 4, len(data)
    try:
        while True:
            (length,) = length_at(data, place - 4)
            if length < FIXED:
                raise ValueError("a record is shorter than its fields")
            places.append(place)
            place += length + 4
    except struct.error:
        pass
    # What follows the last whole length may be a record that goes on in the next block.
    if places and place - 4 > last:
        place = places.pop()
    return places, place - 4


def _alignments(data: bytes, places: np.ndarray, end: int, references: int) -> Alignments:
    block = np.frombuffer(data, dtype=np.uint8)

    def field(offset: int, kind: str) -> np.ndarray:
        size = np.dtype(kind).itemsize
        return np.ndarray((len(data) - size + 1,), dtype=kind, buffer=block, strides=(1,))[places + offset]

    codes, starts = field(0, "<i4"), field(4, "<i4").astype(np.int64)
    name, operations = field(8, "u1").astype(np.int64), field(12, "<u2").astype(np.int64)
    cigars = places + FIXED + name
    stops = np.append(places[1:] - 4, end)
    if ((codes < -1) | (codes >= references)).any() or (cigars + 4 * operations > stops).any():
        raise ValueError("a record's fields contradict its length or the header")
    # One place for each operation of each CIGAR.
    first = np.cumsum(operations) - operations
    each = np.repeat(cigars - 4 * first, operations) + 4 * np.arange(operations.sum())
    cigar = np.ndarray((max(len(data) - 3, 0),), dtype="<u4", buffer=block, strides=(1,))[each]
    spans = (cigar >> 4) * CONSUMES[cigar & 15]
    covered = np.concatenate([[0], np.cumsum(spans)])
    span = covered[first + operations] - covered[first]
    return Alignments(
        codes=codes,
        starts=starts,
        # A CIGAR of clipped and inserted bases alone counts as one base, as in htslib.
        ends=starts + np.maximum(span, 1),
        flags=field(14, "<u2"),
        mapq=field(9, "u1"),
        placed=(codes >= 0) & (starts >= 0) & (operations > 0),
    )


def _exactly(stream: BinaryIO, number: int) -> bytes:
    data = stream.read(number)
    if len(data) < number:
        raise ValueError("it ends within the header")
    return data
