"""Motifs are found where attributions point, kept in files that others read, and named with care."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from chromattend.errors import UserError
from chromattend.sequence import matching
from chromattend.sequence.database import (
    Database,
    read_database,
    read_jaspar,
    read_meme_database,
    write_database,
)
from chromattend.sequence.matching import match, scan, similar, verdict
from chromattend.sequence.motifs import (
    DNA,
    PROTEIN,
    Motif,
    discover,
    filter_motifs,
    first_convolution,
    information,
    pwm_of_optimum,
    read_meme,
    site_table,
    trimmed,
    write_meme,
)

E_BOX = "GGTCACGTGACC"
YY1 = "CAAGATGGCGGC"  # what networks learn of YY1's peaks; not its own reverse complement


def letters_of(text: str, alphabet: str = DNA) -> np.ndarray:
    return np.array([alphabet.index(letter) for letter in text])


def one_hot(letters: np.ndarray, size: int = 4) -> np.ndarray:
    return np.eye(size, dtype=np.float32)[letters]


def planted(
    motifs: list[str], *, number: int = 120, length: int = 80, both: bool = False, alphabet: str = DNA, seed: int = 1
) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Random sequences with one of the motifs each, attributions of 1 on it and noise, and where it is."""
    generator = np.random.default_rng(seed)
    letters = generator.integers(len(alphabet), size=(number, length))
    projected = generator.normal(scale=0.1, size=(number, length))
    rows = []
    for row in range(number):
        text = motifs[row % len(motifs)]
        start = int(generator.integers(length - len(text)))
        reverse = both and bool(generator.integers(2))
        code = letters_of(text, alphabet)
        letters[row, start : start + len(text)] = 3 - code[::-1] if reverse else code
        projected[row, start : start + len(text)] += 1
        rows.append((row, start, "-" if reverse else "+"))
    signal = one_hot(letters, len(alphabet))
    return signal, signal * projected[:, :, None], pd.DataFrame(rows, columns=["sequence", "start", "strand"])


def pwm(text: str, sure: float = 0.97, name: str = "x") -> Motif:
    return Motif(name, one_hot(letters_of(text)) * (sure - (1 - sure) / 3) + (1 - sure) / 3, 100)


# About what networks learn of the peaks of two factors, in percent of A, C, G and T: GGTCACGTGgCC and CAAgATGGCGGC.
# The verdict depends on how sure each position is, not only on the consensus.
USF1_LIKE = [
    *([25, 15, 50, 10], [12, 2, 85, 1], [1, 5, 2, 92], [0, 100, 0, 0], [100, 0, 0, 0], [0, 97, 0, 3]),
    *([20, 1, 78, 1], [0, 0, 0, 100], [0, 0, 100, 0], [35, 20, 40, 5], [5, 55, 20, 20], [5, 55, 35, 5]),
]
YY1_LIKE = [
    *([20, 60, 8, 12], [85, 4, 9, 2], [85, 4, 3, 8], [27, 20, 48, 5], [100, 0, 0, 0], [0, 0, 0, 100]),
    *([0, 0, 100, 0], [0, 0, 100, 0], [2, 96, 0, 2], [3, 20, 65, 12], [9, 11, 75, 5], [5, 82, 6, 7]),
]


def of_percent(percent: list[list[int]], sites: int = 50, **control: float) -> Motif:
    return Motif("motif_1", np.array(percent) / 100, sites, **control)


@pytest.fixture(scope="module")
def jaspar() -> Database:
    return read_jaspar()


def test_a_planted_motif_is_found_on_both_strands_with_its_places() -> None:
    signal, weights, truth = planted([YY1], both=True)
    (motif,) = discover(signal, weights, number=1)
    assert motif.sites >= 117
    assert motif.consensus in (YY1, "GCCGCCATCTTG")
    assert motif.probabilities.min(axis=1).max() < 0.01
    assert motif.probabilities.max(axis=1).min() > 0.95
    both = motif.places.merge(truth, on="sequence")
    assert (both["start_x"] == both["start_y"]).mean() > 0.97
    assert (both["end"] - both["start_x"] == 12).all()
    # Planted on the strand that the matrix shows, or always on the other.
    assert abs((both["strand_x"] == both["strand_y"]).mean() - 0.5) > 0.47
    assert (motif.places["strand"] == "+").mean() >= 0.5
    assert motif.p < 1e-20
    assert motif.control < 60


def test_one_strand_finds_half_of_what_lies_on_both() -> None:
    signal, weights, truth = planted([YY1], both=True)
    one = discover(signal, weights, both=False)[0]
    forward = set(truth.loc[truth["strand"] == ("+" if one.consensus == YY1 else "-"), "sequence"])
    assert len(set(one.places["sequence"]) & forward) > 0.9 * len(forward)
    assert one.sites < 90
    assert set(one.places["strand"]) == {"+"}


def test_the_same_seed_gives_the_same_motifs() -> None:
    signal, weights, _ = planted([YY1, E_BOX], number=60)
    first, second = discover(signal, weights), discover(signal, weights)
    assert [motif.name for motif in first] == [motif.name for motif in second]
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.probabilities, other.probabilities)
        pd.testing.assert_frame_equal(one.places, other.places)
        assert one.p == other.p


def test_two_motifs_are_found_one_after_the_other() -> None:
    signal, weights, _ = planted([YY1, YY1, "TGACTCAGGTTT"], number=150, both=True)
    first, second = discover(signal, weights)[:2]
    assert first.consensus in (YY1, "GCCGCCATCTTG")
    assert "TGACTCA" in second.consensus or "TGAGTCA" in second.consensus
    assert first.sites >= 95
    assert 40 <= second.sites <= 60
    assert list(site_table([first, second], range(150)).columns)[:2] == ["motif", "sequence"]


def test_protein_motifs_are_found_forward_only() -> None:
    signal, weights, truth = planted(["RGDWCHKM"], alphabet=PROTEIN, number=60)
    motif = discover(signal, weights, letters=PROTEIN)[0]
    assert "RGDWCHKM" in motif.consensus
    assert set(motif.places["strand"]) == {"+"}
    places = motif.places.merge(truth, on="sequence")
    assert (places["start_x"] + motif.consensus.index("RGDWCHKM") == places["start_y"]).mean() > 0.95


def test_maps_of_other_sequences_point_to_nothing() -> None:
    # All sequences have the motif, so that it is in many windows, but the maps say nothing about its place.
    signal, weights, _ = planted([YY1], both=True, number=200)
    generator = np.random.default_rng(5)
    elsewhere = signal * np.stack([generator.permutation(row) for row in weights.sum(axis=2)])[:, :, None]
    smooth = np.stack([np.roll(row, 37) for row in weights.sum(axis=2)])
    for wrong in (elsewhere, signal * smooth[:, :, None]):
        assert all(motif.p > matching.POINTED_AT for motif in discover(signal, wrong))


def test_maps_without_a_window_above_chance_give_no_motif() -> None:
    signal, weights, _ = planted([YY1], number=20)
    assert discover(signal, np.zeros_like(weights)) == []
    with pytest.raises(ValueError, match="need one shape"):
        discover(signal, weights[:, 1:])


def test_unknown_letters_and_short_sequences_are_no_motif() -> None:
    signal, weights, _ = planted([YY1], number=60, length=24)
    signal[:, :2] = 0
    (motif, *_) = discover(signal, weights)
    assert motif.sites >= 50
    assert np.allclose(motif.probabilities.sum(axis=1), 1)


def test_flanks_are_cut_and_long_motifs_keep_their_richest_part() -> None:
    even = np.full((1, 4), 0.25)
    core = pwm("ACGTAC").probabilities
    matrix = np.concatenate([even, even, core, even, core, even])
    assert trimmed(matrix) == slice(2, 15)
    assert trimmed(matrix, longest=6) in (slice(2, 8), slice(9, 15))
    assert trimmed(np.repeat(even, 5, axis=0)) == slice(0, 5)
    np.testing.assert_allclose(information(np.array([[1.0, 0, 0, 0], [0.5, 0.5, 0, 0], [0.25] * 4])), [2, 1, 0])


def test_filters_become_the_motifs_that_activate_them() -> None:
    signal, *_ = planted([E_BOX], number=50)
    convolution = torch.nn.Conv1d(4, 3, 6)
    with torch.no_grad():
        convolution.weight[0] = torch.tensor(one_hot(letters_of("CACGTG")).T * 2 - 1)
        convolution.weight[1] = -1.0  # active nowhere
        convolution.bias[:] = torch.tensor([-3.0, 0.0, 0.0])
    network = torch.nn.Sequential(torch.nn.Dropout(), convolution, torch.nn.Conv1d(3, 3, 3))
    assert first_convolution(network) is convolution
    found = {motif.name: motif for motif in filter_motifs(convolution, signal, batch=7)}
    assert set(found) <= {"filter_1", "filter_3"}
    assert found["filter_1"].consensus == "CACGTG"
    scores = torch.relu(convolution(torch.tensor(signal).transpose(1, 2)))[:, 0]
    assert found["filter_1"].sites == int((scores > scores.max() / 2).sum())
    with pytest.raises(ValueError, match="shorter than the filters"):
        filter_motifs(convolution, signal[:, :5])


def test_a_class_optimum_becomes_probabilities() -> None:
    optimum = np.array([[0.0, 0, 0, 0], [3, 1, -2, 0], [0, 0, 5, 0], [-1, 0, 0, 0]])
    whole = pwm_of_optimum(optimum, longest=None)
    np.testing.assert_allclose(whole.probabilities, [[0.25] * 4, [0.75, 0.25, 0, 0], [0, 0, 1, 0], [0.25] * 4])
    assert pwm_of_optimum(optimum).consensus == "AG"


def test_meme_files_are_read_back_by_us_and_by_others(tmp_path: Path) -> None:
    from Bio import motifs as bio
    from memelite.io import read_meme as memelite_read

    path = tmp_path / "motifs.meme"
    given = [pwm(YY1, name="motif_1"), pwm("ACGT", sure=0.7, name="MA0001.1 Name")]
    write_meme(given, path, background=[0.3, 0.2, 0.2, 0.3])
    again = read_meme(path)
    assert [(motif.name, motif.sites, motif.letters) for motif in again] == [
        ("motif_1", 100, DNA),
        ("MA0001.1 Name", 100, DNA),
    ]
    for one, other in zip(given, again, strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=2e-6)
    theirs = memelite_read(str(path))
    np.testing.assert_allclose(theirs["motif_1"].T, given[0].probabilities, atol=2e-6)
    with path.open() as file:
        parsed = bio.parse(file, "minimal")
    assert [str(motif.consensus) for motif in parsed] == [YY1, "ACGT"]
    assert parsed.background["A"] == pytest.approx(0.3)
    write_meme([Motif("p", np.full((3, 20), 0.05), 0, PROTEIN)], path)
    assert read_meme(path)[0].letters == PROTEIN


HEADER = (
    "MEME version 5\n\nALPHABET= ACGT\n\nMOTIF a b\nletter-probability matrix: alength= 4 w= 2 nsites= 20 E= 1e-3\n"
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (">x\nACGT\n", "line 1: is not in MEME format"),
        (HEADER + "1 0 0 0\n", "ends after 1 positions, its header says w= 2"),
        (HEADER + "1 0 0 0\n0 0 1\n", "line 8: expected 4 probabilities"),
        (HEADER + "1 0 0 0\n0 2 1 0\n", "line 8: expected 4 probabilities"),
        (HEADER.replace("ACGT", "ACGTN"), "line 3: alphabet 'ACGTN' is not supported"),
        (HEADER.replace("alength= 4", "alength= 20"), "line 6: alength= 20 does not fit"),
        (HEADER.replace("w= 2", "w= two"), "line 6: .* has a value that is not a number"),
        ("MEME version 4\n", "has no motif"),
    ],
)
def test_a_broken_meme_file_is_refused_by_its_line(write: Callable[[str, str], Path], text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_meme(write("x.meme", text))


def test_output_of_meme_itself_is_read(write: Callable[[str, str], Path]) -> None:
    text = (
        HEADER.replace("\n\n", "\n\n***\n", 1)
        + " 1.0  0 0 0\n 0 .5 .5 0\n----------\n\nMOTIF c\nlog-odds matrix: w= 1\n1 2 3 4\n"
    )
    (motif,) = read_meme(write("x.meme", text))
    assert (motif.name, motif.sites, motif.consensus) == ("a b", 20, "AC")


def test_jaspar_is_read_from_the_wheel_and_kept(jaspar: Database, tmp_path: Path) -> None:
    assert (len(jaspar), jaspar.title) == (1019, "JASPAR 2026 vertebrates")
    path = tmp_path / "jaspar.nc"
    write_database(jaspar, path)
    again = read_database(path)
    assert (again.title, again.letters) == (jaspar.title, DNA)
    pd.testing.assert_frame_equal(again.entries, jaspar.entries)
    for one, other in zip(again.matrices, jaspar.matrices, strict=True):
        np.testing.assert_array_equal(one, other)

    def own(tf: str) -> list[str]:
        return list(jaspar.entries["id"].iloc[jaspar.own(tf)])

    assert own("usf-1") == ["MA0093.4"]
    assert own("YY1") == ["MA0095.4"]  # Yy1
    assert own("MYC") == ["MA0147.4", "MA0059.2"]  # MAX::MYC last
    assert own("SUZ12") == own("") == []
    usf1 = jaspar.entries.iloc[jaspar.own("USF1")[0]]
    assert (usf1["family"], usf1["species"]) == ("bHLH-ZIP", "Homo sapiens")
    assert min(matrix.min() for matrix in jaspar.matrices) > 0


def test_an_unknown_release_or_taxon_is_refused() -> None:
    with pytest.raises(UserError, match=r"motif\.database: JASPAR 2025 is not installed; give one of 2014"):
        read_jaspar(2025)
    with pytest.raises(UserError, match=r"motif\.taxon: 'vertebrate'.*did you mean 'vertebrates'"):
        read_jaspar(taxon="vertebrate")


def test_a_file_of_the_user_is_a_database(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "mine.meme"
    write_meme([pwm(YY1, name="M1 ZNF9"), pwm("TGACTCAT", name="M2")], path)
    database = read_meme_database(path)
    assert list(database.entries["name"]) == ["ZNF9", "M2"]
    assert match([pwm(YY1)], database)["entry"].tolist() == ["M1", "M2"]
    assert "mine.meme has 2 motifs" in caplog.text
    write_meme([pwm(YY1, name="M1"), pwm(YY1, name="M1")], path)
    with pytest.raises(UserError, match="motif 'M1' occurs twice"):
        read_meme_database(path)


def test_matches_say_where_the_entry_lies(jaspar: Database) -> None:
    row = jaspar.own("SRF")[0]
    entry = jaspar.matrices[row]
    queries = {
        "cut": (entry[3:], -3, "+"),
        "padded": (np.concatenate([np.full((2, 4), 0.25), entry]), 2, "+"),
        "reverse": (entry[::-1, ::-1][2:], -2, "-"),
        "long": (np.concatenate([np.full((30, 4), 0.25), entry]), 30, "+"),
    }
    table = match([Motif(name, matrix) for name, (matrix, *_) in queries.items()], jaspar)
    assert len(table) == 4 * len(jaspar)
    for name, (_, offset, strand) in queries.items():
        first = table[table["motif"] == name].iloc[0]
        assert (first["rank"], first["name"], first["offset"], first["strand"]) == (1, "SRF", offset, strand), name
        assert first["e"] == pytest.approx(first["p"] * 1019)
        assert first["p"] <= first["q"] <= first["e"]
    assert table["p"].between(0, 1).all()
    assert match([Motif("cut", entry[3:])], jaspar, keep=2)["rank"].tolist() == [1, 2]
    with pytest.raises(ValueError, match="has letters"):
        match([Motif("p", np.full((3, 20), 0.05), 0, PROTEIN)], jaspar)


def test_the_verdict_is_about_the_family_and_then_the_factor(jaspar: Database) -> None:
    def judge(text: str, tf: str) -> matching.Verdict:
        return verdict(match([pwm(text)], jaspar), tf, jaspar)

    usf1 = verdict(match([of_percent(USF1_LIKE)], jaspar), "USF-1", jaspar)
    assert (usf1.learned, usf1.family, usf1.own_entry) == (True, "bHLH-ZIP", "MA0093.4")
    assert 1 <= usf1.own_rank <= 10
    assert "learned an E-box of bHLH-ZIP factors, q " in usf1.sentence
    # The best match of YY1's motif is a relative; both families are only "more than 3 adjacent zinc fingers".
    yy1 = verdict(match([of_percent(YY1_LIKE)], jaspar), "YY1", jaspar)
    assert (yy1.own_entry, yy1.learned, yy1.name != "Yy1") == ("MA0095.4", True, True)
    assert "nearest entries" in yy1.sentence
    assert f"MA0095.4, is ranked {yy1.own_rank}" in yy1.sentence
    # CTCF is of YY1's family, but has another motif.
    other = judge("GCCACCAGGGGGCGC", "YY1")
    assert (other.learned, other.name, other.known) == (False, "CTCF", True)
    assert "only ranked" in other.sentence
    srf = judge("TTGCCATATATGGCA", "SRF")
    assert (srf.own_rank, srf.learned) == (1, True)
    assert "a CArG box" in srf.sentence
    assert "MA0083.3, is the nearest" in srf.sentence
    suz12 = judge("CACGTGACC", "SUZ12")
    assert (suz12.learned, suz12.own_entry, suz12.own_rank) == (False, "", 0)
    assert suz12.sentence.startswith("JASPAR 2026 vertebrates has no entry for SUZ12; the network learned an E-box of ")
    weak = verdict(match([Motif("weak", pwm("GTGTA", sure=0.5).probabilities)], jaspar), "USF1", jaspar)
    assert (weak.learned, weak.known, weak.family) == (False, False, "")
    assert weak.sentence.startswith("The model learned nothing known (best match ")
    none = verdict(match([], jaspar), "SUZ12", jaspar)
    assert none.sentence.startswith("No motif stood out")


def test_a_motif_at_which_maps_do_not_point_was_not_learned(jaspar: Database) -> None:
    learned = [of_percent(USF1_LIKE, control=16.0, p=1e-9)]
    chance = [of_percent(USF1_LIKE, sites=20, control=16.0, p=0.2)]
    table = match(learned, jaspar)
    assert verdict(table, "USF1", jaspar, learned).learned
    judged = verdict(table, "USF1", jaspar, chance)
    assert (judged.learned, judged.known, judged.above_chance, judged.family) == (False, False, False, "")
    assert "20 sequences have its best one where their attributions point, and 16 would" in judged.sentence
    # A later motif that passes comes first.
    second = [*chance, replace(learned[0], name="motif_2")]
    assert verdict(match(second, jaspar), "USF1", jaspar, second).motif == "motif_2"


def test_similar_entries_share_a_family_or_a_motif(jaspar: Database) -> None:
    def entry(name: str) -> str:
        return str(jaspar.entries["id"].iloc[jaspar.own(name)[0]])

    assert similar(jaspar, entry("USF1"), entry("MITF"))
    # One family, "more than 3 adjacent zinc fingers", which says nothing about the motif.
    assert similar(jaspar, entry("ZFP42"), entry("YY1"))
    assert not similar(jaspar, entry("CTCF"), entry("YY1"))


def test_families_read_well_in_a_sentence() -> None:
    assert matching.family_text("bHLH-ZIP") == "bHLH-ZIP factors"
    assert matching.family_text("More than 3 adjacent zinc fingers") == "factors with more than 3 adjacent zinc fingers"
    assert matching.family_text("Fos-related; Jun-related") == "Fos-related factors and Jun-related factors"
    assert matching.family_text("POU domain factors") == "POU domain factors"
    assert [matching._number(value) for value in (2.3e-5, 1e-12, 0.034, 1.0)] == ["2e-5", "1e-12", "0.034", "1"]


def test_known_motifs_are_found_in_sequences() -> None:
    signal, _, truth = planted([YY1], both=True, number=40)
    hits = scan([pwm("TTTTTTTTTTTT", name="none"), pwm(YY1, name="yy")], signal, 1e-6)
    merged = hits[hits["motif"] == "yy"].merge(truth, on=["sequence", "start", "strand"])
    assert len(merged) == 40
    assert (hits["end"] - hits["start"] == 12).all()
    assert hits["sequence"].is_monotonic_increasing
    assert (hits["p"] <= 1e-6).all()
    forward = scan([pwm(YY1, name="yy")], signal, 1e-6, both=False)
    assert len(forward) == (truth["strand"] == "+").sum()
    assert scan([pwm("TTTTTTTTTTTT")], signal, 1e-7).empty
    assert list(scan([], signal).columns) == list(hits.columns)
    matching.compile_matching()  # what `make install` calls: nothing of it may fail
