"""The attacks of Carlini and Wagner (S&P 2017): the nearest inputs of another class in L2, Linf and L0.

All three descend by Adam in tanh space, in which every point is within the bounds. Each example has its own constant,
its own state of Adam and its own number of steps, and is not computed further when it is done.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from chromattend.robustness.attacks.base import Clock, Problem, gradient, spread

# Where an entry at a bound starts, on the way from the middle to the bound. The authors start at 0.999999, where the
# slope of tanh is 2e-6: with 200 steps, one of 20 digits of MNIST does not move. At 0.999 all do.
INSIDE = 0.999
# The constant grows by this factor until the class changes.
GROWTH = 10.0
# A descent of CW2 ends if a tenth of its steps lowered the loss by less than this share, as by the authors.
LEAST_PROGRESS = 1e-4
# Changes of CW0 by less than this share of the range are undone at once; half of it is the start's own change.
UNCHANGED = 1e-3


class _Descent:
    """Examples on their way in tanh space, each with an Adam of its own.

    Attributes:
        steps: steps of each example since its start, shape (example,).
    """

    def __init__(self, problem: Problem, confidence: float, rate: float, iterations: int) -> None:
        self.problem, self.confidence, self.rate, self.iterations = problem, confidence, rate, iterations
        self.span = problem.high - problem.low
        self.wanted = problem.labels if problem.targets is None else problem.targets
        self.free = self._free(problem.inputs)
        self.mean, self.square = torch.zeros_like(self.free), torch.zeros_like(self.free)
        self.steps = torch.zeros(len(self.free), dtype=torch.int64)

    def start(self, rows: Tensor, inputs: Tensor) -> None:
        """Start examples from given inputs, shape (row, ...), with a new Adam."""
        self.free[rows] = self._free(inputs)
        self.mean[rows], self.square[rows], self.steps[rows] = 0.0, 0.0, 0

    def step(
        self, rows: Tensor, constant: Tensor, distance: Callable[[Tensor], Tensor], allowed: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Evaluate examples where they are, and take one step down the loss: distance + constant * margin.

        Args:
            rows: the examples.
            constant: shape (row,).
            distance: function of the change, shape (row, ...), with the bounds as 0 and 1, to shape (row,).
            allowed: entries that may change, bool, shape (row, ...); None for all.

        Returns:
            Inputs before the step, shape (row, ...); whether they achieve what is wanted with the confidence, bool,
            shape (row,); and their loss, shape (row,).
        """
        original = self.problem.inputs[rows]
        free = self.free[rows].requires_grad_(True)
        with torch.enable_grad():
            inputs = self._inputs(free)
            if allowed is not None:
                inputs = torch.where(allowed, inputs, original)
            lead = self._lead(self.problem.score(inputs), self.wanted[rows])
            margin = (lead + self.confidence).clamp(min=0)
            loss = distance((inputs - original) / self.span) + constant * margin
            (slope,) = torch.autograd.grad(loss.sum(), free)
        self.steps[rows] += 1
        steps = spread(self.steps[rows], slope)
        # Adam (Kingma and Ba, ICLR 2015, algorithm 1) with its usual numbers.
        mean = 0.9 * self.mean[rows] + 0.1 * slope
        square = 0.999 * self.square[rows] + 0.001 * slope**2
        self.mean[rows], self.square[rows] = mean, square
        move = mean / (1 - 0.9**steps) / ((square / (1 - 0.999**steps)).sqrt() + 1e-8)
        # With a constant rate, changes swing around the nearest ones by the length of a step.
        rate = self.rate * (1 - (steps - 1) / self.iterations)
        self.free[rows] = free.detach() - rate * move
        # Without a confidence, a tie would have a margin of 0.
        return inputs.detach(), (margin == 0) & (lead < 0), loss.detach()

    def slope(self, rows: Tensor, inputs: Tensor) -> Tensor:
        """Return the gradient of the margin with respect to inputs, shape (row, ...)."""
        return gradient(self.problem.score, inputs, lambda logits: self._lead(logits, self.wanted[rows]).sum())[1]

    def change(self, rows: Tensor, inputs: Tensor) -> Tensor:
        """Return by how much inputs, shape (row, ...), differ from the original ones, with the bounds as 0 and 1."""
        return (inputs - self.problem.inputs[rows]) / self.span

    def _lead(self, logits: Tensor, wanted: Tensor) -> Tensor:
        """Return by how much a wrong class leads, shape (row,): section V.A, f6 without the maximum with 0."""
        one = logits.gather(1, wanted[:, None])[:, 0]
        other = logits.scatter(1, wanted[:, None], -torch.inf).amax(dim=1)
        return one - other if self.problem.targets is None else other - one

    def _inputs(self, free: Tensor) -> Tensor:
        return ((free.tanh() + 1) / 2 * self.span + self.problem.low).clamp(self.problem.low, self.problem.high)

    def _free(self, inputs: Tensor) -> Tensor:
        return ((inputs - self.problem.low) / self.span * 2 - 1).clamp(-INSIDE, INSIDE).atanh()


def cw2(
    problem: Problem,
    clock: Clock,
    *,
    confidence: float,
    learning_rate: float,
    iterations: int,
    constant: float,
    searches: int,
) -> Tensor:
    """Find the nearest input in L2 that achieves what is wanted (CW2).

    Carlini, Wagner, S&P 2017, section VI.A: descends on |change|^2 + constant * margin, with the constant by bisection.
    Each descent goes on from where the one before ended.

    Args:
        problem: see `Problem`.
        clock: time and progress.
        confidence: by how much (logit) the wanted class must lead, kappa of the paper.
        learning_rate: of Adam, in tanh space, at the start of each descent; it falls to 0 over the iterations.
        iterations: most steps for each constant.
        constant: first constant, for changes with the bounds as 0 and 1.
        searches: number of constants.

    Returns:
        Inputs within the bounds, shape (example, ...); unchanged where nothing was found.
    """
    size = len(problem.inputs)
    descent = _Descent(problem, confidence, learning_rate, iterations)
    result, nearest = problem.inputs.clone(), problem.inputs.new_full((size,), torch.inf)
    weight, low, high = nearest.new_full((size,), constant), torch.zeros_like(nearest), nearest.clone()
    left = torch.full((size,), searches)
    crossed, before = torch.zeros(size, dtype=torch.bool), nearest.clone()
    tenth = -(-iterations // 10)
    active = torch.arange(size)
    while len(active) and not clock.expired:
        inputs, done, loss = descent.step(active, weight[active], _square)
        distance = _square(descent.change(active, inputs))
        crossed[active] |= done
        closer = done & (distance < nearest[active])
        result[active[closer]], nearest[active[closer]] = inputs[closer], distance[closer]
        steps = descent.steps[active]
        check = steps % tenth == 0
        over = (steps >= iterations) | check & (loss > before[active] * (1 - LEAST_PROGRESS))
        before[active[check]] = loss[check]
        # A constant succeeds if the class is crossed where the descent ends: Adam's first steps can cross it with any.
        crossed[active[check & ~over]] = False
        if over.any():
            rows = active[over]
            high[rows] = torch.where(crossed[rows], weight[rows], high[rows])
            low[rows] = torch.where(crossed[rows], low[rows], weight[rows])
            middle = (low[rows] + high[rows]) / 2
            weight[rows] = torch.where(high[rows].isinf(), weight[rows] * GROWTH, middle)
            left[rows] -= 1
            crossed[rows], before[rows] = False, torch.inf
            # The authors start from the input each time, which costs steps: with 200 for each constant, the mean
            # distance of 20 digits of MNIST is 3.07 in place of 2.84.
            descent.start(rows, inputs[over])
            active = active[left[active] > 0]
        clock.tick(size * searches - int(left.sum()), size * searches)
    return result


def cwi(
    problem: Problem,
    clock: Clock,
    *,
    confidence: float,
    learning_rate: float,
    iterations: int,
    constant: float,
    searches: int,
    shrink: float,
) -> Tensor:
    """Find the nearest input in Linf that achieves what is wanted (CWi).

    Carlini, Wagner, S&P 2017, section VI.C: descends on constant * margin + the sum of what exceeds tau. When nothing
    exceeds it, tau shrinks; when that is not reached, the constant grows. Each descent goes on from the one before.

    Args:
        problem: see `Problem`.
        clock: time and progress.
        confidence: by how much (logit) the wanted class must lead, kappa of the paper.
        learning_rate: of Adam, in tanh space, at the start of each descent; it falls to 0 over the iterations.
        iterations: most steps for each tau and constant.
        constant: first constant, for changes with the bounds as 0 and 1.
        searches: number of constants, each 10 times the one before.
        shrink: the next tau as a share of the largest change.

    Returns:
        Inputs within the bounds, shape (example, ...); unchanged where nothing was found.
    """
    size = len(problem.inputs)
    descent = _Descent(problem, confidence, learning_rate, iterations)
    result, nearest = problem.inputs.clone(), problem.inputs.new_full((size,), torch.inf)
    weight, tau = nearest.new_full((size,), constant), torch.ones_like(nearest)
    left = torch.full((size,), searches)
    active = torch.arange(size)
    while len(active) and not clock.expired:
        limit = tau[active]

        def excess(change: Tensor, limit: Tensor = limit) -> Tensor:
            return (change.abs() - spread(limit, change)).clamp(min=0).flatten(1).sum(dim=1)

        inputs, done, _ = descent.step(active, weight[active], excess)
        largest = descent.change(active, inputs).abs().flatten(1).amax(dim=1)
        closer = done & (largest < nearest[active])
        result[active[closer]], nearest[active[closer]] = inputs[closer], largest[closer]
        within = closer & (largest <= limit)
        failed = ~within & (descent.steps[active] >= iterations)
        tau[active[within]] = largest[within] * shrink
        weight[active[failed]] *= GROWTH
        left[active[failed]] -= 1
        ended = within | failed
        if ended.any():
            descent.start(active[ended], inputs[ended])
            active = active[left[active] > 0]
        clock.tick(size - len(active), size)
    return result


def cw0(
    problem: Problem,
    clock: Clock,
    *,
    confidence: float,
    learning_rate: float,
    iterations: int,
    constant: float,
    searches: int,
    share: float,
) -> Tensor:
    """Find an input with few changed entries that achieves what is wanted (CW0).

    Carlini, Wagner, S&P 2017, section VI.B: repeats CW2, from the result so far, each time without the entries that
    matter least: those with the smallest |change * gradient of the margin|. When that fails, fewer are left out, down
    to a single one.

    Args:
        problem: see `Problem`; entries of its axis `channels` are left out together.
        clock: time and progress.
        confidence: by how much (logit) the wanted class must lead, kappa of the paper.
        learning_rate: of Adam, in tanh space, at the start of each descent; it falls to 0 over the iterations.
        iterations: most steps for each set of entries and constant.
        constant: first constant, for changes with the bounds as 0 and 1.
        searches: number of constants, each 10 times the one before.
        share: share of the changed entries that are left out at a time.

    Returns:
        Inputs within the bounds, shape (example, ...); unchanged where nothing was found.
    """
    size = len(problem.inputs)
    descent = _Descent(problem, confidence, learning_rate, iterations)
    result = problem.inputs.clone()
    # Entries that may change, for the result and for the descent that tries to do with fewer.
    kept = torch.ones_like(problem.inputs, dtype=torch.bool)
    allowed = kept.clone()
    dropped = torch.zeros(size, dtype=torch.int64)
    weight, part = result.new_full((size,), constant), result.new_full((size,), share)
    left = torch.full((size,), searches)
    active = torch.arange(size)
    while len(active) and not clock.expired:
        inputs, done, _ = descent.step(active, weight[active], _square, allowed[active])
        over = ~done & (descent.steps[active] >= iterations)
        won, rows = active[done], active[over]
        result[won], kept[won] = inputs[done], allowed[won]
        left[rows] -= 1
        weight[rows] = torch.where(left[rows] > 0, weight[rows] * GROWTH, weight[rows])
        failed = rows[left[rows] == 0]
        part[failed] /= 2
        # The largest constant is tried once with the next set.
        left[failed] = torch.where(dropped[failed] > 1, 1, 0)
        tried = torch.cat([won, failed])
        if len(tried):
            allowed[tried], dropped[tried] = _without_least(descent, tried, result[tried], kept[tried], part[tried])
            left[tried[dropped[tried] == 0]] = 0
        ended = done | over
        if ended.any():
            # A larger constant goes on from where the smaller one ended, another set of entries from the result.
            descent.start(rows, inputs[over])
            descent.start(tried, result[tried])
            active = active[left[active] > 0]
        clock.tick(size - len(active), size)
    return result


def _without_least(
    descent: _Descent, rows: Tensor, inputs: Tensor, kept: Tensor, part: Tensor
) -> tuple[Tensor, Tensor]:
    """Leave out the entries that matter least to CW0, at least one.

    Args:
        descent: the examples.
        rows: some of them.
        inputs: changed inputs, shape (row, ...).
        kept: entries that could change, bool, shape (row, ...).
        part: share of the changed pixels to leave out, shape (row,).

    Returns:
        Entries that may change, bool, shape (row, ...), and the number of changed pixels left out, shape (row,); 0 if
        none was changed.
    """
    change = descent.change(rows, inputs).abs()
    weight = change * descent.slope(rows, inputs).abs()
    axis = descent.problem.channels
    if axis is not None:
        weight, change = weight.sum(dim=axis, keepdim=True), change.amax(dim=axis, keepdim=True)
        kept = kept.any(dim=axis, keepdim=True)
    changed = kept & (change > UNCHANGED)
    number = changed.flatten(1).sum(dim=1)
    out = torch.minimum((number * part).long().clamp(min=1), number)
    order = torch.where(changed, weight, torch.inf).flatten(1).argsort(dim=1, stable=True)
    rank = torch.empty_like(order).scatter_(1, order, torch.arange(order.shape[1]).expand_as(order))
    return (changed & (rank >= out[:, None]).view_as(changed)).expand_as(inputs), out


def _square(change: Tensor) -> Tensor:
    return change.flatten(1).square().sum(dim=1)
