"""The gapped k-mer SVM as a model of the registry: parameters, files, scores and explanations."""

from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from sklearn.svm import SVC

from chromattend.errors import UserError
from chromattend.models import load_model
from chromattend.models.baseline import Baseline
from chromattend.sequence.attribution import attribute, incomplete_share, mutagenesis, observed
from chromattend.sequence.explain import explain
from chromattend.sequence.kernel import gapped_kmer_kernel
from chromattend.sequence.kernel.strings import Strings
from chromattend.sequence.machine import KernelMachine
from chromattend.sequence.models.gkm_svm import GkmSVM
from chromattend.sequence.simulate import background
from chromattend.sequence.variants import logits
from chromattend.sequence.windows import WINDOWS, pairs
from chromattend.training.train import train

LENGTH, MOTIF, START = 50, np.array([2, 3, 1, 0, 1, 2, 3, 2]), 20
OPTIONS = {"g": [6, 8], "k": [4], "C": [0.1, 10.0]}


def dataset_of(alphabet: str = "dna") -> xr.Dataset:
    """Sequences with a motif in the bound ones; one is shorter than the others, one has unknown letters."""
    rng = np.random.default_rng(3)
    letters = background(rng, 240, LENGTH)
    label = np.tile([1, 0], 120).astype(np.int8)
    letters[label == 1, START : START + len(MOTIF)] = MOTIF
    letters[1, :9], letters[3, 30:33] = -1, -1
    split = np.repeat(["train", "valid", "test"], [120, 60, 60])
    return xr.Dataset(
        {
            "letters": (("sequence", "position"), letters.astype(np.int8)),
            "label": ("sequence", label),
            "split": ("sequence", split),
            "origin": ("sequence", np.full(240, "given")),
            "template": ("sequence", np.full(240, -1, dtype=np.int32)),
        },
        coords={"sequence": [f"s{number}" for number in range(240)]},
        attrs={"set": "planted", "alphabet": alphabet},
    )


@pytest.fixture(scope="module")
def dataset() -> xr.Dataset:
    return dataset_of()


@pytest.fixture(scope="module")
def model(dataset: xr.Dataset) -> Baseline:
    trained, _ = train("gkm_svm", dataset, OPTIONS)
    assert isinstance(trained, Baseline)
    return trained


def of_part(dataset: xr.Dataset, part: str) -> xr.Dataset:
    return dataset.isel(sequence=np.flatnonzero(dataset["split"].values == part))


def test_the_validation_part_chooses_and_every_candidate_is_in_the_history(dataset: xr.Dataset) -> None:
    trained, history = train("gkm_svm", dataset, OPTIONS)
    tried, chosen = history.iloc[:-1], history.iloc[-1]
    assert set(zip(tried["g"], tried["k"], tried["C"], strict=True)) == {(g, 4, C) for g in (6, 8) for C in (0.1, 10)}
    best = tried.loc[tried["valid_auc"].idxmax()]
    assert (chosen["g"], chosen["k"], chosen["C"]) == (best["g"], best["k"], best["C"])
    assert chosen["valid_auc"] == pytest.approx(best["valid_auc"])
    # Other labels of the test part change nothing.
    test = dataset["split"].values == "test"
    other = dataset.assign(label=dataset["label"].copy(data=np.where(test, 1 - dataset["label"], dataset["label"])))
    again, same = train("gkm_svm", other, OPTIONS)
    assert same.equals(history)
    np.testing.assert_array_equal(again.score(dataset), trained.score(dataset))


def test_its_scores_are_those_of_a_plain_svc_on_the_kernel(dataset: xr.Dataset, model: Baseline) -> None:
    (svm,) = model.estimators
    letters = dataset["letters"].values
    learned, others = (Strings.of_rows(letters[dataset["split"].values == part], 4) for part in ("train", "test"))
    options = {"g": svm.g_, "k": svm.k_, "strands": "both"}
    labels = of_part(dataset, "train")["label"].values
    plain = SVC(C=svm.C_, kernel="precomputed").fit(gapped_kmer_kernel(learned, **options), labels)
    expected = plain.decision_function(gapped_kmer_kernel(others, learned, **options))
    np.testing.assert_allclose(svm.decision_function(of_part(dataset, "test")["letters"].values), expected, atol=1e-9)


def test_a_saved_model_scores_as_before(dataset: xr.Dataset, model: Baseline, tmp_path: Path) -> None:
    model.save(tmp_path / "model.ckpt")
    loaded = load_model(tmp_path / "model.ckpt")
    np.testing.assert_array_equal(loaded.score(dataset), model.score(dataset))
    assert np.mean((model.score(dataset) > 0.5) == dataset["label"].values) > 0.9


def test_beyond_the_exact_size_it_learns_from_explicit_features(dataset: xr.Dataset, tmp_path: Path) -> None:
    trained, history = train("gkm_svm", dataset, OPTIONS | {"exact_up_to": 100})
    (svm,) = trained.estimators
    assert not svm.exact
    assert history["valid_auc"].iloc[-1] > 0.9
    trained.save(tmp_path / "model.ckpt")
    loaded = load_model(tmp_path / "model.ckpt")
    np.testing.assert_array_equal(loaded.score(dataset), trained.score(dataset))
    machine = KernelMachine(loaded)
    signal = torch.from_numpy(machine.input_spec.signal(of_part(dataset, "test")))
    weights = attribute(machine, signal, "gapped_kmers", torch.zeros(1, LENGTH, 4))
    assert incomplete_share(machine, signal, weights, torch.zeros(1, LENGTH, 4), tolerance=1e-3) == 0
    assert len(machine.influential(dataset, of_part(dataset, "test"))) == 0


def test_weights_of_letters_add_up_and_point_to_the_motif(dataset: xr.Dataset, model: Baseline) -> None:
    machine, test = KernelMachine(model), of_part(dataset, "test")
    signal = torch.from_numpy(machine.input_spec.signal(test))
    reference = torch.zeros(1, LENGTH, 4)
    weights = attribute(machine, signal, "gapped_kmers", reference)
    assert incomplete_share(machine, signal, weights, reference, tolerance=1e-4) == 0
    bound = test["label"].values == 1
    best = observed(weights, signal)[bound].argmax(dim=1).numpy()
    assert np.mean((best >= START) & (best < START + len(MOTIF))) > 0.9
    # Coefficients in another order have learned nothing.
    with torch.random.fork_rng():
        torch.manual_seed(1)
        control = attribute(machine.untrained(), signal, "gapped_kmers", reference)
    best = observed(control, signal)[bound].argmax(dim=1).numpy()
    assert np.mean((best >= START) & (best < START + len(MOTIF))) < 0.7


def test_logits_of_the_machine_are_those_of_the_model(dataset: xr.Dataset, model: Baseline) -> None:
    machine, test = KernelMachine(model), of_part(dataset, "test")
    with torch.inference_mode():
        scored = machine(torch.from_numpy(machine.input_spec.signal(test))).numpy()
    np.testing.assert_allclose(scored, logits(model, test["letters"].values), atol=1e-4)


def test_mutagenesis_is_the_change_of_the_score(dataset: xr.Dataset, model: Baseline) -> None:
    machine, test = KernelMachine(model), of_part(dataset, "test").isel(sequence=[0])
    changes = mutagenesis(machine, torch.from_numpy(machine.input_spec.signal(test)))[0].numpy()
    letters = test["letters"].values
    for position in (0, START + 2, LENGTH - 1):
        for letter in range(4):
            changed = letters.copy()
            changed[0, position] = letter
            expected = (logits(model, changed) - logits(model, letters)).item()
            assert changes[position, letter] == pytest.approx(expected, abs=1e-4)


def test_influences_are_the_terms_of_the_score(dataset: xr.Dataset, model: Baseline) -> None:
    machine, test = KernelMachine(model), of_part(dataset, "test").isel(sequence=[0, 1])
    table = machine.influential(dataset, test, number=1000)
    empty = np.full((1, LENGTH), -1, dtype=np.int8)
    for name, rows in table.groupby("example"):
        own = test.sel(sequence=name)["letters"].values[None]
        expected = (logits(model, own) - logits(model, empty)).item()
        # With more than there are, every support vector is listed once on its side.
        assert rows["influence"].sum() == pytest.approx(expected, abs=1e-3)
        assert not rows["train_example"].duplicated().any()
    few = machine.influential(dataset, test, number=2)
    assert few.groupby("example").size().max() <= 4


def test_an_explanation_has_all_that_the_pages_need(dataset: xr.Dataset, model: Baseline) -> None:
    explanation = explain(model, dataset, ["gapped_kmers", "mutagenesis"], sequences=20, costly=10, shown=2)
    assert list(explanation.views["view"].values) == ["gapped_kmers", "mutagenesis"]
    assert np.isnan(explanation.designs["published"]).all()
    assert explanation.designs.attrs["score_design"] > explanation.designs.attrs["highest_training_score"]
    trusted = explanation.trust.set_index(["view", "measure"])["trustworthy"]
    assert trusted["gapped_kmers", "deletion"] == 1
    assert set(explanation.influence["effect"]) <= {"supports", "opposes"}


def test_unknown_or_missing_letters_give_the_constant(model: Baseline) -> None:
    (svm,) = model.estimators
    letters = np.full((2, LENGTH), -1, dtype=np.int8)
    letters[1, :3] = 0
    np.testing.assert_allclose(svm.decision_function(letters), svm.intercept_)


def test_a_training_sequence_shorter_than_every_window_is_refused(dataset: xr.Dataset) -> None:
    cut = dataset.copy(deep=True)
    cut["letters"].values[4, 5:] = -1
    with pytest.raises(UserError, match=r"training sequence 's4' has 5 letters, less than .* g = 6; remove it"):
        train("gkm_svm", cut, OPTIONS)
    # A shorter window fits.
    trained, _ = train("gkm_svm", cut, {"g": [4, 8], "k": [3], "C": [1.0]})
    assert trained.estimators[0].g_ == 4


def test_pairs_of_window_and_positions() -> None:
    assert pairs(4) == list(WINDOWS[4])
    assert pairs(20, [6, 10], [4, 8]) == [(6, 4), (10, 4), (10, 8)]
    assert all(k == 5 for _, k in pairs(4, k=[5]))
    with pytest.raises(UserError, match=r"^k is 9; give .* from 1 to g, 8$"):
        pairs(4, [8], [9])
    with pytest.raises(UserError, match=r"^g is 40; give the letters of a window, from 1 to 31"):
        pairs(4, [40])


def test_parameters_of_the_class_are_scikit_learns() -> None:
    svm = GkmSVM(g=(6,), C=(1.0,))
    assert svm.get_params()["g"] == (6,)
