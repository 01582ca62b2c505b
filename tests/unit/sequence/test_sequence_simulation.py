"""The synthetic set: its files, its truth, and what tells its classes apart."""

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from chromattend.errors import UserError
from chromattend.files import read_json
from chromattend.sequence.alphabets import ALPHABETS, reverse_complement
from chromattend.sequence.readers import Sequences, read_sequences
from chromattend.sequence.simulate import FOLLOWS, MOTIFS, background, simulate_sequences
from chromattend.text import read_small_table

DNA = ALPHABETS["dna"]
FILES = ("positives.fa", "sequences.tsv", "simulation.json", "test.fa", "truth.tsv")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("synthetic")
    simulate_sequences(path, 3, positives=300, test=60)
    return path


def truth(folder: Path) -> list[dict[str, str]]:
    _, header, rows = read_small_table(folder / "truth.tsv")
    return [dict(zip(header, cells, strict=True)) for _, cells in rows]


def sequences(folder: Path) -> tuple[Sequences, Sequences]:
    train = read_sequences(folder / "positives.fa", DNA, label=1)
    return train, read_sequences(folder / "test.fa", DNA, labelled=True)


def test_sites_are_where_the_truth_says(folder: Path) -> None:
    train, test = sequences(folder)
    letters = dict(zip(train.names + test.names, train.letters + test.letters, strict=True))
    widths = {motif.name: len(motif.consensus) for motif in MOTIFS}
    last: tuple[str, int] = ("", 0)
    for site in truth(folder):
        start, end = int(site["start"]), int(site["end"])
        own = letters[site["sequence"]][start:end]
        assert DNA.decode(own if site["strand"] == "+" else reverse_complement(own)) == site["site"]
        assert end - start == widths[site["motif"]]
        assert site["sequence"] != last[0] or start >= last[1]
        last = site["sequence"], end
    assert Counter(site["strand"] for site in truth(folder)).most_common(1)[0][1] < 0.6 * len(truth(folder))


def test_motifs_are_as_frequent_and_pure_as_declared(folder: Path) -> None:
    sites = truth(folder)
    for motif in MOTIFS:
        own = [site["site"] for site in sites if site["motif"] == motif.name]
        assert abs(len(own) / 360 - motif.share) < 0.1
        counts = np.array([[Counter(column)[letter] for letter in "ACGT"] for column in zip(*own, strict=True)])
        assert np.abs(counts / len(own) - motif.probabilities).max() < 0.15
        np.testing.assert_allclose(motif.probabilities.sum(axis=1), 1)


def test_negatives_have_the_same_dinucleotides(folder: Path) -> None:
    _, test = sequences(folder)
    assert test.labels == [1] * 60 + [0] * 60
    for row in range(60):
        pair = [Counter(itertools.pairwise(each.tolist())) for each in (test.letters[row], test.letters[row + 60])]
        assert pair[0] == pair[1]
        assert test.names[row + 60] == f"{test.names[row]}_shuffle"


def test_background_has_the_dinucleotides_of_the_genome() -> None:
    letters = background(np.random.default_rng(1), 400, 101)
    counts = np.zeros((4, 4))
    np.add.at(counts, (letters[:, :-1], letters[:, 1:]), 1)
    np.testing.assert_allclose(counts / counts.sum(axis=1, keepdims=True), FOLLOWS, atol=0.02)
    np.testing.assert_allclose(FOLLOWS.sum(axis=1), 1)


def test_same_arguments_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    simulate_sequences(tmp_path, 3, positives=300, test=60)
    assert sorted(path.name for path in tmp_path.iterdir()) == list(FILES)
    for name in ("positives.fa", "test.fa", "truth.tsv"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
    assert read_json(tmp_path / "simulation.json")["seed"] == 3
    before = (tmp_path / "positives.fa").stat().st_mtime_ns
    simulate_sequences(tmp_path, 3, positives=300, test=60)
    assert (tmp_path / "positives.fa").stat().st_mtime_ns == before
    # What is incomplete, or of other arguments, is written again.
    (tmp_path / "test.fa").unlink()
    simulate_sequences(tmp_path, 3, positives=300, test=60)
    assert (tmp_path / "test.fa").read_bytes() == (folder / "test.fa").read_bytes()
    simulate_sequences(tmp_path, 4, positives=300, test=60)
    assert (tmp_path / "test.fa").read_bytes() != (folder / "test.fa").read_bytes()


def test_sheet_names_the_files(folder: Path) -> None:
    _, header, ((_, cells),) = read_small_table(folder / "sequences.tsv")
    row = dict(zip(header, cells, strict=True))
    assert row["set"] == "synthetic"
    assert row["tf"] in {motif.name for motif in MOTIFS}
    assert Path(row["positives"]).is_file()
    assert Path(row["test"]).is_file()
    assert row["negatives"] == "shuffle"


@pytest.mark.parametrize("arguments", [{"positives": 3}, {"test": 0}, {"length": 50}, {"seed": -1}])
def test_impossible_arguments(tmp_path: Path, arguments: dict[str, int]) -> None:
    with pytest.raises(UserError, match="out of range; give at least"):
        simulate_sequences(tmp_path, **arguments)
    assert not list(tmp_path.iterdir())
