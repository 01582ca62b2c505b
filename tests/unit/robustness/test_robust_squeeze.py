"""Squeezers against scipy, definitions written out, and their bounds and gradients."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import median_filter

from chromattend.errors import UserError
from chromattend.robustness.squeeze import Squeezer, largest_logs, squeeze_counts

IMAGES = torch.from_numpy(np.random.default_rng(1).random((3, 2, 7, 6), dtype=np.float32))
COUNTS = np.random.default_rng(2).poisson(3, (4, 11, 3)).astype(np.float32)
EVERY = ["bits_1", "bits_2", "bits_8", "median_1", "median_2", "median_3", "median_9", "nlm_3_3_4", "nlm_5_1_90"]


@pytest.mark.parametrize("window", [1, 2, 3, 4, 5, 9])
def test_median_of_images_is_that_of_scipy(window: int) -> None:
    expected = median_filter(IMAGES.numpy(), size=(1, 1, window, window), mode="reflect")
    assert np.array_equal(Squeezer.parse(f"median_{window}")(IMAGES).numpy(), expected)


@pytest.mark.parametrize("window", [1, 2, 3, 4, 9, 30])
def test_median_of_counts_is_that_of_scipy(window: int) -> None:
    squeezed = squeeze_counts(Squeezer.parse(f"median_{window}"), torch.from_numpy(COUNTS), torch.ones(3))
    assert np.array_equal(squeezed.numpy(), median_filter(COUNTS, size=(1, window, 1), mode="reflect"))


def test_bits_are_the_nearest_levels() -> None:
    values = torch.tensor([0.0, 0.1, 0.2, 0.49, 0.51, 0.9, 1.0]).view(1, 1, 1, 7)
    assert Squeezer.parse("bits_1")(values).flatten().tolist() == [0, 0, 0, 0, 1, 1, 1]
    thirds = [0, 0, 1, 1, 2, 3, 3]
    assert Squeezer.parse("bits_2")(values).flatten().tolist() == pytest.approx([level / 3 for level in thirds])
    levels = torch.arange(256).view(1, 1, 16, 16) / 255
    assert torch.equal(Squeezer.parse("bits_8")(levels), levels)


@pytest.mark.parametrize("bits", range(1, 9))
def test_bits_twice_are_bits_once(bits: int) -> None:
    squeezer = Squeezer.parse(f"bits_{bits}")
    once = squeezer(IMAGES)
    assert torch.equal(squeezer(once), once)
    assert len(once.unique()) <= 2**bits


def nlm_by_definition(values: np.ndarray, window: int, patch: int, strength: float) -> np.ndarray:
    """Return the non-local means of one example, shape (channel, axis, ...), value by value."""
    reach, margin = window // 2, patch // 2
    padded = np.pad(values, [(0, 0)] + [(reach + margin,) * 2] * (values.ndim - 1), mode="symmetric")

    def around(place: tuple[int, ...]) -> np.ndarray:
        return padded[(slice(None), *(slice(at - margin, at + margin + 1) for at in place))]

    result = np.empty_like(values)
    for place in np.ndindex(values.shape[1:]):
        centre = tuple(at + reach + margin for at in place)
        total, weights = 0.0, 0.0
        for shift in product(range(-reach, reach + 1), repeat=len(place)):
            other = tuple(at + by for at, by in zip(centre, shift, strict=True))
            weight = np.exp(-((around(centre) - around(other)) ** 2).mean() / strength**2)
            total, weights = total + weight * padded[(slice(None), *other)], weights + weight
        result[(slice(None), *place)] = total / weights
    return result


@pytest.mark.parametrize(("window", "patch", "strength"), [(3, 3, 40), (5, 3, 90), (3, 1, 25), (5, 5, 60)])
def test_non_local_means_of_images_are_the_definition(window: int, patch: int, strength: int) -> None:
    squeezed = Squeezer.parse(f"nlm_{window}_{patch}_{strength}")(IMAGES.double()).numpy()
    expected = [nlm_by_definition(image, window, patch, strength / 255) for image in IMAGES.double().numpy()]
    assert np.allclose(squeezed, expected, rtol=0, atol=1e-13)
    assert abs(squeezed - IMAGES.numpy()).max() > 0.02


def test_non_local_means_of_counts_are_the_definition_on_the_log_scale() -> None:
    largest = largest_logs(COUNTS)
    squeezed = squeeze_counts(
        Squeezer.parse("nlm_5_3_90"), torch.from_numpy(COUNTS).double(), torch.from_numpy(largest).double()
    )
    levels = np.log1p(COUNTS.astype(float)) / largest
    expected = [nlm_by_definition(one.T, 5, 3, 90 / 255).T for one in levels]
    assert np.allclose(squeezed.numpy(), np.expm1(np.array(expected) * largest), rtol=0, atol=1e-12)


def test_bits_of_counts_are_levels_of_the_log_count() -> None:
    counts = torch.tensor([0.0, 1, 2, 3, 30, 99, 500]).view(1, 7, 1)
    squeezed = squeeze_counts(Squeezer.parse("bits_1"), counts, torch.log1p(torch.tensor([99.0])))
    # Half of the logarithm of 100 is that of 10; a count above the range becomes the largest one.
    assert squeezed.flatten().tolist() == pytest.approx([0, 0, 0, 0, 99, 99, 99], rel=1e-5)


def test_ranges_of_counts() -> None:
    counts = np.zeros((2, 3, 2), dtype=np.int32)
    counts[1, 2, 0] = 9
    assert largest_logs(counts).tolist() == pytest.approx([np.log(10), np.log(2)])


@settings(max_examples=25, deadline=None)
@given(name=st.sampled_from(EVERY), seed=st.integers(0, 2**16), sharp=st.booleans())
def test_squeezed_inputs_stay_within_the_range_of_the_inputs(name: str, seed: int, sharp: bool) -> None:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.rand(2, 3, 5, 4, generator=generator)
    if sharp:
        inputs = inputs.round()
    squeezer = Squeezer.parse(name)
    squeezed = squeezer(inputs)
    assert squeezed.shape == inputs.shape
    assert squeezed.min() >= 0
    assert squeezed.max() <= 1 + 1e-6
    # What has one value everywhere keeps it, up to bit depth.
    flat = torch.full((1, 1, 4, 4), float(sharp))
    assert torch.allclose(squeezer(flat), flat, atol=1e-6)
    counts = torch.poisson(5 * inputs[..., 0].mT, generator=generator)
    largest = torch.from_numpy(largest_logs(counts.numpy()))
    smooth = squeeze_counts(squeezer, counts, largest)
    assert smooth.shape == counts.shape
    assert smooth.min() >= 0
    assert (smooth <= counts.amax((0, 1)).clamp_min(1) * (1 + 1e-5)).all()


@pytest.mark.parametrize("axis", [2, 3])
def test_squeezers_do_not_mix_examples_and_follow_mirrored_images(axis: int) -> None:
    for name in ("median_3", "nlm_3_3_60", "bits_2"):
        squeezer = Squeezer.parse(name)
        assert torch.equal(squeezer(IMAGES)[1:2], squeezer(IMAGES[1:2]))
        assert torch.allclose(squeezer(IMAGES.flip(axis)), squeezer(IMAGES).flip(axis), atol=1e-6)


def test_gradient_of_bits_is_that_of_the_identity() -> None:
    inputs = IMAGES.clone().requires_grad_(True)
    weights = torch.rand(IMAGES.shape, generator=torch.Generator().manual_seed(1))
    (Squeezer.parse("bits_1")(inputs) * weights).sum().backward()
    assert torch.equal(inputs.grad, weights)


@pytest.mark.parametrize("name", ["median_2", "median_3", "nlm_3_3_60"])
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    inputs = IMAGES[:1, :, :4, :4].double().requires_grad_(True)
    assert torch.autograd.gradcheck(Squeezer.parse(name), (inputs,))


@pytest.mark.parametrize(
    "name", ["bits_0", "bits_9", "bits", "median_0", "median_2_2", "nlm_11_3", "nlm_11_3_0", "blur_3", "", "bits_1 "]
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(UserError, match=r"is not a squeezer; choose bits_1 to bits_8, median_N .*such as nlm_11_3_4"):
        Squeezer.parse(name)


def test_windows_of_non_local_means_are_odd() -> None:
    with pytest.raises(UserError, match=r"^nlm_10_3_4: window 10 and patch 3 must be odd"):
        Squeezer.parse("nlm_10_3_4")
