"""Alignments of a BAM file as arrays (SAM specification, sections 4.1 and 4.2).

Records differ in length, so the start of a record is known only from the record before it. But most programs start
every compressed block with a record, so the records of many blocks are walked in parallel: one array operation moves
all walks by one record.
"""

import itertools
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from isal import isal_zlib

# Number of compressed blocks that are read at once, each with up to 64 kB of records.
BLOCKS_AT_ONCE = 512
RECORDS_AT_ONCE = 1 << 16
# Bytes of a record's fixed fields, without its length field.
FIXED = 32
# CIGAR operations that consume the reference: M, D, N, = and X.
_CONSUMES = np.zeros(16, dtype=np.int64)
_CONSUMES[[0, 2, 3, 7, 8]] = 1
# Fields are read as words of up to 8 bytes, which may reach past the last record.
_MARGIN = bytes(8)


@dataclass(frozen=True)
class Alignments:
    """Records of a BAM file in file order; all arrays have shape (record,).

    Attributes:
        codes: reference sequence as an index into the sequences of the header, int32; -1 if there is none.
        starts, ends: first base and end of the last aligned base, in bp from 0, int64.
        flags, mapq: SAM flags and mapping quality.
        templates: length of a pair's fragment (bp), int32: above 0 in the leftmost mate, below 0 in the other.
        placed: whether the record has a reference sequence, a position and a CIGAR.
    """

    codes: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    flags: np.ndarray
    mapq: np.ndarray
    templates: np.ndarray
    placed: np.ndarray


def read_alignments(path: str | Path, references: int) -> Iterator[Alignments]:
    """Stream the alignments of a BAM file.

    Args:
        path: the file.
        references: number of reference sequences in its header.

    Raises:
        ValueError: the file is not BGZF-compressed, its header or a record is damaged, or the last record is cut.
    """
    # One buffer is reused: allocating memory for each batch of blocks costs as much as decompressing some of them.
    buffer, size, in_header = bytearray(len(_MARGIN)), 0, True
    with open(path, "rb") as file:
        blocks = _blocks(file)
        while batch := list(itertools.islice(blocks, BLOCKS_AT_ONCE)):
            stops = size + np.cumsum([len(block) for block in batch])
            block_starts = np.append(size, stops[:-1])
            if stops[-1] + len(_MARGIN) > len(buffer):
                buffer = buffer[:size] + bytes(int(stops[-1]) - size + (1 << 20))
            for start, stop, block in zip(block_starts.tolist(), stops.tolist(), batch, strict=True):
                buffer[start:stop] = block
            size = int(stops[-1])
            first = _header_length(buffer, size) if in_header else 0
            if first is None:
                continue
            in_header = False
            places, end = _record_places(buffer, size, first, block_starts)
            for row in range(0, len(places), RECORDS_AT_ONCE):
                yield _alignments(buffer, places[row : row + RECORDS_AT_ONCE], references)
            buffer[: size - end] = buffer[end:size]
            size -= end
    if size or in_header:
        raise ValueError("it ends within a record or its header")


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    """Decompress the blocks of a BGZF file, gzip members that state their own length."""
    while head := file.read(18):
        if len(head) < 18 or head[:4] != b"\x1f\x8b\x08\x04" or head[12:16] != b"BC\2\0":
            raise ValueError("a block is not a BGZF block")
        yield isal_zlib.decompress(head + file.read(int.from_bytes(head[16:18], "little") - 17), 31, 1 << 16)


def _header_length(data: bytearray, size: int) -> int | None:
    """Return the position of the first record; None if the header continues past the data."""
    if data[: min(size, 4)] != b"BAM\1"[:size]:
        raise ValueError("it does not start with the magic bytes of BAM")
    try:
        place = 8 + struct.unpack_from("<i", data, 4)[0]
        (references,) = struct.unpack_from("<i", data, place)
        place += 4
        for _ in range(references):
            place += 8 + struct.unpack_from("<i", data, place)[0]
    except struct.error:
        return None
    return place if place <= size else None


def _record_places(data: bytearray, size: int, first: int, block_starts: np.ndarray) -> tuple[np.ndarray, int]:
    """Find the records in decompressed data.

    Args:
        data: records and a margin.
        size: bytes without the margin; the last record may be cut.
        first: position of the first record.
        block_starts: positions of the first bytes of compressed blocks.

    Returns:
        Position of each complete record, at its length field, in bytes, shape (record,); and the end of the last.
    """
    lengths = _anywhere(data, "<i4")
    block_starts = np.unique(block_starts[(block_starts > first) & (block_starts < size)])
    at = np.append(first, block_starts)
    # Each walk ends where the next one starts, and the last one where no complete length field follows.
    limits = np.append(block_starts, size - 3)
    steps = []
    while (active := at < limits).any():
        # Damaged lengths are reported later; here every walk must advance.
        length = np.maximum(lengths[np.minimum(at, size)], FIXED)
        steps.append(np.where(active, at, -1))
        at = np.where(active, at + 4 + length, at)
    if not steps:
        return np.zeros(0, dtype=np.int64), first
    if not (at[:-1] == block_starts).all():  # a record spans two blocks
        return _one_by_one(data, size, first)
    places = np.array(steps).T.ravel()
    places = places[places >= 0]
    return (places, int(at[-1])) if at[-1] <= size else (places[:-1], int(places[-1]))


def _one_by_one(data: bytearray, size: int, first: int) -> tuple[np.ndarray, int]:
    """Find the records one by one, for compressed blocks that do not start with a record."""
    length_at = struct.Struct("<i").unpack_from
    places, place = [], first
    while place < size - 3:
        after = place + 4 + length_at(data, place)[0]
        if after < place + 4 + FIXED:
            raise ValueError("a record is shorter than its fields")
        if after > size:
            break
        places.append(place)
        place = after
    return np.array(places, dtype=np.int64), place


def _alignments(data: bytearray, places: np.ndarray, references: int) -> Alignments:
    def field(kind: str, places: np.ndarray) -> np.ndarray:
        return _anywhere(data, kind)[places]

    # Reading neighbouring fields as one word takes a third of the time.
    head = field("<u8", places).view("<i4").reshape(-1, 2)
    length, codes = head[:, 0], head[:, 1]
    starts = field("<i4", places + 8).astype(np.int64)
    word = field("<u8", places + 12)
    name, mapq = word.view(np.uint8).reshape(-1, 8)[:, :2].T
    operations, flags = word.view("<u2").reshape(-1, 4)[:, 2:].T
    name, operations = name.astype(np.int32), operations.astype(np.int32)
    cigars = places + 4 + FIXED + name
    least = FIXED + name + 4 * operations
    if (length < least).any() or (codes < -1).any() or (codes >= references).any():
        raise ValueError("a record's fields contradict its length or the header")
    cigar = field("<u4", cigars)
    spans = (cigar >> 4) * _CONSUMES[cigar & 15]
    several = np.flatnonzero(operations > 1)
    if len(several):
        spans[several] = _spans(data, cigars[several], operations[several])
    return Alignments(
        codes=codes,
        starts=starts,
        # A CIGAR of clipped and inserted bases alone counts as one base, as in htslib.
        ends=starts + np.maximum(spans, 1),
        flags=flags,
        mapq=mapq,
        templates=field("<i4", places + 32),
        placed=(codes >= 0) & (starts >= 0) & (operations > 0),
    )


def _spans(data: bytearray, cigars: np.ndarray, operations: np.ndarray) -> np.ndarray:
    """Sum the reference lengths of CIGARs with several operations, shape (record,)."""
    operations = operations.astype(np.int64)
    first = np.cumsum(operations) - operations
    each = np.repeat(cigars - 4 * first, operations) + 4 * np.arange(operations.sum())
    cigar = _anywhere(data, "<u4")[each]
    return np.add.reduceat((cigar >> 4) * _CONSUMES[cigar & 15], first)


def _anywhere(data: bytearray, kind: str) -> np.ndarray:
    """View data as numbers of type `kind`, one starting at each byte."""
    return np.ndarray((len(data) - np.dtype(kind).itemsize + 1,), dtype=kind, buffer=data, strides=(1,))
