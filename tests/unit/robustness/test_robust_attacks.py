"""Attacks as a whole: against foolbox, within their bounds, and with input that they refuse."""

import inspect
from collections.abc import Callable
from typing import Any

import foolbox
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from chromattend.errors import UserError
from chromattend.robustness.attacks.base import Attacked, Clock, Problem, gradient, run_attack, two_classes
from chromattend.robustness.attacks.registry import ATTACKS, LIMITS, checked_options

# Few steps, for tests of what holds after any number of steps.
QUICK: dict[str, dict[str, Any]] = {
    "fgsm": {},
    "bim": {"iterations": 4},
    "jsma": {"gamma": 0.3},
    "deepfool": {"iterations": 10},
    "cw2": {"iterations": 20, "searches": 4, "confidence": 0.5},
    "cwi": {"iterations": 20, "searches": 3, "confidence": 0.5},
    "cw0": {"iterations": 20, "searches": 3, "confidence": 0.5},
}


def small_network(shape: tuple[int, ...], seed: int, low: float = 0.0, high: float = 1.0) -> Callable[[Tensor], Tensor]:
    """A random network of four classes in double precision, curved so that a gradient at one place tells little."""
    generator = torch.Generator().manual_seed(seed)
    size = int(np.prod(shape))
    first = torch.randn(size, 12, generator=generator, dtype=torch.float64) / size**0.5 * 4
    second = torch.randn(12, 4, generator=generator, dtype=torch.float64)
    return lambda inputs: torch.tanh(((inputs - low) / (high - low) - 0.5).flatten(1) @ first) @ second


def small_problem(
    name: str, shape: tuple[int, ...], seed: int, low: float = 0.0, high: float = 1.0, number: int = 4
) -> Problem:
    """Random inputs of a random network, some of them at a bound, with the targets that an attack can have."""
    generator = torch.Generator().manual_seed(seed + 1)
    unit = (torch.rand(number, *shape, generator=generator, dtype=torch.float64) * 1.6 - 0.3).clamp(0, 1)
    inputs = (low + (high - low) * unit).clamp(low, high)
    score = small_network(shape, seed, low, high)
    labels = score(inputs).argmax(dim=1)
    aims = not ATTACKS[name].untargeted or (ATTACKS[name].targeted and seed % 2 == 1)
    return Problem(score, inputs, labels, (labels + 1) % 4 if aims else None, low, high)


@pytest.fixture(scope="module")
def twenty(digits_problem: Problem) -> Problem:
    """The first twenty digits."""
    return digits_problem.part(slice(20))


def of_foolbox(attack: foolbox.Attack, problem: Problem, epsilon: float | None) -> Tensor:
    """What an attack of foolbox makes of a problem."""
    assert isinstance(problem.score, nn.Module)
    model = foolbox.PyTorchModel(problem.score, bounds=(problem.low, problem.high), device="cpu")
    aim = (
        foolbox.criteria.Misclassification(problem.labels)
        if problem.targets is None
        else foolbox.criteria.TargetedMisclassification(problem.targets)
    )
    _, changed, _ = attack(model, problem.inputs, aim, epsilons=epsilon)
    return changed


def aimed(problem: Problem) -> Problem:
    """The same inputs with the next class as target."""
    return Problem(problem.score, problem.inputs, problem.labels, (problem.labels + 1) % 10)


def l2(changed: Tensor, problem: Problem) -> Tensor:
    return (changed - problem.inputs).flatten(1).norm(dim=1)


def test_fgsm_and_bim_equal_foolbox(twenty: Problem) -> None:
    bim = foolbox.attacks.LinfBasicIterativeAttack(abs_stepsize=0.05, steps=6, random_start=False)
    ours = run_attack("fgsm", twenty, options={"epsilon": 0.2}).inputs
    theirs = of_foolbox(foolbox.attacks.LinfFastGradientAttack(), twenty, 0.2)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)
    for problem in (twenty, aimed(twenty)):
        ours = run_attack("bim", problem, options={"epsilon": 0.2, "step": 0.05, "iterations": 6}).inputs
        torch.testing.assert_close(ours, of_foolbox(bim, problem, 0.2), rtol=0, atol=1e-6)
    # Both change something, and in different directions.
    assert float((ours - theirs).abs().max()) > 0.2


def test_deepfool_has_the_distances_of_foolbox(twenty: Problem) -> None:
    ours = run_attack("deepfool", twenty).inputs
    theirs = of_foolbox(foolbox.attacks.L2DeepFoolAttack(steps=50, candidates=10, overshoot=0.02), twenty, None)
    assert (twenty.score(ours).argmax(dim=1) != twenty.labels).all()
    torch.testing.assert_close(l2(ours, twenty), l2(theirs, twenty), rtol=1e-3, atol=0)


def test_cw2_has_the_distances_of_foolbox(twenty: Problem) -> None:
    options = {"confidence": 2.0, "learning_rate": 0.1, "iterations": 100, "constant": 0.1, "searches": 4}
    theirs = foolbox.attacks.L2CarliniWagnerAttack(
        binary_search_steps=4, steps=100, stepsize=0.1, confidence=2.0, initial_const=0.1
    )
    for problem in (twenty.part(slice(8)), aimed(twenty.part(slice(8)))):
        ours = l2(run_attack("cw2", problem, options=options).inputs, problem)
        assert (ours > 0).all()
        assert float(ours.mean()) == pytest.approx(
            float(l2(of_foolbox(theirs, problem, None), problem).mean()), rel=0.05
        )


@pytest.mark.parametrize("targeted", [False, True])
def test_gradients_equal_finite_differences(targeted: bool) -> None:
    problem = small_problem("bim", (3, 5), 1 if targeted else 2)
    wanted = problem.labels if problem.targets is None else problem.targets
    assert (problem.targets is not None) == targeted

    def loss(logits: Tensor) -> Tensor:
        return nn.functional.cross_entropy(logits, wanted, reduction="sum")

    logits, slope = gradient(problem.score, problem.inputs, loss)
    assert torch.equal(logits, problem.score(problem.inputs))
    step = 1e-6
    for entry in range(15):
        shift = torch.zeros(15, dtype=torch.float64)
        shift[entry] = step
        up, down = (problem.score(problem.inputs + sign * shift.view(3, 5)) for sign in (1, -1))
        each = nn.functional.cross_entropy(up, wanted, reduction="none") - nn.functional.cross_entropy(
            down, wanted, reduction="none"
        )
        torch.testing.assert_close(slope.flatten(1)[:, entry], each / (2 * step), rtol=1e-5, atol=1e-8)
    # FGSM follows it: up for the true class, down for the target.
    inside = (problem.inputs - 0.5).abs() < 0.49
    change = run_attack("fgsm", problem, options={"epsilon": 0.01}).inputs - problem.inputs
    expected = slope.sign() * (-0.01 if targeted else 0.01)
    torch.testing.assert_close(change[inside], expected[inside], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ATTACKS)
@settings(max_examples=4, deadline=None, derandomize=True)
@given(
    shape=st.sampled_from([(1, 3, 4), (5, 2), (7,), (3, 2, 2)]),
    seed=st.integers(0, 10**6),
    low=st.floats(-20, 3),
    span=st.floats(0.01, 200),
)
def test_changed_inputs_keep_shape_and_bounds(
    name: str, shape: tuple[int, ...], seed: int, low: float, span: float
) -> None:
    high = low + span
    problem = small_problem(name, shape, seed, low, high)
    original = problem.inputs.clone()
    options = dict(QUICK[name])
    epsilon = 0.1 * span
    if name in ("fgsm", "bim"):
        options["epsilon"] = epsilon
    if name == "bim":
        options["step"] = 0.04 * span
    first, second = (run_attack(name, problem, options=options, seed=seed).inputs for _ in range(2))
    assert torch.equal(problem.inputs, original)
    assert first.shape == original.shape
    assert first.dtype == original.dtype
    assert bool(torch.isfinite(first).all())
    assert low <= float(first.min())
    assert float(first.max()) <= high
    assert torch.equal(first, second)
    change = first - original
    if name in ("fgsm", "bim"):
        assert float(change.abs().max()) <= epsilon * (1 + 1e-12)
    if name == "jsma":
        changed = change != 0
        assert int(changed.flatten(1).sum(dim=1).max()) <= 0.3 * original[0].numel()
        assert bool((first[changed] == high).all())
    if name.startswith("cw"):
        # What is returned achieves what is wanted with the confidence, or is unchanged.
        logits, labels = problem.score(first), problem.labels[:, None]
        wanted = labels if problem.targets is None else problem.targets[:, None]
        one = logits.gather(1, wanted)[:, 0]
        other = logits.scatter(1, wanted, -torch.inf).amax(dim=1)
        lead = one - other if problem.targets is not None else other - one
        assert bool(((lead >= 0.5 - 1e-9) | (change == 0).flatten(1).all(dim=1)).all())


@pytest.mark.parametrize("name", ATTACKS)
def test_an_example_has_the_same_result_alone(name: str) -> None:
    problem = small_problem(name, (4, 3), 11, number=7)
    options = QUICK[name] | ({"searches": 5} if name.startswith("cw") else {})
    together = run_attack(name, problem, options=options).inputs
    alone = run_attack(name, problem, options=options, batch=1).inputs
    assert (together != problem.inputs).flatten(1).any(dim=1).sum() >= 4
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["cw2", "cwi", "cw0", "deepfool", "jsma"])
def test_the_result_does_not_depend_on_the_unit_of_the_inputs(name: str) -> None:
    plain = small_problem(name, (4, 3), 21, number=5)
    score = plain.score
    scaled = Problem(
        lambda inputs: score((inputs + 3) / 40), plain.inputs * 40 - 3, plain.labels, plain.targets, -3.0, 37.0
    )
    first, second = (run_attack(name, problem, options=QUICK[name]).inputs for problem in (plain, scaled))
    assert bool((first != plain.inputs).any())
    # DeepFool adds a small length to each step, which is in the inputs' unit.
    torch.testing.assert_close(first * 40 - 3, second, rtol=0, atol=1e-2 if name == "deepfool" else 1e-6)


def test_counts_of_a_classifier_with_one_logit_can_be_attacked() -> None:
    weights = torch.tensor([[1.0, -2.0], [0.5, 0.0]])
    score = two_classes(lambda counts: (counts * weights).sum(dim=(1, 2)) - 3)
    counts = torch.tensor([[[9.0, 1.0], [4.0, 2.0]], [[1.0, 5.0], [0.0, 8.0]]])
    assert score(counts).tolist() == [[0.0, 6.0], [0.0, -12.0]]
    problem = Problem(score, counts, torch.tensor([1, 0]), low=0, high=20)
    for name in ("cw2", "cwi", "cw0", "deepfool"):
        changed = run_attack(
            name, problem, options={} if name == "deepfool" else {"confidence": 0.1, "iterations": 80}
        ).inputs
        assert score(changed).argmax(dim=1).tolist() == [0, 1], name
        # The last bin and mark has no weight, so that it moves by Adam's noise only: 0.07 of 20.
        assert (changed - counts)[:, 1, 1].abs().max() < 0.2, name
    # A step along the weights, whose squared norm is 5.25: 6 / 5.25 * weights, and 2 % more.
    nearest = run_attack("deepfool", problem).inputs[0]
    torch.testing.assert_close(nearest, counts[0] - 1.02 * 6 / 5.25 * weights, rtol=1e-4, atol=1e-4)


def test_jsma_changes_the_pairs_of_a_search_over_all_pairs() -> None:
    score = small_network((6,), 5)
    start = torch.tensor([[0.2, 0.9, 0.4, 0.0, 0.7, 0.5]], dtype=torch.float64)
    label = int(score(start).argmax())
    for target in [other for other in range(4) if other != label]:
        for theta in (1.0, -1.0):
            for rounds in (1, 2, 3):
                problem = Problem(score, start, torch.tensor([label]), torch.tensor([target]))
                changed = run_attack("jsma", problem, options={"theta": theta, "gamma": rounds / 3}).inputs[0]
                assert changed.tolist() == jsma_by_pairs(score, start[0], target, theta, rounds).tolist()


def jsma_by_pairs(score: Callable[[Tensor], Tensor], start: Tensor, target: int, theta: float, rounds: int) -> Tensor:
    """Algorithm 3 with the saliency of equation 8 (9 for -1), over all pairs of entries."""
    bound = 1.0 if theta > 0 else 0.0
    changed = start.clone()
    for _ in range(rounds):
        if int(score(changed[None]).argmax()) == target:
            break
        jacobian = torch.autograd.functional.jacobian(lambda x: score(x[None])[0].softmax(dim=0), changed)
        best, pair = 0.0, None
        for p in range(6):
            for q in range(p):
                if bound in (float(changed[p]), float(changed[q])):
                    continue
                own = float(jacobian[target, p] + jacobian[target, q])
                others = float((jacobian[:, p] + jacobian[:, q]).sum()) - own
                if own * theta > 0 and others * theta < 0 and abs(own * others) > best:
                    best, pair = abs(own * others), (p, q)
        if pair is None:
            break
        changed[list(pair)] = bound
    return changed


def test_time_that_is_up_leaves_later_batches_unchanged() -> None:
    problem = small_problem("bim", (4,), 3, number=6)
    score, calls = problem.score, 0
    seen: list[tuple[int, int]] = []

    def slow(inputs: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        if calls == 8:  # one of the check, and five steps of the first batch
            clock.limit = 0.0
        return score(inputs)

    slowed = Problem(slow, problem.inputs, problem.labels, problem.targets)
    clock = Clock(100.0, lambda done, total: seen.append((done, total)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Clock, "of_batch", lambda self, *_: self)
        patch.setattr("chromattend.robustness.attacks.base.Clock", lambda *_: clock)
        attacked = run_attack("bim", slowed, options={"iterations": 5}, batch=2, seconds=100)
    assert attacked.finished.tolist() == [True, True, False, False, False, False]
    moved = (attacked.inputs != problem.inputs).flatten(1).any(dim=1)
    assert moved.tolist() == [True, True, True, True, False, False]


@pytest.mark.parametrize("name", ["cw2", "cwi", "cw0"])
def test_what_was_found_is_returned_when_the_time_is_up(name: str) -> None:
    problem = small_problem(name, (4, 3), 8)

    class Steps(Clock):
        """Time that is up after a number of questions."""

        asked = 0

        @property
        def expired(self) -> bool:
            self.asked += 1
            return self.asked > 60

    options = dict(ATTACKS[name].options) | QUICK[name]
    changed = ATTACKS[name].load()(problem, Steps(), **options)
    assert bool((problem.score(changed).argmax(dim=1) != problem.labels).any())
    nothing = run_attack(name, problem, seconds=0)
    assert torch.equal(nothing.inputs, problem.inputs)
    assert not nothing.finished.any()


def test_progress_counts_inputs() -> None:
    problem = small_problem("cw2", (4, 3), 8, number=5)
    seen: list[tuple[int, int]] = []
    with pytest.MonkeyPatch.context() as patch:
        # A second passes with each look at the clock.
        patch.setattr("time.monotonic", iter(range(10**9)).__next__)
        run_attack("cw2", problem, options=QUICK["cw2"], batch=2, report=lambda *both: seen.append(both))
    assert seen[-1] == (5, 5)
    assert sorted(seen) == seen
    assert {0, 1, 2, 3, 4} <= {done for done, _ in seen}
    assert {total for _, total in seen} == {5}


def test_random_numbers_of_others_are_left_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    run_attack("fgsm", small_problem("fgsm", (4,), 2))
    assert torch.equal(torch.rand(2), expected)


def attacked_with(name: str = "cw2", **changes: Any) -> Attacked:
    """Attack a small problem with something changed."""
    problem = small_problem(name, (4,), 2, number=2)
    given_ = {"score": problem.score, "inputs": problem.inputs, "labels": problem.labels, "targets": None} | changes
    return run_attack(name, Problem(**given_))


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("jsma", {}, "jsma: aims at a class; give targets, such as the next class"),
        ("deepfool", {"targets": torch.tensor([1, 1])}, "deepfool: cannot aim at a class; leave the targets out"),
        ("cw2", {"low": 0.5}, r"cw2: inputs from \S+ to \S+ are outside the bounds from 0.5 to 1; scale the inputs"),
        ("cw2", {"low": 1.0}, "cw2: bounds from 1 to 1 hold no interval; give low below high"),
        ("bim", {"inputs": torch.tensor([[0.1, torch.nan, 0.2, 0.3]] * 2)}, "bim: an input is not finite; remove"),
        ("bim", {"inputs": torch.zeros(0, 4)}, "bim: has no inputs to change; give at least one"),
        (
            "cwi",
            {"labels": torch.tensor([0, 4])},
            "cwi: label class 4 does not exist; the model has the classes 0 to 3",
        ),
        ("cw0", {"targets": torch.tensor([-1, 1])}, "cw0: target class -1 does not exist; the model has the classes"),
        (
            "fgsm",
            {"score": lambda inputs: torch.zeros(len(inputs), 4)},
            "fgsm: needs gradients, but the model's scores",
        ),
        ("fgsm", {"score": lambda inputs: inputs * torch.nan}, "fgsm: the model's scores are not finite; check its"),
        ("fgsm", {"labels": torch.tensor([0])}, "fgsm: has 1 labels for 2 inputs; give one per input"),
    ],
)
def test_a_problem_that_cannot_be_attacked_is_refused(name: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        attacked_with(name, **changes)
    assert "\n" not in str(caught.value)


def test_an_own_class_as_target_is_refused() -> None:
    problem = small_problem("cw2", (4,), 2, number=2)
    targets = torch.stack([(problem.labels[0] + 1) % 4, problem.labels[1]])
    with pytest.raises(UserError, match=rf"cw2: input 1 has its own class {int(problem.labels[1])} as target; give"):
        attacked_with("cw2", targets=targets)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("fgsm", {"epsilom": 0.1}, "fgsm: has no option 'epsilom', did you mean 'epsilon'?; its options are epsilon"),
        ("fgsm", {"epsilon": 0}, "fgsm: option epsilon is 0; give a number that is above 0"),
        ("bim", {"iterations": 2.5}, "bim: option iterations is 2.5; give a whole number that is above 0"),
        ("bim", {"iterations": True}, "bim: option iterations is True; give a whole number that is above 0"),
        ("jsma", {"theta": 0.5}, "jsma: option theta is 0.5; give a number that is 1 or -1"),
        ("jsma", {"gamma": 1.5}, "jsma: option gamma is 1.5; give a number that is above 0 and at most 1"),
        ("cwi", {"shrink": 1.0}, "cwi: option shrink is 1.0; give a number that is between 0 and 1"),
        ("cw2", {"confidence": float("nan")}, "cw2: option confidence is nan; give a number that is 0 or more"),
        ("cw2", {"constant": "1"}, "cw2: option constant is '1'; give a number that is above 0"),
    ],
)
def test_impossible_options_are_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        checked_options(name, options)
    assert str(caught.value) == message


def test_the_registry_has_the_options_of_the_attacks() -> None:
    for spec in ATTACKS.values():
        taken = inspect.signature(spec.load()).parameters.values()
        assert {one.name for one in taken if one.kind == one.KEYWORD_ONLY} == set(spec.options), spec.name
        assert checked_options(spec.name, spec.options) == spec.options
    assert {option for spec in ATTACKS.values() for option in spec.options} == set(LIMITS)
