"""Class optima: a network whose best sequence is known, and substitutions that only ever raise the logit."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from chromattend.models.network import Network
from chromattend.sequence.design import optimise_class, published_optimum, random_letters, substitute
from chromattend.sequence.inputs import SequenceInputs

LENGTH = 20


class Weighted(torch.nn.Module):
    """A weighted sum of letters, with a bonus for a pair of letters that no gradient of one letter shows."""

    strands = "one"

    def __init__(self, bonus: float = 0.0) -> None:
        super().__init__()
        self.weight = torch.randn(LENGTH, 4, generator=torch.Generator().manual_seed(7))
        self.bonus = bonus

    def forward(self, signal: Tensor) -> Tensor:
        return (signal * self.weight).sum(dim=(1, 2)) + self.bonus * signal[:, 3, 0] * signal[:, 4, 0]


def network(bonus: float = 0.0) -> Network:
    model = Network(SequenceInputs("cnn", "dna", 40), {"channels": 2})
    model.replicates = torch.nn.ModuleList([Weighted(bonus)])
    return model.eval()


def training(number: int = 200) -> Tensor:
    return functional.one_hot(random_letters(number, LENGTH, np.ones(4), 3), 4).float()


def test_substitutions_reach_the_best_sequence() -> None:
    model = network()
    weight = model.replicates[0].weight
    letters, scores, number = substitute(model, random_letters(3, LENGTH, np.ones(4), 1))
    assert (letters == weight.argmax(dim=1)).all()
    torch.testing.assert_close(scores, weight.max(dim=1).values.sum().expand(3))
    # Every substitution was needed.
    assert number.tolist() == (random_letters(3, LENGTH, np.ones(4), 1) != letters).sum(dim=1).tolist()


def test_substitutions_stop_at_the_last_step() -> None:
    start = random_letters(2, LENGTH, np.ones(4), 1)
    letters, scores, number = substitute(network(), start, steps=3)
    assert number.tolist() == (letters != start).sum(dim=1).tolist() == [3, 3]
    assert (scores > network()(functional.one_hot(start, 4).float())).all()


def test_all_substitutions_are_tried_at_the_end() -> None:
    """Two substitutions are better than they look to the gradient, which promises more of the others."""
    model = network()

    class Deceptive(Weighted):
        def forward(self, signal: Tensor) -> Tensor:
            # The gradient in the interior of [0, 1] is steep, the values at 0 and 1 are equal.
            steep = (8 * signal * (1 - signal) * (torch.arange(LENGTH) < 15)[:, None]).sum(dim=(1, 2))
            return (signal[:, 19, 2]) + steep

    model.replicates = torch.nn.ModuleList([Deceptive()])
    start = torch.zeros(1, LENGTH, dtype=torch.int64)
    letters, scores, number = substitute(model, start, promising=5)
    assert letters[0, 19] == 2
    assert number.tolist() == [1]
    assert scores.tolist() == [1.0]


def test_design_beats_every_training_sequence() -> None:
    model, signal = network(bonus=1.0), training()
    design = optimise_class(model, signal, iterations=200)
    scores = model(signal)
    assert design.highest_training == float(scores.max())
    assert design.above_training
    assert design.published_above_training
    assert design.score >= design.score_random
    one_hot = functional.one_hot(torch.from_numpy(design.letters).long(), 4).float()
    assert float(model(one_hot[None])) == design.score
    assert float(model(torch.from_numpy(design.published)[None])) == design.score_published
    again = optimise_class(model, signal, scores.numpy(), iterations=200)
    assert (again.letters == design.letters).all()
    assert (again.published == design.published).all()


def test_published_optimum_solves_its_formula() -> None:
    """Of S = sum w x - lambda sum x^2 the optimum is w / (2 lambda), within 0 and 1."""
    optimum = published_optimum(network(), LENGTH, 4, iterations=400)
    weight = network().replicates[0].weight
    expected = (weight / 0.018).clamp(0, 1)
    assert (optimum - expected).abs().max() < 0.02


def test_random_letters_follow_frequencies() -> None:
    letters = random_letters(500, 40, np.array([1.0, 0.0, 3.0, 0.0]), 1)
    assert set(letters.unique().tolist()) == {0, 2}
    assert abs(float((letters == 2).double().mean()) - 0.75) < 0.02


def test_a_design_keeps_the_padding_of_the_sequence_that_it_began_as() -> None:
    model, padded = network(), training()
    model.replicates[0].weight[:8] = -1  # every letter there is worse than none
    padded[:, :8] = 0
    design = optimise_class(model, padded, iterations=5)
    assert design.start == "training"
    assert (design.letters[:8] == -1).all()
    assert (design.letters[8:] >= 0).all()
    assert design.above_training
