"""The three attacks of Carlini and Wagner against plain loops over one example at a time."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from chromattend.robustness.attacks.base import Problem, run_attack
from chromattend.robustness.attacks.carlini import _Descent, _without_least

CONFIDENCE, RATE, ITERATIONS = 2.0, 0.1, 80
# Options of all three attacks; the loops below try the same constants with the same number of steps.
COMMON = {"confidence": CONFIDENCE, "learning_rate": RATE, "iterations": ITERATIONS}


@pytest.fixture(scope="module", params=[False, True], ids=["untargeted", "targeted"])
def problem(digits_problem: Problem, request: pytest.FixtureRequest) -> Problem:
    """Four digits, which are to leave their class or to reach the next one."""
    some = digits_problem.part(slice(4))
    targets = (some.labels + 1) % 10 if request.param else None
    return Problem(some.score, some.inputs, some.labels, targets, channels=1)


def lead_of(problem: Problem, row: int, inputs: Tensor) -> Tensor:
    """Logit of the best class that is not wanted, less that of the one that is."""
    logits = problem.score(inputs[None])[0]
    one = int((problem.labels if problem.targets is None else problem.targets)[row])
    other = torch.cat([logits[:one], logits[one + 1 :]]).max()
    return logits[one] - other if problem.targets is None else other - logits[one]


def descend(
    problem: Problem,
    row: int,
    start: Tensor,
    loss: Callable[[Tensor, Tensor], Tensor],
    enough: Callable[[Tensor], bool],
    keep: Tensor | float = 1.0,
) -> tuple[list[Tensor], Tensor]:
    """Adam in tanh space for one example: changes that achieve what is wanted, in their order, and the last inputs."""
    free = torch.atanh((start * 2 - 1) * 0.999).requires_grad_(True)
    optimiser = torch.optim.Adam([free], RATE)
    achieved = []
    for _ in range(ITERATIONS):
        change = keep * ((torch.tanh(free) + 1) / 2 - problem.inputs[row])
        margin = torch.clamp(lead_of(problem, row, problem.inputs[row] + change) + CONFIDENCE, min=0)
        if float(margin.detach()) == 0:
            achieved.append(change.detach())
            if enough(change.detach()):
                break
        optimiser.zero_grad()
        loss(change, margin).backward()
        optimiser.step()
    return achieved, problem.inputs[row] + change.detach()


def nearest_l2(problem: Problem, row: int, constant: float, searches: int) -> float:
    """CW2 as published, without an early end."""
    best, low, high = float("inf"), 0.0, float("inf")
    for _ in range(searches):

        def loss(change: Tensor, margin: Tensor, constant: float = constant) -> Tensor:
            return (change**2).sum() + constant * margin

        achieved, _ = descend(problem, row, problem.inputs[row], loss, lambda _: False)
        best = min([best] + [float(change.norm()) for change in achieved])
        low, high = (low, constant) if achieved else (constant, high)
        constant = (low + high) / 2 if high < float("inf") else constant * 10
    return best


def nearest_linf(problem: Problem, row: int, constant: float, searches: int) -> float:
    """CWi as published, with constants that grow by 10."""
    best, tau, start, failures = float("inf"), 1.0, problem.inputs[row], 0
    while failures < searches:

        def loss(change: Tensor, margin: Tensor, tau: float = tau, constant: float = constant) -> Tensor:
            return torch.clamp(change.abs() - tau, min=0).sum() + constant * margin

        def enough(change: Tensor, tau: float = tau) -> bool:
            return float(change.abs().max()) <= tau

        achieved, start = descend(problem, row, start, loss, enough)
        best = min([best] + [float(change.abs().max()) for change in achieved])
        if achieved and enough(achieved[-1]):
            tau = 0.9 * float(achieved[-1].abs().max())
        else:
            failures, constant = failures + 1, constant * 10
    return best


def fewest(problem: Problem, row: int, constant: float, searches: int) -> int:
    """CW0 that leaves out a single entry at a time, which is slow."""
    original = problem.inputs[row]
    keep, start, best, failures = torch.ones_like(original), original, original.numel(), 0
    while failures < searches:

        def loss(change: Tensor, margin: Tensor, constant: float = constant) -> Tensor:
            return (change**2).sum() + constant * margin

        achieved, start = descend(problem, row, start, loss, lambda _: True, keep)
        if not achieved:
            failures, constant = failures + 1, constant * 10
            continue
        change = achieved[0].abs()
        inputs = start.clone().requires_grad_(True)
        (slope,) = torch.autograd.grad(lead_of(problem, row, inputs), inputs)
        changed = (keep > 0) & (change > 1e-3)
        best = int(changed.sum())
        keep = changed.float()
        keep.view(-1)[int(torch.where(changed, change * slope.abs(), torch.inf).argmin())] = 0.0
    return best


def test_cw2_is_as_near_as_plain_loops(problem: Problem) -> None:
    changed = run_attack("cw2", problem, options=COMMON | {"constant": 0.1, "searches": 5}).inputs
    distances = (changed - problem.inputs).flatten(1).norm(dim=1)
    assert (distances > 0).all()
    expected = [nearest_l2(problem, row, 0.1, 5) for row in range(len(problem.inputs))]
    # Measured: 0.996 and 0.990 of the distance of the plain loops, whose rate does not fall.
    assert float(distances.mean()) < sum(expected) / len(expected)


def test_cwi_is_as_near_as_plain_loops(problem: Problem) -> None:
    changed = run_attack("cwi", problem, options=COMMON | {"constant": 0.1, "searches": 3}).inputs
    distances = (changed - problem.inputs).flatten(1).abs().amax(dim=1)
    assert (distances > 0).all()
    expected = [nearest_linf(problem, row, 0.1, 3) for row in range(len(problem.inputs))]
    # Measured: 0.95 and 0.97 to 0.98 of the distance of the plain loops, whose rate does not fall.
    assert float(distances.mean()) < sum(expected) / len(expected)


def test_cw0_changes_as_few_entries_as_one_at_a_time(problem: Problem) -> None:
    changed = run_attack("cw0", problem, options=COMMON | {"constant": 1.0, "searches": 2}).inputs
    entries = (changed != problem.inputs).flatten(1).sum(dim=1)
    assert (entries > 0).all()
    expected = [fewest(problem, row, 1.0, 2) for row in range(len(problem.inputs))]
    # Measured: 13 and 13, 37 and 35. The plain loops need up to 60 descents, the attack a third.
    assert int(entries.sum()) <= 1.1 * sum(expected)


def test_a_step_follows_the_gradient_of_the_loss_in_tanh_space() -> None:
    weights = torch.tensor([[1.0, -1.0, 0.3], [0.2, 0.5, -0.7]], dtype=torch.float64)
    inputs = torch.tensor([[0.4, 0.7, 0.1], [0.6, 0.2, 0.5]], dtype=torch.float64)

    def score(x: Tensor) -> Tensor:
        return torch.tanh(x) @ weights.T * 3

    problem = Problem(score, inputs, torch.tensor([1, 0]), torch.tensor([0, 1]), -1.0, 3.0)
    descent = _Descent(problem, 20.0, 0.01, 10)
    start = torch.tensor([[0.9, -0.4, 2.0], [1.5, 0.0, 0.7]], dtype=torch.float64)
    rows, constant = torch.tensor([0, 1]), torch.tensor([0.7, 30.0], dtype=torch.float64)
    descent.start(rows, start)
    before = descent.free.clone()

    def loss(free: Tensor) -> Tensor:
        at = (free.tanh() + 1) / 2 * 4 - 1
        logits = score(at)
        lead = logits[rows, problem.labels] - logits[rows, torch.tensor([0, 1])]
        return ((at - inputs) / 4).square().sum(dim=1) + constant * (lead + 20)

    reached, done, value = descent.step(rows, constant, lambda change: change.flatten(1).square().sum(dim=1))
    torch.testing.assert_close(reached, ((before.tanh() + 1) / 2 * 4 - 1))
    torch.testing.assert_close(value, loss(before))
    assert done.tolist() == [False, False]
    for entry in range(3):
        step = torch.zeros(3, dtype=torch.float64)
        step[entry] = 1e-6
        difference = (loss(before + step) - loss(before - step)) / 2e-6
        # The first step of Adam has the length of its rate.
        torch.testing.assert_close(
            descent.free[:, entry] - before[:, entry], -0.01 * difference.sign(), rtol=1e-5, atol=0
        )
        torch.testing.assert_close(descent.mean[:, entry], 0.1 * difference, rtol=1e-6, atol=1e-9)


def test_pixels_that_matter_least_are_left_out_with_all_their_colours() -> None:
    # Axes: example, colour, pixel. The margin of class 0 has the gradient 1 in the first colour, 2 in the second.
    colours = torch.tensor([[1.0], [2.0]])
    inputs = torch.full((1, 2, 5), 0.5)

    def score(x: Tensor) -> Tensor:
        lead = (x * colours).flatten(1).sum(dim=1)
        return torch.stack([lead, torch.zeros_like(lead)], dim=1)

    change = torch.tensor([[[0.1, 0.3, 0.0, 0.0, -0.4], [0.1, 0.0, 0.0005, 0.05, 0.0]]])
    kept = torch.tensor([True, True, True, True, False]).expand(1, 2, 5)
    rows = torch.tensor([0])
    # Pixel by pixel: 0.1 + 2 * 0.1 = 0.3; 0.3; hardly changed; 2 * 0.05 = 0.1; not allowed before.
    descent = _Descent(Problem(score, inputs, torch.tensor([0]), channels=1), 0.0, 0.1, 10)
    allowed, number = _without_least(descent, rows, inputs + change, kept, torch.tensor([0.4]))
    assert number.tolist() == [1]
    assert allowed.tolist() == [[[True, True, False, False, False]] * 2]
    # Each entry by itself: 0.1, 0.3; 0.2, 0.1, so that two of the four are left out.
    descent = _Descent(Problem(score, inputs, torch.tensor([0])), 0.0, 0.1, 10)
    allowed, number = _without_least(descent, rows, inputs + change, kept, torch.tensor([0.6]))
    assert number.tolist() == [2]
    assert allowed.tolist() == [[[False, True, False, False, False], [True, False, False, False, False]]]
    # Nothing that changed, nothing to leave out.
    assert _without_least(descent, rows, inputs, kept, torch.tensor([0.6]))[1].tolist() == [0]


def test_cw0_of_colour_images_changes_whole_pixels() -> None:
    generator = torch.Generator().manual_seed(4)
    weights = torch.randn(3, 3 * 16, generator=generator)
    inputs = torch.rand(5, 3, 4, 4, generator=generator)

    def score(x: Tensor) -> Tensor:
        return torch.tanh(x.flatten(1)) @ weights.T

    labels = score(inputs).argmax(dim=1)
    pixels = []
    for channels in (1, None):
        problem = Problem(score, inputs, labels, channels=channels)
        changed = run_attack("cw0", problem, options=COMMON | {"constant": 1.0, "searches": 2}).inputs
        assert (score(changed).argmax(dim=1) != labels).all()
        pixels.append(int((changed != inputs).any(dim=1).sum()))
    # The same colours spread over more pixels if each is left out by itself.
    assert pixels == [15, 25]


def test_small_changes_between_wide_bounds_are_the_nearest() -> None:
    # Adam's first steps cross the boundary whatever the constant is, so that a crossing says little of the constant.
    generator = torch.Generator().manual_seed(1)
    inputs = 300 + 400 * torch.rand(4, 30, generator=generator)
    weights = torch.randn(30, generator=generator)
    lead = torch.tensor([80.0, 100.0, -50.0, -200.0])

    def score(x: Tensor) -> Tensor:
        return torch.stack([(x - 500) @ weights, torch.zeros(len(x))], dim=1) / 1000

    # Along the weights until the first class leads by what was chosen.
    inputs = inputs + ((lead - score(inputs)[:, 0] * 1000) / weights.square().sum())[:, None] * weights
    problem = Problem(score, inputs, (lead < 0).long(), low=0, high=1000)
    # The changes are 0.2 to 3.5 % of the range. Measured: at most 1.02 times the nearest in L2 (1.65 if any crossing
    # counts for the constant), 1.11 to 1.35 times in Linf.
    change = (run_attack("cw2", problem, options={"confidence": 0.0}).inputs - inputs).norm(dim=1)
    assert (change / (lead.abs() / weights.norm()) < 1.06).all()
    change = (run_attack("cwi", problem, options={"confidence": 0.0}).inputs - inputs).abs().amax(dim=1)
    assert (change / (lead.abs() / weights.abs().sum()) < 1.5).all()
