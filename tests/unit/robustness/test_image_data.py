"""Reading of images and labels, and their parts."""

import gzip
import io
import re
import struct
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from chromattend.errors import UserError
from chromattend.robustness.images.data import (
    IDX_IMAGES,
    IDX_LABELS,
    ImageSet,
    read_held_out,
    read_idx,
    read_images,
    split,
    write_held_out,
)

Write = Callable[[str, bytes], Path]


def idx(array: np.ndarray, magic: int | None = None) -> bytes:
    """An IDX file of values of 8 bits."""
    kind = 0x0800 + array.ndim if magic is None else magic
    return struct.pack(f">I{array.ndim}I", kind, *array.shape) + array.astype(np.uint8).tobytes()


PIXELS = np.arange(4 * 5 * 6).reshape(4, 5, 6)
LABELS = np.array([3, 1, 3, 7])


def npz(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def refused(images: str | Path, labels: str | Path | None = None) -> str:
    """The message of the error that these images raise."""
    with pytest.raises(UserError) as error:
        read_images(images, labels)
    message = str(error.value)
    assert "\n" not in message
    return message


def folder_of(path: Path, classes: dict[str, Sequence[Image.Image]], ending: str = "png") -> Path:
    for name, pictures in classes.items():
        (path / name).mkdir(parents=True)
        for number, picture in enumerate(pictures):
            picture.save(path / name / f"{number}.{ending}")
    return path


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_idx_files_are_read_compressed_or_not(write: Write, ending: str) -> None:
    images = read_images(write(f"images{ending}", idx(PIXELS)), write(f"labels{ending}", idx(LABELS)))
    assert images.pixels.dtype == np.uint8
    assert images.shape == (5, 6, 1)
    assert images.pixels[1, 2, 3, 0] == 45
    # Classes are numbered from 0 and keep the names of the file.
    assert images.labels.tolist() == [1, 0, 1, 2]
    assert images.classes == ("1", "3", "7")
    assert images.rows.tolist() == [0, 1, 2, 3]


def named(value: bytes | str) -> str:
    """Return the message as the name of a test: archives have the time that they were made at."""
    return value if isinstance(value, str) else "file"


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (idx(LABELS), idx(LABELS), "images: has labels (magic number 2049) in place of images (2051); exchange"),
        (idx(PIXELS), idx(PIXELS), "labels: has images (magic number 2051) in place of labels (2049); exchange"),
        (idx(PIXELS, 0x0D03), idx(LABELS), "images: has magic number 3331 in place of 2051, so it is not an IDX file"),
        (b"ab", idx(LABELS), "images: has only 2 bytes in place of 2051"),
        (idx(PIXELS)[:-1], idx(LABELS), "images: has less than the 120 bytes that its header gives"),
        (idx(PIXELS) + b"x", idx(LABELS), "images: has more than the 120 bytes that its header gives"),
        (idx(PIXELS)[:10], idx(LABELS), "images: has less than its header"),
        (idx(PIXELS), idx(LABELS[:3]), "labels: has 3 labels, but"),
        (idx(PIXELS), idx(LABELS * 0), "labels: has 1 classes; give images of at least 2"),
        (gzip.compress(idx(PIXELS), mtime=0)[:-12], idx(LABELS), "images: is truncated or damaged"),
        (gzip.compress(idx(PIXELS), mtime=0)[:20] + bytes(30), idx(LABELS), "images: is truncated or damaged"),
        (b"<!DOCTYPE html><p>moved", idx(LABELS), "images: is a web page"),
    ],
    ids=named,
)
def test_bad_idx_files_are_named_with_what_is_wrong(write: Write, images: bytes, labels: bytes, message: str) -> None:
    paths = write("images", images), write("labels", labels)
    assert f"{paths[0].parent}/{message}" in refused(*paths)


def test_images_and_labels_must_be_given_as_their_kind_needs(write: Write, tmp_path: Path) -> None:
    images, labels = write("images", idx(PIXELS)), write("labels", idx(LABELS))
    assert "have their file" not in refused(images)
    assert refused(images).endswith("give their file as the key labels")
    assert refused("digits", labels) == f"{labels}: only IDX images have labels in another file; remove the key labels"
    assert "does not exist" in refused(tmp_path / "absent")
    assert "absent: is not a file" in refused(images, tmp_path / "absent")


def test_arrays_are_read_by_name_or_by_what_they_are(write: Write) -> None:
    grey = PIXELS.astype(np.uint8)
    images = read_images(write("named.npz", npz(x=grey, y=LABELS, other=np.zeros((4, 2, 2), np.uint8))))
    assert images.shape == (5, 6, 1)
    assert images.labels.tolist() == [1, 0, 1, 2]
    colour = np.zeros((4, 5, 6, 3), np.uint8)
    unnamed = npz(means=np.zeros(4), data=colour, truth=LABELS.astype(np.uint8))
    assert read_images(write("unnamed.npz", unnamed)).shape == (5, 6, 3)
    # As Keras has the labels of CIFAR-10.
    assert read_images(write("column.npz", npz(x=colour, y=LABELS[:, None]))).labels.tolist() == [1, 0, 1, 2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npz(x=PIXELS / 255, y=LABELS), "the array of pixels is float64 of shape (4, 5, 6); save whole numbers from 0"),
        (npz(x=PIXELS.astype(np.uint8), y=LABELS / 2), "the array of labels is float64 of shape (4,); save one whole"),
        (npz(x=PIXELS.astype(np.uint8)), "has the arrays x, but none with labels, whole numbers of 1 axis"),
        (npz(a=LABELS), "has the arrays a, but none with pixels, uint8 of 3 or 4 axes; save them as x and y"),
        (npz(x=np.zeros((4, 3, 5, 6), np.uint8), y=LABELS), "has images of 6 colours, with the shape (3, 5, 6); save"),
        (npz(x=PIXELS.astype(np.uint8), y=LABELS[:2]), "has 2 labels, but"),
        (npz(x=np.array([{}, {}]), y=LABELS), "has Python objects"),
        (npz(x=PIXELS.astype(np.uint8), y=LABELS)[:-40], "has damaged data"),
    ],
    ids=named,
)
def test_bad_archives_are_named_with_what_is_wrong(write: Write, content: bytes, message: str) -> None:
    path = write("set.npz", content)
    assert refused(path).startswith(f"{path}: {message}")


def test_an_archive_without_arrays_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr("readme.txt", "text")
    assert "none with pixels" in refused(tmp_path / "set.zip")


def test_a_folder_gives_one_image_of_each_class_in_turn(tmp_path: Path) -> None:
    red, blue, green = (Image.new("RGB", (9, 7), colour) for colour in ("red", "blue", (0, 255, 0)))
    folder = folder_of(tmp_path / "set", {"b": [blue], "a": [red, red, green]})
    (folder / "a" / "notes.txt").write_text("no image")
    images = read_images(folder, side=4)
    assert images.classes == ("a", "b")
    assert images.labels.tolist() == [0, 1, 0, 0]
    assert images.shape == (4, 4, 3)
    assert images.pixels[:, 0, 0].tolist() == [[255, 0, 0], [0, 0, 255], [255, 0, 0], [0, 255, 0]]
    assert read_images(folder).shape == (32, 32, 3)


def test_a_folder_is_grey_if_all_its_images_are(tmp_path: Path) -> None:
    grey = Image.new("L", (4, 4), 128)
    assert read_images(folder_of(tmp_path / "grey", {"a": [grey], "b": [grey]}, "jpg")).shape == (32, 32, 1)
    mixed = folder_of(tmp_path / "mixed", {"a": [grey], "b": [Image.new("RGBA", (4, 4), "red")]})
    assert read_images(mixed, side=4).pixels[:, 0, 0].tolist() == [[128, 128, 128], [255, 0, 0]]


def test_bad_folders_are_named_with_what_is_wrong(tmp_path: Path) -> None:
    grey = Image.fromarray(np.random.default_rng(1).integers(0, 256, (20, 20), dtype=np.uint8))
    one = folder_of(tmp_path / "one", {"a": [grey]})
    assert refused(one).startswith(f"{one}: has 1 folders, but needs one of images per class")
    (one / "b").mkdir()
    assert refused(one) == f"{one}/b: has no image (.jpg, .jpeg, .png); add some, or remove this class"
    content = (one / "a" / "0.png").read_bytes()
    for damaged in (content[:60], b"no image", b""):
        (one / "b" / "x.png").write_bytes(damaged)
        assert re.match(rf"{one}/b/x.png: is not a readable image \(.+\); replace or remove it", refused(one))


def test_digits_come_with_scikit_learn() -> None:
    images = read_images("digits")
    assert images.pixels.shape == (1797, 8, 8, 1)
    assert images.pixels.max() == 255
    # 5 of 16 levels.
    assert images.pixels[0, 0, 2, 0] == 80
    assert images.classes == tuple("0123456789")


@given(
    count=st.integers(30, 200),
    shares=st.tuples(st.floats(0.3, 1), st.floats(0.3, 1), st.floats(0.3, 1)),
    seed=st.integers(0, 5),
    trained=st.booleans(),
)
def test_parts_share_out_all_images(count: int, shares: tuple[float, ...], seed: int, trained: bool) -> None:
    parts = split(count, shares, seed, trained=trained, first=10)
    left_out = round(count * shares[0] / sum(shares))
    assert len(parts.train) == (0 if trained else left_out)
    together = np.concatenate([parts.train, parts.detector, parts.test])
    assert np.sort(together).tolist() == list(range(count - left_out if trained else count))
    assert abs(len(parts.detector) - count * shares[1] / sum(shares)) <= 1
    assert abs(len(parts.test) - count * shares[2] / sum(shares)) <= 1
    if trained:
        # A small test part has fewer.
        assert parts.test[:5].tolist() == [0, 1, 2, 3, 4][: len(parts.test)]


def test_parts_are_random_but_keep_the_order_for_a_trained_classifier() -> None:
    parts = split(10, (0.6, 0.2, 0.2), 1)
    assert (parts.train.tolist(), parts.detector.tolist(), parts.test.tolist()) == (
        [8, 4, 7, 0, 1, 2],
        [5, 9],
        [6, 3],
    )
    parts = split(10, (0.2, 0.4, 0.4), 1, trained=True, first=3)
    assert (parts.train.tolist(), parts.detector.tolist(), parts.test.tolist()) == ([], [3, 4, 6, 7], [0, 1, 2, 5])
    # The training needs no share, and the test always gets its first images.
    parts = split(10, (0, 0.5, 0.5), 1, trained=True, first=100)
    assert parts.test.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("shares", "part"), [((0, 0.5, 0.5), "training"), ((1, 0, 1), "detector"), ((0, 0, 0), "training")]
)
def test_an_empty_part_is_an_error(shares: tuple[float, ...], part: str) -> None:
    with pytest.raises(UserError, match=f"parts: the part {part} has none of the 100 images"):
        split(100, shares, 1)


def test_an_empty_test_is_an_error_for_a_trained_classifier_too() -> None:
    with pytest.raises(UserError, match="parts: the part test has none of the 100 images"):
        split(100, (0, 1, 0), 1, trained=True)


def test_held_out_images_are_written_and_read_again(tmp_path: Path) -> None:
    pixels = PIXELS.astype(np.uint8)[..., None]
    images = ImageSet(pixels, np.array([1, 0, 1, 1]), ("a", "b"), np.arange(4))
    write_held_out(tmp_path / "held_out.npz", images.part(np.array([2])), images.part(np.array([3, 0])))
    detector, test = read_held_out(tmp_path / "held_out.npz")
    assert detector.rows.tolist() == [2]
    assert test.rows.tolist() == [3, 0]
    assert test.classes == ("a", "b")
    assert (test.pixels == pixels[[3, 0]]).all()
    assert test.labels.tolist() == [1, 1]
    first = (tmp_path / "held_out.npz").read_bytes()
    write_held_out(tmp_path / "again.npz", detector, test)
    assert (tmp_path / "again.npz").read_bytes() == first


def test_known_sources_have_a_checksum_and_a_size(repository: Path) -> None:
    table = pd.read_csv(repository / "resources" / "image_sources.tsv", sep="\t")
    assert table["size"].tolist() == [1648877, 4542, 9912422, 28881]
    assert table["checksum"].str.fullmatch("sha256:[0-9a-f]{64}").all()
    assert table["url"].str.startswith("https://").all()


def test_the_two_kinds_of_idx_are_told_apart(write: Write) -> None:
    path = write("labels", idx(LABELS))
    assert read_idx(path, IDX_LABELS).tolist() == [3, 1, 3, 7]
    with pytest.raises(UserError, match=r"exchange the keys images and labels"):
        read_idx(path, IDX_IMAGES)
