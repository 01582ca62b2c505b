"""Sets of texts: their letters, their files, and what a dataset and the floors make of them."""

import string
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chromattend.errors import UserError
from chromattend.evaluate import metrics, predict
from chromattend.files import read_netcdf, write_netcdf
from chromattend.sequence.alphabets import ALPHABETS, one_hot
from chromattend.sequence.database import Database
from chromattend.sequence.dataset import Choices, build_dataset
from chromattend.sequence.inputs import SequenceInputs
from chromattend.sequence.motifs import Motif, read_meme, write_meme
from chromattend.sequence.pages.dashboard import measures_of
from chromattend.sequence.readers import read_sequences
from chromattend.sequence.routes import _compared
from chromattend.sequence.sheet import SequenceSet
from chromattend.training.train import train

TEXT = ALPHABETS["text"]
Write = Callable[..., Path]
PRINTABLE = string.digits + string.ascii_letters + string.punctuation + " "


@given(st.text(PRINTABLE))
def test_every_character_of_a_keyboard_is_a_letter(text: str) -> None:
    letters = TEXT.encode(text, "")
    assert letters.dtype == np.int8
    assert ((letters >= 0) & (letters < len(TEXT))).all()
    assert TEXT.decode(letters) == text.upper()
    assert TEXT.soft_masked(text) == 0
    assert (TEXT.encode(text.replace(" ", "\t"), "") == letters).all()
    assert (one_hot(letters, len(TEXT)).argmax(axis=1) == letters).all()


def test_every_letter_has_its_own_number() -> None:
    assert len(TEXT) == 69
    assert TEXT.encode(TEXT.letters, "").tolist() == list(range(69))
    # The sign of an unknown letter, which padding is, is not a letter.
    assert TEXT.decode(np.array([0, -1, 36])) == f"A{TEXT.blank} "
    assert TEXT.blank not in TEXT.letters


CASES = {
    "an accent": ("caf\u00e9", "'\u00e9' (U+00E9) is not in the alphabet text; replace it by 'e'"),
    "a capital with an accent": ("\u00c9t\u00e9", "'\u00c9' (U+00C9) is not in the alphabet text; replace it by 'e'"),
    "two letters": ("stra\u00dfe", "'\u00df' (U+00DF) is not in the alphabet text; replace it by 'ss'"),
    "a curly quote": ("it\u2019s", '(U+2019) is not in the alphabet text; replace it by "\'"'),
    "a dash": ("a \u2013 b", "(U+2013) is not in the alphabet text; replace it by '-'"),
    "a blank that does not break": ("a\u00a0b", "(U+00A0) is not in the alphabet text; replace it by a blank"),
    "dots": ("a\u2026", "(U+2026) is not in the alphabet text; replace it by '...'"),
    "a control character": ("a\x07b", "'\\x07' (U+0007) is not in the alphabet text; remove it"),
    "a blank without a width": ("a\u200bb", "(U+200B) is not in the alphabet text; remove it"),
    "another script": ("\u4f60 ok", "(U+4F60) is not in the alphabet text; replace it by letters, digits and signs"),
}


@pytest.mark.parametrize("case", CASES)
def test_other_characters_are_named_with_their_place_and_a_replacement(case: str, write: Write) -> None:
    text, words = CASES[case]
    path = write("a.fa", f">one 1\nplain\n>two 0\nfirst line\n{text}\n")
    with pytest.raises(UserError) as caught:
        read_sequences(path, TEXT, name="a.fa", labelled=True)
    message = str(caught.value)
    assert message.startswith("a.fa: line 5: record 'two': character ")
    assert message.isprintable()
    assert message.endswith(words) or f"{words} of ASCII, or remove it" in message


def test_lines_of_a_text_are_joined_by_one_blank(write: Write) -> None:
    records = {
        "wrapped": "To be,  or\nnot to be;\n",
        "padded": "   To be,  or   \r\n\r\n\tnot to be;\n",
        "signs": ";-*\n >quoted\n*\n",
        "one": "x\n",
    }
    path = write("a.fa", "".join(f">{name} 1\n{text}" for name, text in records.items()))
    texts = read_sequences(path, TEXT, labelled=True)
    assert [TEXT.decode(letters) for letters in texts.letters] == [
        *("TO BE,  OR NOT TO BE;", "TO BE,  OR NOT TO BE;", ";-* >QUOTED *", "X")
    ]
    assert texts.masked == [0, 0, 0, 0]
    # Lines of other alphabets are joined without anything between them.
    dna = read_sequences(write("b.fa", ">a 1\nACG\n  T \n"), ALPHABETS["dna"], labelled=True)
    assert dna.letters[0].tolist() == [0, 1, 2, 3]


def test_a_blank_is_not_a_letter_of_other_alphabets() -> None:
    for name in ("dna", "rna", "protein"):
        with pytest.raises(UserError, match=f"letter ' ' is not in the alphabet {name}"):
            ALPHABETS[name].encode("AC GA", "here")
        for letter in "?\u00ff\u0100":
            with pytest.raises(UserError, match="here: letter"):
                ALPHABETS[name].encode(f"AC{letter}", "here")


def sentences(number: int, words: list[str], seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    common = ["the", "a", "of", "station", "Monday", "we", "7:30", "and", "letter", "(again)"]
    made = []
    for _ in range(number):
        chosen = [*rng.choice(common, rng.integers(5, 9)), *rng.choice(words, 2)]
        rng.shuffle(chosen)
        made.append(" ".join(chosen) + ".")
    return made


@pytest.fixture
def source(write: Write) -> SequenceSet:
    kind, rude = sentences(120, ["wonderful", "Thanks", "pleased"], 1), sentences(120, ["awful", "Refund", "late!"], 2)
    write("texts.fa", "".join(f">{label}\n{text}\n" for label, of in ((1, kind), (0, rude)) for text in of))
    return SequenceSet("Mail", "texts.fa", alphabet="text")


def test_a_set_of_texts(source: SequenceSet, tmp_path: Path) -> None:
    dataset, quality = build_dataset(source, tmp_path, Choices(fractions=(2, 1, 1)))
    assert dataset.attrs["alphabet"] == "text"
    assert dataset["letters"].dtype == np.int8
    assert int(dataset["letters"].max()) > 40
    write_netcdf(dataset, tmp_path / "dataset.nc")
    assert read_netcdf(tmp_path / "dataset.nc").identical(dataset)
    assert quality["gc"] == {}
    assert (quality["soft_masked"], quality["unknown"], quality["duplicates"]["other_strand"]) == (0, 0, 0)
    assert not [note for note in quality["notes"] if "strand" in note or "GC" in note or "%" in note]
    rows = dict(measures_of(quality, TEXT))
    assert not [name for name in rows if "GC" in name or "strand" in name or "Lower" in name or "Unknown" in name]
    assert rows["Sequences by origin: as given"] == "240"
    inputs = SequenceInputs.of("cnn", dataset)
    assert inputs.sizes == {"letters": 69, "length": dataset.sizes["position"]}
    signal = inputs.signal(dataset)
    assert signal.shape[2] == 69
    assert (signal.sum(axis=(1, 2)) == dataset["length"].values).all()


def test_texts_are_shuffled_with_their_pairs_of_neighbours(source: SequenceSet, write: Write, tmp_path: Path) -> None:
    write("kind.fa", "".join(f">\n{text}\n" for text in sentences(80, ["wonderful", "pleased"], 3)))
    dataset, quality = build_dataset(SequenceSet("S", "kind.fa", "shuffle", alphabet="text"), tmp_path)
    letters, template = dataset["letters"].values, dataset["template"].values

    def pairs(row: np.ndarray) -> list[tuple[int, int]]:
        known = row[row >= 0].tolist()
        return sorted(pairwise(known))

    for row in np.flatnonzero(template >= 0)[:20]:
        assert pairs(letters[row]) == pairs(letters[template[row]])
        assert (letters[row] != letters[template[row]]).any()
    assert quality["unchanged_shuffles"] == 0


def test_equal_texts_are_found_whatever_their_case(write: Write, tmp_path: Path) -> None:
    texts = sentences(60, ["fine"], 4)
    write("a.fa", "".join(f">1\n{text}\n" for text in texts) + "".join(f">0\n{text[::-1]}\n" for text in texts))
    write("b.fa", f">1\n{texts[0].upper()}\n>0\nnothing like it\n")
    with pytest.raises(UserError, match=r"\(b.fa line 1\) is also the train sequence .* \(a.fa line 1\); remove"):
        build_dataset(SequenceSet("S", "a.fa", test="b.fa", alphabet="text"), tmp_path)


@pytest.mark.parametrize("model", ["kmer_logistic", "gapped_kmer_logistic"])
def test_floors_tell_texts_apart(model: str, source: SequenceSet, tmp_path: Path) -> None:
    dataset, _ = build_dataset(source, tmp_path, Choices(fractions=(2, 1, 1)))
    options = {"k": 2, "strands": "one"} | ({"window": 4} if model == "gapped_kmer_logistic" else {})
    trained, _ = train(model, dataset, options)
    test = metrics(predict(trained, dataset))["test"]
    assert test["auc"] > 0.9
    assert test["f1"] > 0.8


def test_motifs_of_texts_are_written_and_read(tmp_path: Path) -> None:
    probabilities = one_hot(TEXT.encode("no, we", ""), len(TEXT)).astype(np.float64)
    motif = Motif("saliency_1", probabilities, 12, TEXT.letters)
    assert motif.consensus == "NO, WE"
    write_meme([motif], tmp_path / "motifs.meme")
    (again,) = read_meme(tmp_path / "motifs.meme")
    assert (again.name, again.letters, again.consensus) == ("saliency_1", TEXT.letters, "NO, WE")


def test_motifs_of_texts_have_no_name() -> None:
    entries = pd.DataFrame({"id": ["MA1"], "name": ["USF1"], "family": [""]})
    database = Database("JASPAR 2026", "ACGT", entries, (np.full((4, 4), 0.25),))
    matches, judged = _compared([Motif("m", np.full((3, 69), 1 / 69), 9, TEXT.letters)], database, "", "text")
    assert len(matches) == 0
    assert judged.sentence == "JASPAR 2026 has no motifs of text, so that the motif has no name."
