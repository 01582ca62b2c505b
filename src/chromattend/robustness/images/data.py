"""Readers of images with classes, and their division into parts."""

import math
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from chromattend.errors import UserError, listed
from chromattend.files import atomic
from chromattend.robustness.study import DIGITS
from chromattend.text import open_bytes

# Magic numbers of IDX files with values of 8 bits: two zero bytes, 8 for the type, and the number of axes.
IDX_IMAGES, IDX_LABELS = 0x0803, 0x0801
# Endings of the files of a folder that are images.
ENDINGS = (".jpg", ".jpeg", ".png")
# Height and width of images from a folder, if the network has none of its own.
SIDE = 32
# Errors that reading a damaged archive can raise.
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError)


@dataclass(frozen=True)
class ImageSet:
    """Images with classes.

    Attributes:
        pixels: uint8, shape (image, height, width, channel), with 1 channel (grey) or 3 (red, green, blue).
        labels: class of each image from 0, int64, shape (image,).
        classes: name of each class.
        rows: place of each image in its source, from 0, int64, shape (image,).
    """

    pixels: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    rows: np.ndarray

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        height, width, channels = self.pixels.shape[1:]
        return height, width, channels

    def part(self, chosen: np.ndarray) -> "ImageSet":
        """Return some of the images, by their places in this set."""
        return ImageSet(self.pixels[chosen], self.labels[chosen], self.classes, self.rows[chosen])


@dataclass(frozen=True)
class Parts:
    """Places of the images of each part, int64: what a classifier learns from, what gives the thresholds, the test."""

    train: np.ndarray
    detector: np.ndarray
    test: np.ndarray


def read_images(images: str | Path, labels: str | Path | None = None, side: int | None = None) -> ImageSet:
    """Read images with their classes.

    Args:
        images: what to read:

            - an IDX file with pixels of 8 bits, compressed or not, whose classes are in the file `labels`;
            - an npz archive with the array x, uint8 of shape (image, height, width) or (image, height, width, channel),
              and the array y, whole numbers of shape (image,). Without these names, the first array of either kind;
            - a folder with one folder of JPEG or PNG images per class. Its images are scaled to squares, and come in
              turns, one of each class, so that the first images are of all classes;
            - `digits`: the 1,797 digits of scikit-learn, 8 x 8 pixels of 16 levels.
        labels: IDX file with the classes of an IDX file.
        side: height and width (pixels) that images of a folder are scaled to; by default 32.

    Raises:
        UserError: a file is truncated, damaged or of another kind; the numbers of images and labels differ; a class has
            no image; or there are fewer than two classes.
    """
    path = Path(images)
    if images != DIGITS and not path.exists():
        raise UserError(f"{images}: does not exist; correct the path of the images")
    is_idx = images != DIGITS and not path.is_dir() and not _is_archive(path)
    if labels is not None and not is_idx:
        raise UserError(f"{labels}: only IDX images have labels in another file; remove the key labels")
    if images == DIGITS:
        return _digits()
    if path.is_dir():
        return _read_folder(path, side or SIDE)
    if not is_idx:
        return _read_npz(path)
    if labels is None:
        raise UserError(f"{images}: has no labels, as IDX images are without them; give their file as the key labels")
    pixels = read_idx(path, IDX_IMAGES)[..., None]
    return _image_set(pixels, read_idx(labels, IDX_LABELS), str(images), str(labels))


def read_idx(path: str | Path, magic: int) -> np.ndarray:
    """Read an IDX file with values of 8 bits, uint8: shape (image, height, width), or (image,) for labels.

    Args:
        path: the file, compressed or not.
        magic: `IDX_IMAGES` or `IDX_LABELS`.

    Raises:
        UserError: the file is not IDX, has the other of the two kinds, or is truncated, damaged or too long.
    """
    if not Path(path).is_file():
        raise UserError(f"{path}: is not a file; correct the path")
    kinds = {IDX_IMAGES: "images", IDX_LABELS: "labels"}
    axes = magic & 0xFF
    with open_bytes(path) as stream:
        head = stream.read(4)
        number = struct.unpack(">I", head)[0] if len(head) == 4 else 0
        if number != magic and number in kinds:
            raise UserError(
                f"{path}: has {kinds[number]} (magic number {number}) in place of {kinds[magic]} ({magic}); exchange "
                "the keys images and labels"
            )
        if number != magic:
            known = f"magic number {number}" if len(head) == 4 else f"only {len(head)} bytes"
            raise UserError(
                f"{path}: has {known} in place of {magic}, so it is not an IDX file with {kinds[magic]} of 8 bits; "
                "give one, an npz archive or a folder"
            )
        sizes = stream.read(4 * axes)
        shape = struct.unpack(f">{axes}I", sizes) if len(sizes) == 4 * axes else None
        content = stream.read()
    if shape is None or len(content) != math.prod(shape):
        wanted = "its header" if shape is None else f"the {math.prod(shape)} bytes that its header gives"
        much = "more" if shape and len(content) > math.prod(shape) else "less"
        raise UserError(f"{path}: has {much} than {wanted}; copy or download it again")
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)


def split(count: int, shares: Sequence[float], seed: int, *, trained: bool = False, first: int = 0) -> Parts:
    """Divide images into parts by a seed.

    For a classifier that has been trained elsewhere, nothing is learned, and the first images of the file are the ones
    to take, because published figures are of them. So the share of the training leaves out images at the end of the
    file, and the others keep their order: the first ones always belong to the test, and those of the detectors are
    drawn from the rest. With the default shares, MNIST's 10,000 images give 1,000 for the detectors and 1,000 for the
    test from the first 2,000, about as many as in the paper.

    Args:
        count: number of images.
        shares: weights of the parts train, detector and test, at least 0.
        seed: seed of the draw.
        trained: whether the classifier has been trained.
        first: images at the beginning that belong to the test, if the classifier has been trained.

    Returns:
        Places from 0: in a random order, or in the order of the file for a classifier that has been trained.

    Raises:
        UserError: a part has no image.
    """
    total = sum(shares)
    bounds = [round(count * sum(shares[:end]) / total) if total else 0 for end in (1, 2)]
    sizes = {"training": bounds[0], "detector": bounds[1] - bounds[0], "test": count - bounds[1] if total else 0}
    if empty := [name for name, size in sizes.items() if not size and not (trained and name == "training")]:
        raise UserError(
            f"parts: the part {empty[0]} has none of the {count} images; raise its share, or give more images"
        )
    generator = np.random.default_rng(seed)
    if not trained:
        train, detector, test = np.split(generator.permutation(count), bounds)
        return Parts(train, detector, test)
    used = sizes["detector"] + sizes["test"]
    detector = np.sort(generator.choice(np.arange(min(first, sizes["test"]), used), sizes["detector"], replace=False))
    return Parts(np.arange(0), detector, np.setdiff1d(np.arange(used), detector))


def write_held_out(path: str | Path, detector: ImageSet, test: ImageSet) -> None:
    """Write the images that a classifier did not learn from as npz: pixels, labels and rows of both parts."""
    parts = {"detector": detector, "test": test}
    arrays = {
        f"{name}_{key}": getattr(part, key) for name, part in parts.items() for key in ("pixels", "labels", "rows")
    }
    with atomic(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, classes=np.array(test.classes), **arrays)


def read_held_out(path: str | Path) -> tuple[ImageSet, ImageSet]:
    """Read the detectors' images and those of the test from `write_held_out`."""
    with np.load(path, allow_pickle=False) as arrays:
        classes = tuple(map(str, arrays["classes"]))
        detector, test = (
            ImageSet(arrays[f"{name}_pixels"], arrays[f"{name}_labels"], classes, arrays[f"{name}_rows"])
            for name in ("detector", "test")
        )
    return detector, test


def _digits() -> ImageSet:
    from sklearn.datasets import load_digits

    digits = load_digits()
    # Values from 0 to 16.
    pixels = np.round(digits.images * (255 / 16)).astype(np.uint8)[..., None]
    return _image_set(pixels, digits.target, DIGITS, DIGITS)


def _image_set(pixels: np.ndarray, labels: np.ndarray, images_name: str, labels_name: str) -> ImageSet:
    """Check pixels and whole numbers, and name the classes after the numbers."""
    if len(pixels) != len(labels):
        raise UserError(
            f"{labels_name}: has {len(labels)} labels, but {images_name} has {len(pixels)} images; give files of the "
            "same images"
        )
    if pixels.shape[-1] not in (1, 3):
        raise UserError(
            f"{images_name}: has images of {pixels.shape[-1]} colours, with the shape {pixels.shape[1:]}; save 1 or 3 "
            "colours, as the last axis"
        )
    numbers, classes = np.unique(labels, return_inverse=True)
    if len(numbers) < 2:
        raise UserError(f"{labels_name}: has {len(numbers)} classes; give images of at least 2")
    names = tuple(str(number) for number in numbers)
    return ImageSet(np.ascontiguousarray(pixels), classes.astype(np.int64), names, np.arange(len(pixels)))


def _read_npz(path: Path) -> ImageSet:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: np.asarray(archive[name]) for name in archive.files}
    except _DAMAGED as error:
        what = "Python objects" if "pickle" in str(error).lower() else "damaged data"
        raise UserError(f"{path}: has {what} ({error}); save arrays of numbers again with numpy.savez") from None
    pixels = arrays.get("x", next((one for one in arrays.values() if _is_pixels(one)), None))
    labels = arrays.get("y", next((one for one in arrays.values() if _is_labels(one)), None))
    if pixels is None or labels is None:
        missing = "pixels, uint8 of 3 or 4 axes" if pixels is None else "labels, whole numbers of 1 axis"
        raise UserError(
            f"{path}: has the arrays {listed(list(arrays)) or 'none'}, but none with {missing}; save them as x and y"
        )
    # Some archives have the labels as a column.
    labels = labels.reshape(-1) if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if not _is_pixels(pixels):
        raise UserError(
            f"{path}: the array of pixels is {pixels.dtype} of shape {pixels.shape}; save whole numbers from 0 to 255 "
            "as uint8, with the axes image, height, width and, of coloured images, colour"
        )
    if not _is_labels(labels):
        raise UserError(
            f"{path}: the array of labels is {labels.dtype} of shape {labels.shape}; save one whole number per image"
        )
    return _image_set(pixels if pixels.ndim == 4 else pixels[..., None], labels, str(path), str(path))


def _is_archive(path: Path) -> bool:
    """Return whether a file is a zip archive, as npz is, or begins like one."""
    with open(path, "rb") as file:
        return file.read(4) == b"PK\x03\x04"


def _is_pixels(array: np.ndarray) -> bool:
    return array.dtype == np.uint8 and array.ndim in (3, 4)


def _is_labels(array: np.ndarray) -> bool:
    return array.dtype.kind in "iu" and array.ndim == 1


def _read_folder(folder: Path, side: int) -> ImageSet:
    inside = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if len(inside) < 2:
        raise UserError(
            f"{folder}: has {len(inside)} folders, but needs one of images per class, of at least 2 classes; sort the "
            "images into them"
        )
    files = []
    for one in inside:
        paths = sorted(path for path in one.iterdir() if path.suffix.lower() in ENDINGS)
        if not paths:
            raise UserError(f"{one}: has no image ({', '.join(ENDINGS)}); add some, or remove this class")
        files.append(paths)
    turns = sorted((turn, label) for label, paths in enumerate(files) for turn in range(len(paths)))
    pictures = [_read_picture(files[label][turn], side) for turn, label in turns]
    # Grey only if all are, because a network takes images of one kind.
    mode = "L" if all(picture.mode == "L" for picture in pictures) else "RGB"
    pixels = np.stack([np.asarray(picture.convert(mode)).reshape(side, side, -1) for picture in pictures])
    labels = np.array([label for _, label in turns], dtype=np.int64)
    return ImageSet(pixels, labels, tuple(one.name for one in inside), np.arange(len(pixels)))


def _read_picture(path: Path, side: int) -> Image.Image:
    """Read an image as a square, grey or red, green and blue."""
    try:
        with Image.open(path) as picture:
            grey = picture.mode in ("1", "L", "LA")
            return picture.convert("L" if grey else "RGB").resize((side, side), Image.Resampling.BILINEAR)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        # Pillow's message may name the file, too.
        reason = "unknown format" if isinstance(error, UnidentifiedImageError) else str(error)
        raise UserError(f"{path}: is not a readable image ({reason}); replace or remove it") from None
