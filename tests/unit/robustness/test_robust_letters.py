"""The fewest letters that turn a prediction."""

from itertools import combinations, product

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from chromattend.robustness.letters import fewest_letters, letters_table


def one_hot(*texts: str) -> Tensor:
    """Return one-hot DNA; a letter other than A, C, G, T is empty."""
    rows = np.vstack([np.eye(4, dtype=np.float32), np.zeros((1, 4), dtype=np.float32)])
    return torch.from_numpy(np.stack([rows[["ACGT".find(letter) for letter in text]] for text in texts]))


def least_by_exhaustion(score: object, sequence: Tensor, most: int) -> int:
    """Return the fewest substitutions that turn the prediction, by trying all of them; -1 if more than `most`."""
    positive = score(sequence[None])[0] > 0
    places = torch.nonzero(sequence.sum(dim=1) > 0).squeeze(1).tolist()
    for number in range(1, most + 1):
        for chosen in combinations(places, number):
            tried = sequence.repeat(4**number, 1, 1)
            for row, letters in enumerate(product(range(4), repeat=number)):
                tried[row, list(chosen)] = torch.eye(4)[list(letters)]
            if ((score(tried) > 0) != positive).any():
                return number
    return -1


def test_letters_of_a_linear_model_are_the_fewest() -> None:
    """Each letter adds its own part to the logit, so the greedy choice is the best one."""
    generator = torch.Generator().manual_seed(3)
    weights = torch.randn(7, 4, generator=generator)
    sequences = torch.eye(4)[torch.randint(0, 4, (24, 7), generator=generator)]
    sequences[:6, 5:] = 0

    def score(inputs: Tensor) -> Tensor:
        return (inputs * weights).sum(dim=(1, 2)) - 2

    edited = fewest_letters(score, sequences, 3, shortlist=3)
    least = [least_by_exhaustion(score, sequence, 3) for sequence in sequences]
    assert edited.changes.tolist() == least
    # -1: not within the budget.
    assert sorted(set(least)) == [-1, 1, 2, 3]


def test_letters_of_a_network_are_never_fewer_than_the_fewest() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv1d(4, 8, 3), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(8, 1))
    network.eval().requires_grad_(False)
    sequences = torch.eye(4)[torch.randint(0, 4, (30, 6))]
    middle = network(sequences.mT).median()

    def score(inputs: Tensor) -> Tensor:
        return network(inputs.mT).squeeze(1) - middle

    edited = fewest_letters(score, sequences, 3)
    least = np.array([least_by_exhaustion(score, sequence, 3) for sequence in sequences])
    seen = edited.changes.numpy()
    known = seen > 0
    assert (least[known] > 0).all()
    assert (seen[known] >= least[known]).all()
    assert (seen == least).mean() > 0.8
    # The returned sequences are one-hot, turn the prediction and differ in as many letters as is said.
    assert ((score(edited.inputs) > 0) != (score(sequences) > 0)).tolist() == known.tolist()
    assert torch.equal(edited.inputs.sum(dim=2), torch.ones(30, 6))
    assert (edited.inputs != sequences).any(dim=2).sum(dim=1).tolist() == np.maximum(seen, 0).tolist()


def test_padding_and_unknown_letters_stay_empty() -> None:
    sequences = one_hot("NNACGTNACGNN")

    def score(inputs: Tensor) -> Tensor:
        # A letter in the padding would turn the prediction at once.
        return 20 * inputs[:, :2].sum(dim=(1, 2)) + inputs[:, :, 3].sum(dim=1) - 3.5

    edited = fewest_letters(score, sequences, 8)
    assert edited.changes.tolist() == [3]
    assert torch.equal(edited.inputs.sum(dim=2), sequences.sum(dim=2))


def test_needless_substitutions_are_taken_back() -> None:
    """The first position promises most, but the other two turn the prediction without it."""

    def score(inputs: Tensor) -> Tensor:
        first, second, third = inputs[:, 0, 3], inputs[:, 1, 3], inputs[:, 2, 3]
        return first + 0.9 * second + 0.9 * third + 10 * second * third - 3

    assert fewest_letters(score, one_hot("AAAA"), 3).changes.tolist() == [2]


def test_a_budget_that_is_too_small_leaves_the_sequence() -> None:
    sequences = one_hot("AAAAAA", "NNNNNN")

    def score(inputs: Tensor) -> Tensor:
        return inputs[:, :, 3].sum(dim=1) - 2.5

    assert fewest_letters(score, sequences, 3).changes.tolist() == [3, -1]
    too_small = fewest_letters(score, sequences, 2)
    assert too_small.changes.tolist() == [-1, -1]
    assert torch.equal(too_small.inputs, sequences)


def test_table_of_letters() -> None:
    sequences = one_hot("NACGTTN", "NTTAACN", "NAAAAAN", "TTTTTTT")

    def score(inputs: Tensor) -> Tensor:
        return inputs[:, :, 3].sum(dim=1) - 1.5

    table = letters_table(score, sequences, ["one", "two", "NA", "long"], np.array([1, 0, 0, 1]), "ACGTN", 5)
    assert list(table.columns) == [
        *("sequence", "label", "score", "call", "right", "length", "changes", "edited", "substitutions"),
    ]
    assert table["sequence"].tolist() == ["one", "two", "NA", "long"]
    assert table["call"].tolist() == [1, 1, 0, 1]
    assert table["right"].tolist() == [True, False, True, True]
    assert table["length"].tolist() == [5, 5, 5, 7]
    assert table["score"].iloc[0] == pytest.approx(1 / (1 + np.exp(-0.5)))
    # Two more T turn the third; one T less turns the first; the second is wrong; the fourth needs six.
    assert table["changes"].astype(object).where(table["changes"].notna(), None).tolist() == [1, None, 2, None]
    assert table["edited"].iloc[0].count("T") == 1
    assert len(table["edited"].iloc[0]) == 5
    assert table["edited"].iloc[2].count("T") == 2
    old, place, new = (table["substitutions"].iloc[0][at] for at in (0, 1, 2))
    assert (old, new) == ("T", table["edited"].iloc[0][int(place) - 1])
    assert place in "45"
    assert table["edited"].isna().tolist() == table["substitutions"].isna().tolist() == [False, True, False, True]
