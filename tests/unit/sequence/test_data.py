"""Datasets of sequences: what is read, which negatives are made, and how sets are divided."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pysam
import pytest
import xarray as xr

from chromattend.errors import UserError
from chromattend.files import read_netcdf, write_netcdf
from chromattend.sequence.alphabets import ALPHABETS, one_hot, reverse_complement
from chromattend.sequence.dataset import Choices, build_dataset
from chromattend.sequence.genome_draws import draw_negatives, split_place
from chromattend.sequence.inputs import SequenceInputs
from chromattend.sequence.readers import read_sequences
from chromattend.sequence.sheet import SequenceSet

DNA = ALPHABETS["dna"]
Write = Callable[..., Path]


def sequence(rng: np.random.Generator, length: int = 60, letters: str = "ACGT") -> str:
    return "".join(rng.choice(list(letters), length))


def fasta(number: int, length: int = 60, seed: int = 1, header: str = "{name}{n}", name: str = "p") -> str:
    rng = np.random.default_rng(seed)
    return "".join(f">{header.format(n=n, name=name)}\n{sequence(rng, length)}\n" for n in range(number))


@pytest.fixture
def genome(tmp_path: Path) -> Path:
    """Two chromosomes, with a GC-rich and soft-masked half each, and an index."""
    rng = np.random.default_rng(1)
    path = tmp_path / "genome.fa"
    halves = [sequence(rng, 15_000), sequence(rng, 15_000, "ACGGCT").lower()]
    path.write_text("".join(f">chr{n}\n{''.join(halves)}\n" for n in (1, 2)))
    pysam.faidx(str(path))
    return path


def letters_of(dataset: xr.Dataset) -> list[str]:
    return [DNA.decode(letters[letters >= 0]) for letters in dataset["letters"].values]


def test_letters_become_numbers_and_signal() -> None:
    letters = DNA.encode("ACGTacgtUuNRn", "")
    assert letters.tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 3, 3, -1, -1, -1]
    assert ALPHABETS["rna"].encode("ut", "").tolist() == [3, 3]
    signal = one_hot(letters, 4)
    assert signal.dtype == np.float32
    assert signal.sum(axis=1).tolist() == [1] * 10 + [0] * 3
    assert DNA.decode(reverse_complement(DNA.encode("AACGN", ""))) == "NCGTT"
    # The flip of both axes that networks use is the reverse complement.
    assert (one_hot(reverse_complement(letters), 4) == signal[::-1, ::-1]).all()


def test_all_formats_give_the_same_sequences(write: Write, genome: Path) -> None:
    intervals = [("chr1", 100, 160), ("chr2", 14_990, 15_051)]
    bed = read_sequences(write("a.bed", intervals), DNA, label=1, genome=genome, width=61)
    assert bed.places == ["chr1:100-161", "chr2:14990-15051"]
    assert bed.masked == [0, 51]
    with pysam.FastaFile(str(genome)) as reference:
        texts = [reference.fetch("chr1", 100, 161), reference.fetch("chr2", 14_990, 15_051)]
    wrapped = [f"{text[:40]}\r\n{text[40:]}" for text in texts]
    records = [f">{place} 1\r\n{text}\r\n" for place, text in zip(bed.places, wrapped, strict=True)]
    from_fasta = read_sequences(write("a.fa.gz", "".join(records)), DNA, labelled=True)
    rows = [("FoldID", "EventID", "seq", "Bound"), *(("A", place, text, 1) for place, text in zip("xy", texts))]  # noqa: B905
    from_seq = read_sequences(write("a.seq.gz", rows), DNA, labelled=True)
    for other in (from_fasta, from_seq):
        assert [one.tolist() for one in other.letters] == [one.tolist() for one in bed.letters]
        assert (other.labels, other.masked) == ([1, 1], [0, 51])
    assert from_fasta.places == bed.places


def test_windows_are_centred_on_summits_and_turned_to_the_strand(write: Write, genome: Path) -> None:
    peak = ("chr1", 1000, 1400, "peak", 0, "-", 9.0, 5.0, 3.0, 37)
    beyond = ("chr1", 10, 30, "edge", 0, ".", 9.0, 5.0, 3.0, -1)
    content = [("track name=x",), peak, beyond]
    sequences = read_sequences(write("a.narrowPeak", content), DNA, label=1, genome=genome, width=11)
    assert sequences.places == ["chr1:1032-1043", "chr1:15-26"]  # the base of the summit, 1037, is in the middle
    assert sequences.names == ["peak", "edge"]
    with pysam.FastaFile(str(genome)) as reference:
        assert (reverse_complement(sequences.letters[0]) == DNA.encode(reference.fetch("chr1", 1032, 1043), "")).all()
    wide = read_sequences(write("a.bed", [peak[:3], beyond[:3]]), DNA, label=1, genome=genome, width=101)
    assert len(wide) == 1
    assert wide.notes == [f"Windows of {wide.source} beyond the end of their chromosome, which were left out: 1."]


def test_headers_have_labels_or_names(write: Write) -> None:
    gkm = read_sequences(write("a.fa", ">1\nACGT\n>0\nACGA\n>name 0\nACGC\n"), DNA, labelled=True)
    assert (gkm.labels, gkm.names) == ([1, 0, 0], ["1", "2", "name"])
    named = read_sequences(write("b.fa", ">x::chr1:5-9(+) more\nACGT\n>\nACGA\n"), DNA, label=1)
    assert (named.labels, named.names) == ([1, 1], ["x::chr1:5-9(+)", "2"])
    assert named.places == ["chr1:5-9", ""]


def test_shuffled_negatives_follow_their_positives(write: Write, tmp_path: Path) -> None:
    write("p.fa", fasta(60))
    write("t.fa", fasta(40, seed=2, name="t"))
    source = SequenceSet("S", "p.fa", "shuffle", "t.fa", "shuffle")
    dataset, quality = build_dataset(source, tmp_path)
    assert quality["counts"] == {
        "train": {"positive": 54, "negative": 54},
        "valid": {"positive": 6, "negative": 6},
        "test": {"positive": 40, "negative": 40},
    }
    assert len(set(dataset["sequence"].values)) == 200
    negative = dataset["label"].values == 0
    template = dataset["template"].values
    assert (template[~negative] == -1).all()
    assert (dataset["label"].values[template[negative]] == 1).all()
    assert (dataset["split"].values[negative] == dataset["split"].values[template[negative]]).all()
    assert dataset["sequence"].values[negative][0] == f"{dataset['sequence'].values[template[negative]][0]}_shuffle"
    counts = one_hot(dataset["letters"].values, 4).sum(axis=1)
    assert (counts[negative] == counts[template[negative]]).all()
    assert quality["gc"]["positive"] == pytest.approx(quality["gc"]["negative"])
    again, _ = build_dataset(source, tmp_path)
    assert again.identical(dataset)
    other, _ = build_dataset(source, tmp_path, Choices(seed=2))
    assert (other["letters"].values[negative] != dataset["letters"].values[negative]).any(axis=1).mean() > 0.9
    write_netcdf(dataset, tmp_path / "dataset.nc")
    assert read_netcdf(tmp_path / "dataset.nc").identical(dataset)


def test_shuffled_negatives_are_drawn_again_by_seed(write: Write, tmp_path: Path) -> None:
    write("p.fa", fasta(60))
    dataset, _ = build_dataset(SequenceSet("S", "p.fa", "shuffle"), tmp_path)
    inputs = SequenceInputs.of("cnn", dataset)
    assert (inputs.sizes, inputs.shape) == ({"letters": 4, "length": 60}, (60, 4))
    rows = np.flatnonzero(dataset["split"].values == "train")
    draw, signal = inputs.redraw(dataset, rows), inputs.signal(dataset)[rows]
    assert draw is not None
    first, label = draw(7), inputs.target(dataset)[rows]
    assert first.dtype == np.float32
    assert (first[label == 1] == signal[label == 1]).all()
    assert (first[label == 0].sum(axis=1) == signal[label == 0].sum(axis=1)).all()
    assert (first[label == 0] != signal[label == 0]).any(axis=(1, 2)).all()
    assert (draw(7) == first).all()
    assert (draw(8) != first)[label == 0].any(axis=(1, 2)).all()
    positives = rows[label == 1]
    assert inputs.redraw(dataset, positives) is None
    with pytest.raises(UserError, match=r"^training\.thin: cnn learns from sequences, .*; remove the key$"):
        inputs.thinned(dataset, rows, 0.2, 1)


def test_unequal_lengths_are_padded_or_cropped_around_the_centre(write: Write, tmp_path: Path) -> None:
    texts = {"a": "ACGTA", "b": "CCGGTTA", "c": "ACGTACGTC"}
    more = fasta(60, length=9)
    write("p.fa", "".join(f">{name}\n{text}\n" for name, text in texts.items()) + more)
    write("n.fa", fasta(60, length=9, seed=3, name="n"))
    source = SequenceSet("S", "p.fa", "n.fa")
    padded, quality = build_dataset(source, tmp_path)
    assert dict(zip(padded["sequence"].values[:3], letters_of(padded)[:3], strict=True)) == texts
    assert padded["letters"].values[0].tolist() == [-1, -1, 0, 1, 2, 3, 0, -1, -1]
    assert padded["length"].values[:4].tolist() == [5, 7, 9, 9]
    assert (quality["padded"], quality["cropped"], quality["unknown"]) == (2, 0, 0)
    cropped, quality = build_dataset(source, tmp_path, Choices(length=5))
    assert letters_of(cropped)[:3] == ["ACGTA", "CGGTT", "GTACG"]
    assert (quality["padded"], quality["cropped"], quality["lengths"]["used"]) == (0, 122, 5)
    assert any("cropped" in note for note in quality["notes"])
    with pytest.raises(UserError, match=r"cnn: was trained on sequences of 9 letters, but those of S have 5; pad"):
        SequenceInputs.of("cnn", padded).signal(cropped)
    with pytest.raises(UserError, match="was trained on protein, but S has the alphabet dna"):
        SequenceInputs("cnn", "protein", 5).check(cropped)


def test_equal_sequences_are_in_one_random_part_on_either_strand(write: Write, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    texts = [sequence(rng) for _ in range(100)]
    mirrored = [DNA.decode(reverse_complement(DNA.encode(text, ""))) for text in texts]
    write("p.fa", "".join(f">p\n{text}\n" for text in texts + mirrored + texts))
    write("n.fa", fasta(300, seed=3, name="n"))
    dataset, quality = build_dataset(SequenceSet("S", "p.fa", "n.fa"), tmp_path, Choices(fractions=(1, 1, 1)))
    parts = dataset["split"].values[:300].reshape(3, 100)
    assert (parts == parts[0]).all()
    assert 90 < quality["counts"]["test"]["positive"] < 110
    assert quality["duplicates"] == {"same_strand": 100, "other_strand": 100, "across_parts": 0, "both_labels": 0}
    assert quality["shared_stretches"]["positive"] == 0
    assert dataset["sequence"].values[:3].tolist() == ["p", "p.2", "p.3"]


def test_test_sequences_in_training_stop_or_are_dropped_or_kept(write: Write, tmp_path: Path) -> None:
    train, test = fasta(60), fasta(40, seed=2, name="t")
    same = train.splitlines()[1]
    other = DNA.decode(reverse_complement(DNA.encode(train.splitlines()[3], "")))
    write("p.fa", train)
    write("t.fa", f">again\n{same}\n>mirror\n{other}\n{test}")
    source = SequenceSet("S", "p.fa", "shuffle", "t.fa", "shuffle")
    with pytest.raises(UserError) as caught:
        build_dataset(source, tmp_path)
    assert str(caught.value).startswith("S: test sequence 'again' (t.fa line 1) is also the train sequence 'p0' (p.fa")
    assert "(and 1 more); remove" in str(caught.value)
    dropped, quality = build_dataset(source, tmp_path, Choices(duplicates="drop"))
    assert quality["dropped"] == 2
    assert dropped["label"].values.tolist().count(1) == 100
    assert not {"p0", "p1", "p0_shuffle"} & set(dropped["sequence"].values)
    negative = dropped["label"].values == 0
    counts = one_hot(dropped["letters"].values, 4).sum(axis=1)
    assert (counts[negative] == counts[dropped["template"].values[negative]]).all()
    kept, quality = build_dataset(source, tmp_path, Choices(duplicates="keep"))
    assert kept.sizes["sequence"] == 204
    assert quality["duplicates"]["across_parts"] == 2
    assert quality["shared_stretches"]["positive"] == 2


def test_sets_are_divided_by_chromosome(write: Write, genome: Path, tmp_path: Path) -> None:
    texts = fasta(90).splitlines()[1::2]
    write("p.fa", "".join(f">chr{n % 3 + 1}:{n}-{n + 60}\n{text}\n" for n, text in enumerate(texts)))
    choices = Choices(mode="chromosome", valid_chromosomes=["chr2"], test_chromosomes=["chr3", "chrX"])
    dataset, quality = build_dataset(SequenceSet("S", "p.fa", "shuffle"), tmp_path, choices)
    assert dataset.attrs["split_rule"] == "chromosome"
    assert {tuple(number.values()) for number in quality["counts"].values()} == {(30, 30)}
    for chrom, part in (("chr1", "train"), ("chr2", "valid"), ("chr3", "test")):
        here = np.char.startswith(dataset["sequence"].values, f"{chrom}:")
        assert set(dataset["split"].values[here]) == {part}
    write("p.bed", [(chrom, n, n + 60) for chrom in ("chr1", "chr2") for n in range(100, 29_000, 600)])
    source = SequenceSet("S", "p.bed", "genome", genome="genome.fa", width=61)
    with pytest.raises(UserError, match="no sequence is in the test part; the set has the chromosomes chr1, chr2"):
        build_dataset(source, tmp_path, choices)
    dataset, quality = build_dataset(source, tmp_path)
    assert quality["origins"] == {"genome": 98, "given": 98}
    assert 0.2 < quality["soft_masked"] < 0.8
    assert (dataset["template"].values == -1).all()


def test_draws_from_the_genome_match_the_positives(write: Write, genome: Path) -> None:
    positives = [f"chr{n}:{start}-{start + 61}" for n in (1, 2) for start in range(100, 29_000, 600)]
    drawn = draw_negatives(positives, genome, DNA, 1)
    assert draw_negatives(positives, genome, DNA, 1).places == drawn.places
    with pysam.FastaFile(str(genome)) as reference:
        texts = [reference.fetch(*split_place(place)) for place in positives]
        assert [DNA.decode(one) for one in drawn.letters] == [
            reference.fetch(*split_place(place)).upper() for place in drawn.places
        ]
    gc = np.array([sum(map(text.upper().count, "GC")) for text in texts]) / 61
    drawn_gc = np.array([((one == 1) | (one == 2)).mean() for one in drawn.letters])
    assert np.abs(gc - drawn_gc).mean() < 0.02
    masked = np.array([sum(map(str.islower, text)) for text in texts]) / 61
    assert np.abs(masked - np.array(drawn.masked) / 61).mean() < 0.05
    intervals = sorted(map(split_place, positives + drawn.places))
    for (chrom, _, stop), (following, start, _) in pairwise(intervals):
        assert chrom != following or stop <= start
    assert [place.split(":")[0] for place in drawn.places] == [place.split(":")[0] for place in positives]
    crowded = [f"chr1:{start}-{start + 61}" for start in range(0, 29_000, 70)]
    with pytest.raises(UserError, match="chr1 has only"):
        draw_negatives(crowded, genome, DNA, 1)


def test_notes_say_what_may_mislead(write: Write, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    repeat = "ACACACACACACACACACAC"
    write("p.fa", "".join(f">p{n}\n{sequence(rng, 20, 'ACGGCT')}\n" for n in range(40)) + f">r\n{repeat}\n")
    _, quality = build_dataset(SequenceSet("S", "p.fa", "shuffle"), tmp_path)
    notes = " ".join(quality["notes"])
    assert quality["unchanged_shuffles"] >= 1
    for words in ("Shuffled negatives that equal their positive", "networks need at least 30", "its AUC is uncertain"):
        assert words in notes
    write("n.fa", "".join(f">n{n}\n{sequence(rng, 20, 'AATTN')}\n" for n in range(40)))
    _, quality = build_dataset(SequenceSet("S", "p.fa", "n.fa"), tmp_path)
    notes = " ".join(quality["notes"])
    assert "The mean GC content is 6" in notes
    assert "of the letters are unknown" in notes


def test_shared_sets_have_their_published_sizes(real_sequences: Path) -> None:
    one = SequenceSet(
        "SRF",
        "deepbind/SRF_H1-hESC_SRF_HudsonAlpha_AC.seq.gz",
        "shuffle",
        "deepbind/SRF_H1-hESC_SRF_HudsonAlpha_B.seq.gz",
    )
    dataset, quality = build_dataset(one, real_sequences)
    assert dataset.sizes == {"sequence": 2 * 4605 + 1000, "position": 101}
    assert quality["counts"]["test"] == {"positive": 500, "negative": 500}
    assert quality["shared_stretches"]["positive"] == 21
    gkm = SequenceSet("SIN3A", "gkm/SIN3A.train.fasta.gz", "", "gkm/SIN3A.test.fasta.gz")
    with pytest.raises(UserError, match=r"'test_573' .* 'train_352' .* \(and 2 more\)"):
        build_dataset(gkm, real_sequences)
    assert build_dataset(gkm, real_sequences, Choices(duplicates="drop"))[1]["dropped"] == 3


def test_what_tells_the_classes_apart_without_a_motif_is_noted(tmp_path: Path) -> None:
    (tmp_path / "short.fa").write_text(fasta(60, 60))
    (tmp_path / "long.fa").write_text(fasta(60, 101, seed=2))
    _, quality = build_dataset(SequenceSet("S", "short.fa", "long.fa"), tmp_path)
    notes = " ".join(quality["notes"])
    assert "The mean length is 60 letters in positives and 101 in negatives" in notes
    # Sequences without a known letter say nothing of the composition.
    assert "GC content" not in notes
    (tmp_path / "unknown.fa").write_text(fasta(30, 101, seed=3) + "".join(f">n{n}\n{'N' * 101}\n" for n in range(30)))
    _, quality = build_dataset(SequenceSet("S", "unknown.fa", "long.fa"), tmp_path, Choices(duplicates="keep"))
    assert quality["gc"]["positive"] == pytest.approx(0.5, abs=0.05)
    assert "GC content" not in " ".join(quality["notes"])
