"""Training of every model, and trained models as files: saved, compared, refused and reproduced."""

import os
import pickle
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
import torch
import xarray as xr
import yaml
from builders import (
    MARKS,
    MODELS,
    NETWORKS,
    QUICK,
    Killed,
    Trained,
    auc,
    deepening_epigenomes,
    epigenomes,
    kill_at,
    of_part,
    quick,
    scores_of,
    synthetic_dataset,
)
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.preprocessing import FunctionTransformer

from chromattend.chromatin.across import join_epigenomes
from chromattend.chromatin.inputs import ChromatinInputs
from chromattend.chromatin.models.deepchrome import DeepChrome
from chromattend.compiled import find_compiler
from chromattend.errors import UserError
from chromattend.evaluate import predict
from chromattend.files import UNCOMPILED
from chromattend.models import baseline, load_model
from chromattend.models.base import TrainedModel
from chromattend.models.network import Network
from chromattend.models.registry import REGISTRY
from chromattend.recurrence import compiled
from chromattend.training.data import NetworkDataModule
from chromattend.training.examples import Examples, TrainingData
from chromattend.training.module import NetworkTraining
from chromattend.training.protocols import TrainingOptions, resolve
from chromattend.training.train import train, train_together

HISTORY = ["seed", "epoch", "train_loss", "valid_loss", "valid_auc", "valid_aupr", "learning_rate"]


@pytest.fixture(scope="module")
def dataset() -> xr.Dataset:
    return synthetic_dataset()


@pytest.fixture(scope="module", params=MODELS)
def trained(request: pytest.FixtureRequest, dataset: xr.Dataset) -> Trained:
    """Every model of the registry, trained once."""
    return quick(request.param, dataset, max_epochs=6 if request.param == "lstm" else 3)


@pytest.fixture(scope="module")
def files(dataset: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A saved model of each kind."""
    folder = tmp_path_factory.mktemp("models")
    paths = {"network": folder / "network.ckpt", "baseline": folder / "baseline.ckpt"}
    quick("deepchrome", dataset, max_epochs=1)[0].save(paths["network"])
    quick("logistic_regression", dataset)[0].save(paths["baseline"])
    return paths


def test_every_model_learns_a_planted_signal(trained: Trained, dataset: xr.Dataset) -> None:
    model, history = trained
    assert history["valid_auc"].max() > 0.8
    assert auc(model, dataset, "test") > 0.8


def test_history_has_one_row_per_epoch(trained: Trained) -> None:
    model, history = trained
    if model.input_spec.model in NETWORKS:
        assert [name for name in history if name != UNCOMPILED] == HISTORY
        assert history["epoch"].tolist() == list(range(len(history)))
        assert history["train_loss"].iloc[-1] < history["train_loss"].iloc[0]
    else:
        assert list(history) == ["seed", "epoch", "valid_auc"]
        assert history["epoch"].tolist() == [0]
    assert history["seed"].unique().tolist() == [1]
    assert history.notna().all(axis=None)


def test_history_says_where_lstms_were_not_compiled(dataset: xr.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "library", lambda: None)
    found = {model: quick(model, dataset, max_epochs=2)[1] for model in ("lstm", "mlp")}
    assert found["lstm"][UNCOMPILED].tolist() == [1, 1]
    assert list(found["mlp"]) == HISTORY
    if find_compiler():
        monkeypatch.undo()
        assert list(quick("lstm", dataset, max_epochs=1)[1]) == HISTORY


def test_a_model_keeps_its_input_spec(trained: Trained, dataset: xr.Dataset) -> None:
    spec = trained[0].input_spec
    assert spec.marks == MARKS
    assert spec.bins == list(range(-1000, 1000, 100))
    assert (spec.bin_size, spec.orientation, spec.quantity) == (100, "genome", "reads")
    assert (spec.inputs, spec.task, spec.epigenomes) == ("depth", "classification", [])


def test_scores_are_probabilities(trained: Trained, dataset: xr.Dataset) -> None:
    test = of_part(dataset, "test")
    scores = scores_of(trained[0], test)
    assert scores.shape == (160,)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert ((scores > 0.5) == test["label"].values).mean() > 0.7


def test_a_loaded_model_gives_the_same_scores_bit_for_bit(
    trained: Trained, dataset: xr.Dataset, tmp_path: Path
) -> None:
    model = trained[0]
    model.save(tmp_path / "model.ckpt")
    loaded = load_model(tmp_path / "model.ckpt")
    assert loaded.input_spec == model.input_spec
    assert scores_of(loaded, dataset).tobytes() == scores_of(model, dataset).tobytes()
    assert [path.name for path in tmp_path.iterdir()] == ["model.ckpt"]


def test_a_baseline_is_read_without_torch(files: dict[str, Path], repository: Path) -> None:
    code = (
        "import sys; from chromattend.models import load_model; "
        f"load_model({str(files['baseline'])!r}); print('torch' in sys.modules)"
    )
    environment = os.environ | {"PYTHONPATH": str(repository / "src")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.returncode) == ("False\n", 0), done.stderr


@pytest.mark.parametrize("name", [name for name in MODELS if name not in NETWORKS])
def test_a_baseline_that_is_trained_again_has_the_same_bytes(name: str, dataset: xr.Dataset, tmp_path: Path) -> None:
    # Both models stay in memory, so that their parts have different addresses.
    models = [quick(name, dataset)[0] for _ in range(2)]
    for number, model in enumerate(models):
        model.save(tmp_path / f"{number}.ckpt")
    assert (tmp_path / "0.ckpt").read_bytes() == (tmp_path / "1.ckpt").read_bytes()
    with zipfile.ZipFile(tmp_path / "0.ckpt") as archive:
        assert {info.date_time[0] for info in archive.infolist()} == {1980}


def test_scores_do_not_depend_on_which_genes_are_scored_together(trained: Trained, dataset: xr.Dataset) -> None:
    few = scores_of(trained[0], dataset.isel(gene=slice(7)))
    np.testing.assert_allclose(scores_of(trained[0], dataset)[:7], few, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in MODELS if REGISTRY[name].random])
def test_the_seed_decides(name: str, dataset: xr.Dataset) -> None:
    def scores(seed: int, before: int) -> bytes:
        torch.manual_seed(before)
        np.random.seed(before)  # noqa: NPY002 (earlier random numbers must not matter)
        return scores_of(quick(name, dataset, seed=seed, max_epochs=1)[0], dataset).tobytes()

    first = scores(seed=1, before=10)
    assert scores(seed=1, before=11) == first
    if name != "svc_best_bin":  # another seed may choose the same bin
        assert scores(seed=2, before=10) != first


def test_a_network_is_saved_as_the_same_bytes(files: dict[str, Path], tmp_path: Path) -> None:
    model = load_model(files["network"])
    for name in ("a.ckpt", "another.ckpt"):
        model.save(tmp_path / name)
    assert (tmp_path / "a.ckpt").read_bytes() == (tmp_path / "another.ckpt").read_bytes()


@pytest.mark.parametrize("kind", ["network", "baseline"])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"marks": MARKS[::-1]}, ["marks H3K27me3, H3K36me3", "the data have H3K9me3, H3K4me3"]),
        ({"marks": MARKS[:4]}, ["marks", "train it again"]),
        ({"bins": 40}, ["bins -1000 to 900 (20)", "the data have -2000 to 1900 (40)", "train it again"]),
    ],
)
def test_a_model_refuses_other_marks_or_bins(
    files: dict[str, Path], kind: str, change: dict[str, Any], words: list[str]
) -> None:
    refuses(load_model(files[kind]), synthetic_dataset(**change), words)


def refuses(model: TrainedModel, dataset: xr.Dataset, words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        predict(model, dataset)
    message = str(caught.value)
    assert "\n" not in message
    assert all(word in message for word in [model.input_spec.model, *words]), message


def test_a_model_refuses_data_of_another_kind(files: dict[str, Path], dataset: xr.Dataset) -> None:
    model = load_model(files["network"])
    averaged = dataset.assign(counts=dataset["counts"].astype(np.float32))
    refuses(model, averaged, ["quantity reads", "the data have signal"])
    for attribute, value, words in [
        ("orientation", "strand", ["orientation genome", "the data have strand"]),
        ("size", 50, ["bin size 100", "the data have 50"]),
    ]:
        other = dataset.copy()
        other["bin"].attrs[attribute] = value
        refuses(model, other, words)


def test_the_counting_of_reads_is_compared_if_it_is_known(dataset: xr.Dataset) -> None:
    counted, shifted = (dataset.assign_attrs(counting=text) for text in ('{"shift": 0}', '{"shift": 75}'))
    model = quick("logistic_regression", counted)[0]
    refuses(model, shifted, ['counting {"shift": 0}', '{"shift": 75}'])
    assert len(predict(model, dataset)) == dataset.sizes["gene"]


@pytest.mark.parametrize("value", [np.nan, -1.0])
def test_invalid_counts_are_named(dataset: xr.Dataset, value: float) -> None:
    damaged = dataset.assign(counts=dataset["counts"].astype(np.float32)).copy(deep=True)
    damaged["counts"].values[12, 3, 1] = value
    with pytest.raises(UserError) as caught:
        quick("logistic_regression", damaged)
    assert str(caught.value) == (
        f"E003: gene ENSG00000000012, H3K36me3, bin -700 bp has the value {value:g}, which is not a count; "
        "count its source again"
    )


@pytest.mark.parametrize("name", ["logistic_regression", "deepchrome"])
def test_a_part_of_one_class_or_of_no_gene_is_refused(name: str, dataset: xr.Dataset) -> None:
    for part in ("train", "valid"):
        one = dataset.copy(deep=True)
        one["label"].values[one["split"].values == part] = 1
        with pytest.raises(UserError, match=f"E003: all .* genes of the {part} part have the same label; change the"):
            quick(name, one)
        none = dataset.isel(gene=np.flatnonzero(dataset["split"].values != part))
        with pytest.raises(UserError, match=f"E003: no gene is in the {part} part; change the key 'split'"):
            quick(name, none)


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        load_model(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: is not a chromattend model or is damaged")
    assert message.endswith("train it again")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("kind", ["network", "baseline"])
@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_a_cut_file_is_refused(files: dict[str, Path], tmp_path: Path, kind: str, share: float) -> None:
    content = files[kind].read_bytes()
    (tmp_path / "cut.ckpt").write_bytes(content[: int(share * len(content))])
    refusal(tmp_path / "cut.ckpt")


@pytest.mark.parametrize("kind", ["network", "baseline"])
def test_a_file_with_changed_bytes_is_refused(files: dict[str, Path], tmp_path: Path, kind: str) -> None:
    content = bytearray(files[kind].read_bytes())
    with zipfile.ZipFile(files[kind]) as archive:
        largest = max(archive.infolist(), key=lambda item: item.file_size)
    middle = largest.header_offset + 200 + largest.file_size // 2
    content[middle] ^= 0xFF
    (tmp_path / "changed.ckpt").write_bytes(content)
    refusal(tmp_path / "changed.ckpt")


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.ckpt").write_text("epoch,loss\n")
    refusal(tmp_path / "text.ckpt")
    with zipfile.ZipFile(tmp_path / "other.ckpt", "w") as archive:
        archive.writestr("readme.txt", "hello")
    refusal(tmp_path / "other.ckpt")
    torch.save({"state_dict": {}}, tmp_path / "weights.ckpt")
    refusal(tmp_path / "weights.ckpt")
    skops.io.dump([1, 2], tmp_path / "list.ckpt")
    refusal(tmp_path / "list.ckpt")


class Malicious:
    """An object whose unpickling makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("form", ["pickle", "torch"])
def test_code_in_a_file_is_not_run(tmp_path: Path, form: str) -> None:
    path, trap = tmp_path / "model.ckpt", tmp_path / "trap"
    if form == "pickle":
        path.write_bytes(pickle.dumps(Malicious(trap)))
    else:
        torch.save({"state_dict": Malicious(trap)}, path)
    refusal(path)
    assert not trap.exists()
    # The file is dangerous if it is trusted.
    if form == "pickle":
        pickle.loads(path.read_bytes())
    else:
        torch.load(path, weights_only=False)
    assert trap.exists()


def test_an_unknown_type_in_a_baseline_is_refused(tmp_path: Path) -> None:
    contract = {"model": "logistic_regression", "marks": MARKS, "bins": [0]}
    content = {"contract": contract, "estimators": [FunctionTransformer(os.mkdir)], "calibrators": []}
    skops.io.dump(content, tmp_path / "model.ckpt")
    assert "mkdir" in refusal(tmp_path / "model.ckpt")


def test_a_missing_file_is_not_called_damaged(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "none.ckpt")


def contrary() -> xr.Dataset:
    """Genes whose valid part contradicts the train part: the more a model learns, the lower its valid AUC."""
    dataset = synthetic_dataset(effect=0.3, seed=4)
    dataset["label"].values[dataset["split"].values == "valid"] ^= 1
    return dataset


@pytest.mark.parametrize(("monitor", "column", "sign"), [("loss", "valid_loss", -1), ("metric", "valid_auc", 1)])
def test_the_best_epoch_is_returned_and_not_the_last(monitor: str, column: str, sign: int) -> None:
    dataset = contrary()
    model, history = quick("deepchrome", dataset, max_epochs=6, learning_rate=0.003, monitor=monitor)
    best = int((sign * history[column]).idxmax())
    assert best < len(history) - 1, history[column].tolist()
    assert history["valid_auc"][best] > history["valid_auc"].iloc[-1] + 0.01  # worst of 5 seeds: 0.05
    assert auc(model, dataset, "valid") == pytest.approx(history["valid_auc"][best], abs=1e-6)
    assert isinstance(model, Network)
    assert model.kept_epochs == [best]


def test_probabilities_of_networks_are_calibrated_on_the_valid_genes(tmp_path: Path) -> None:
    # Few genes to learn from: the network learns them by heart, and is too sure of the others.
    dataset = synthetic_dataset(sizes={"train": 60, "valid": 400, "test": 400}, effect=0.25, seed=2)
    trainings = {
        calibrate: quick(
            "deepchrome", dataset, max_epochs=20, monitor="metric", learning_rate=3e-3, calibrate=calibrate, seeds=2
        )[0]
        for calibrate in (False, True)
    }
    raw, calibrated = trainings[False].scores(dataset), trainings[True].scores(dataset)
    label, split = dataset["label"].values, dataset["split"].values
    for one in (raw.joint, calibrated.joint, *calibrated.replicates):
        assert ((one > 0) & (one < 1)).all()
    # The ranking is the same: the curve only stretches and shifts the logits.
    slope, intercept = trainings[True].calibration.tolist()  # type: ignore[attr-defined]
    assert slope > 0
    logit = np.log(raw.joint / (1 - raw.joint))
    assert calibrated.joint == pytest.approx(1 / (1 + np.exp(-(slope * logit + intercept))), rel=1e-4)
    for part, better in (("valid", 0.01), ("test", 0.01)):
        chosen = split == part
        loss = [log_loss(label[chosen], scores.joint[chosen]) for scores in (raw, calibrated)]
        assert loss[1] < loss[0] - better, (part, loss)
    # A checkpoint keeps the curve, and one of an older version has none.
    trainings[True].save(tmp_path / "model.ckpt")
    assert load_model(tmp_path / "model.ckpt").score(dataset) == pytest.approx(calibrated.joint, abs=0)
    content = torch.load(tmp_path / "model.ckpt", weights_only=True)
    del content["state_dict"]["calibration"], content["kept_epochs"]
    torch.save(content, tmp_path / "older.ckpt")
    assert load_model(tmp_path / "older.ckpt").score(dataset) == pytest.approx(raw.joint, abs=0)


def test_a_network_that_ranks_no_better_than_chance_is_not_calibrated(caplog: pytest.LogCaptureFixture) -> None:
    model, _ = quick("mlp", contrary(), max_epochs=3, learning_rate=0.003, monitor="loss", patience=None)
    assert model.calibration.tolist() == [1, 0]  # type: ignore[attr-defined]
    assert "ranks the valid part no better than chance" in caplog.text


def test_valid_auc_is_over_all_genes_together() -> None:
    dataset = synthetic_dataset(sizes={"train": 64, "valid": 1100, "test": 10}, effect=0.3)
    model, history = quick("attentivechrome", dataset, max_epochs=1)
    assert history["valid_auc"].item() == pytest.approx(auc(model, dataset, "valid"), abs=1e-5)


def test_valid_metrics_compare_logits_across_batches() -> None:
    class Given(Network):
        def forward(self, signal: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
            return signal[:, 0, 0]

    module = NetworkTraining([Given(ChromatinInputs("attentivechrome", ["m"], [0]), {})], QUICK, [1.0])
    logits = [torch.tensor([0.1, 0.9, 0.4]), torch.tensor([0.5, -0.2, 3.0]), torch.tensor([-30.0, 40.0, 41.0])]
    labels = [torch.tensor([0.0, 1, 0]), torch.tensor([1.0, 0, 1]), torch.tensor([0.0, 0, 1])]
    for batch, truth in zip(logits, labels, strict=True):
        module.validation_step((batch.reshape(1, -1, 1, 1), truth[None]), 0)
    module.training_step((logits[0].reshape(1, -1, 1, 1), labels[0][None]), 0)
    expected = roc_auc_score(torch.cat(labels), torch.cat(logits))
    assert module.take_measures()[0]["valid_auc"] == pytest.approx(expected, abs=1e-6)


def test_training_ends_when_it_no_longer_improves() -> None:
    history = quick("deepchrome", contrary(), max_epochs=30, learning_rate=0.003, patience=2)[1]
    best = int(history["valid_loss"].idxmin())
    assert len(history) == best + 3 < 30
    assert len(quick("deepchrome", contrary(), max_epochs=best + 6, patience=None)[1]) == best + 6


def test_batches_hold_every_training_gene_once() -> None:
    signal = np.arange(70, dtype=np.float32).reshape(70, 1, 1)
    genes = Examples(signal, (signal[:, 0, 0] % 2).astype(np.float32))
    seeds = iter([1, 2, 1])
    data = NetworkDataModule([genes], [Examples(signal[:5], genes.target[:5])], 16, lambda: next(seeds))
    orders = []
    for _ in range(3):
        batches = list(data.train_dataloader())
        assert [labels.shape[1] for _, labels in batches] == [16, 16, 16, 16, 6]
        values = torch.cat([batch.flatten() for batch, _ in batches])
        labels = torch.cat([labels.flatten() for _, labels in batches])
        assert torch.equal(labels, values % 2)
        assert sorted(values.tolist()) == list(range(70))
        orders.append(values.tolist())
    assert orders[0] != orders[1]
    assert orders[0] == orders[2]
    assert orders[0] != sorted(orders[0])
    (batch, labels), *rest = data.val_dataloader()
    assert batch.flatten().tolist() == [0, 1, 2, 3, 4]
    assert labels.tolist() == [[0, 1, 0, 1, 0]]
    assert rest == []


def test_only_the_train_part_is_learned_from(dataset: xr.Dataset) -> None:
    changed = dataset.copy(deep=True)
    test = changed["split"].values == "test"
    changed["counts"].values[test] = 99
    changed["label"].values[test] = 1
    for name in ("logistic_regression", "deepchrome"):
        scores = [scores_of(quick(name, data, max_epochs=1)[0], dataset) for data in (dataset, changed)]
        assert scores[0].tobytes() == scores[1].tobytes()


@pytest.mark.parametrize("name", ["logistic_regression", "deepchrome"])
def test_training_without_a_work_folder_leaves_no_file(
    name: str, dataset: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    quick(name, dataset, max_epochs=1)
    assert list(tmp_path.iterdir()) == []


def test_the_learning_rate_can_be_halved_every_few_epochs(dataset: xr.Dataset) -> None:
    _, history = quick("deepchrome", dataset, max_epochs=5, warmup=0.0, learning_rate=0.004, halve_every=2)
    # The rate at the end of each epoch, which is that of the next one.
    assert history["learning_rate"].tolist() == [0.004, 0.002, 0.002, 0.001, 0.001]


def test_examples_that_are_random_in_part_are_drawn_again_in_every_epoch(
    dataset: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here, an epoch's draw adds its number of reads: the trained network must have seen the draws."""
    seeds: list[int] = []

    def redraw(_: ChromatinInputs, dataset: xr.Dataset, rows: np.ndarray) -> Any:
        original = ChromatinInputs.of("deepchrome", dataset, "depth").signal(dataset)[rows]

        def draw(seed: int) -> np.ndarray:
            seeds.append(seed)
            return np.ascontiguousarray(original[:, ::-1]) if len(seeds) % 2 else original

        return draw

    fixed, _ = quick("deepchrome", dataset, max_epochs=2)
    monkeypatch.setattr(ChromatinInputs, "redraw", redraw)
    same, _ = quick("deepchrome", dataset, max_epochs=2)
    assert seeds == []
    drawn, _ = quick("deepchrome", dataset, max_epochs=2, fresh=True)
    assert len(seeds) == len(set(seeds)) == 2
    assert np.array_equal(scores_of(fixed, dataset), scores_of(same, dataset))
    assert not np.array_equal(scores_of(fixed, dataset), scores_of(drawn, dataset))
    first = list(seeds)
    again, _ = quick("deepchrome", dataset, max_epochs=2, fresh=True)
    assert seeds[2:] == first
    assert np.array_equal(scores_of(again, dataset), scores_of(drawn, dataset))


def seen(monkeypatch: pytest.MonkeyPatch, name: str, dataset: xr.Dataset, **options: Any) -> TrainingData:
    """Return what a model is trained on."""
    given: list[TrainingData] = []
    of = TrainingData.of
    monkeypatch.setattr(TrainingData, "of", lambda *args, **kwargs: given.append(of(*args, **kwargs)) or given[-1])
    quick(name, dataset, max_epochs=1, **options)
    return given[0]


@pytest.mark.parametrize("name", ["deepchrome", "logistic_regression"])
def test_training_genes_are_also_learned_from_at_a_share_of_their_reads(
    name: str, dataset: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = seen(monkeypatch, name, dataset, inputs="depth")
    data = seen(monkeypatch, name, dataset, inputs="depth", thin=[0.5, 0.2])
    assert data.train.signal.shape == (3 * 320, 20, 5)
    assert data.train.target.tolist() == whole.train.target.tolist() * 3
    assert data.train.measured.tolist() == whole.train.measured.tolist() * 3  # type: ignore[union-attr]
    assert data.train.context is None
    # The copies come after the genes, and the valid part stays whole.
    assert np.array_equal(data.train.signal[:320], whole.train.signal)
    assert np.array_equal(data.valid.signal, whole.valid.signal)
    depth = dataset["depth"].values
    counts = dataset["counts"].values[:320]
    for copy, share in ((data.train.signal[320:640], 0.5), (data.train.signal[640:], 0.2)):
        reads = copy * depth * share
        assert np.abs(reads - reads.round()).max() < 1e-4
        assert (reads.round() <= counts).all()
        # About 40,000 reads: the mean signal of a copy, 1, has a standard error of about 0.01.
        assert reads.sum() / counts.sum() == pytest.approx(share, abs=0.02)
        assert copy.mean() == pytest.approx(whole.train.signal.mean(), abs=0.03)
    again = seen(monkeypatch, name, dataset, inputs="depth", thin=[0.5, 0.2])
    other = seen(monkeypatch, name, dataset, inputs="depth", thin=[0.5, 0.2], seed=2)
    assert np.array_equal(again.train.signal, data.train.signal)
    assert not np.array_equal(other.train.signal[320:], data.train.signal[320:])


def test_copies_of_several_samples_have_the_depth_of_their_own() -> None:
    deepening = deepening_epigenomes(sizes={"train": 200, "valid": 20, "test": 20})
    joined = join_epigenomes(deepening.items())
    spec = ChromatinInputs.of("pan_epigenome", joined, "depth")
    rows = np.flatnonzero(joined["split"].values == "train")
    copy = spec.thinned(joined, rows, 0.25, seed=1)
    whole = spec.signal(joined)[rows]
    for epigenome in deepening:
        mine = joined["epigenome"].values[rows] == epigenome
        assert mine.sum() == 200
        assert copy[mine].mean() == pytest.approx(whole[mine].mean(), abs=0.03)
    # A dataset without a depth has that of all its genes.
    alone = deepening["E1"]
    own = ChromatinInputs.of("deepchrome", alone, "depth")
    expected = own.thinned(alone, np.arange(5), 0.25, seed=1)
    np.testing.assert_allclose(own.thinned(alone.drop_vars("depth"), np.arange(5), 0.25, seed=1), expected, rtol=1e-6)


def test_copies_change_the_trained_model_and_their_absence_nothing(dataset: xr.Dataset, tmp_path: Path) -> None:
    plain, without, thinned = (
        quick("deepchrome", dataset, max_epochs=1, **options)[0] for options in ({}, {"thin": []}, {"thin": [0.2]})
    )
    for name, model in (("plain", plain), ("without", without)):
        model.save(tmp_path / name)
    assert (tmp_path / "plain").read_bytes() == (tmp_path / "without").read_bytes()
    assert not np.array_equal(scores_of(plain, dataset), scores_of(thinned, dataset))


def test_models_without_thinned_copies_keep_their_options(repository: Path) -> None:
    training = configured(repository)
    for name in ("deepchrome", "logistic_regression", "random_forest"):
        plain, thinned = (resolve(name, training | {"thin": thin}, {})[0] for thin in ([], [0.2]))
        assert "thin" not in plain
        assert thinned == plain | {"thin": [0.2]}


def test_data_without_reads_have_no_thinned_copies(dataset: xr.Dataset) -> None:
    averaged = dataset.assign(counts=dataset["counts"].astype(np.float32))
    for name in ("deepchrome", "logistic_regression"):
        with pytest.raises(UserError) as caught:
            quick(name, averaged, thin=[0.2])
        assert str(caught.value) == (
            f"training.thin: {name} learns from averaged signal, which has no reads to leave out; remove the key, or "
            "count reads"
        )


RESUMED: dict[str, Any] = {"max_epochs": 4, "seeds": 2, "warmup": 0.3, "patience": 2, "learning_rate": 0.003}


@pytest.fixture(scope="module")
def unbroken() -> tuple[xr.Dataset, Network, pd.DataFrame]:
    hard = synthetic_dataset(effect=0.3, seed=2)
    model, history = quick("deepchrome", hard, **RESUMED)
    return hard, model, history  # type: ignore[return-value]


# 20 steps and one validation per epoch, 4 epochs per seed.
@pytest.mark.parametrize(
    ("hook", "calls"),
    [
        ("training_step", [7]),
        ("training_step", [21]),
        ("training_step", [35, 12]),
        ("validation_step", [1]),
        ("validation_step", [3, 1, 2]),
        ("training_step", [95]),
        ("configure_optimizers", [2]),
    ],
)
def test_a_training_that_was_killed_ends_with_the_same_weights(
    unbroken: tuple[xr.Dataset, Network, pd.DataFrame],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    hook: str,
    calls: list[int],
) -> None:
    hard, model, history = unbroken
    for call in calls:
        with monkeypatch.context() as patch:
            kill_at(patch, NetworkTraining, hook, call)
            with pytest.raises(Killed):
                quick("deepchrome", hard, tmp_path, **RESUMED)
    again, again_history = quick("deepchrome", hard, tmp_path, **RESUMED)
    pd.testing.assert_frame_equal(again_history, history, check_exact=True)
    for name, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name  # type: ignore[attr-defined]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_ends_a_training_after_its_epoch_and_the_next_resumes(
    unbroken: tuple[xr.Dataset, Network, pd.DataFrame],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
) -> None:
    hard, model, history = unbroken
    before = signal.getsignal(number)
    original = NetworkTraining.training_step
    steps = iter(range(1, 10**6))

    def signalled(*arguments: Any) -> Any:
        if next(steps) == 27:  # in the second epoch
            os.kill(os.getpid(), number)
        return original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(NetworkTraining, "training_step", signalled)
        with pytest.raises(UserError, match=r"deepchrome: training was interrupted after 2 epochs; run again"):
            quick("deepchrome", hard, tmp_path, **RESUMED)
        assert next(steps) == 41
    assert signal.getsignal(number) == before
    again, again_history = quick("deepchrome", hard, tmp_path, **RESUMED)
    pd.testing.assert_frame_equal(again_history, history, check_exact=True)
    for name, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name  # type: ignore[attr-defined]


def test_a_slurm_job_is_not_requeued_by_the_trainer(dataset: xr.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "SLURM_NTASKS": "1",
        "SLURM_JOB_ID": "1",
        "SLURM_JOB_NAME": "train",
        "SLURM_PROCID": "0",
    }.items():
        monkeypatch.setenv(name, value)
    _, history = quick("deepchrome", dataset, max_epochs=1)
    assert len(history) == 1
    assert signal.getsignal(signal.SIGUSR1) in (None, signal.SIG_DFL)


def epochs_of(caplog: pytest.LogCaptureFixture) -> int:
    return sum(record.message.startswith("epoch ") for record in caplog.records)


def test_finished_epochs_are_not_trained_again(
    unbroken: tuple[xr.Dataset, Network, pd.DataFrame],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    hard, _, history = unbroken
    with monkeypatch.context() as patch:
        kill_at(patch, NetworkTraining, "training_step", 50)  # in the third epoch
        with pytest.raises(Killed):
            quick("deepchrome", hard, tmp_path, **RESUMED)
    caplog.clear()
    with caplog.at_level("INFO"):
        quick("deepchrome", hard, tmp_path, **RESUMED)
    assert epochs_of(caplog) == len(history) - 2
    caplog.clear()
    with caplog.at_level("INFO"):  # killed before the model was saved: nothing is left to train
        quick("deepchrome", hard, tmp_path, **RESUMED)
    assert epochs_of(caplog) == 0


def test_other_data_or_options_do_not_resume_from_a_checkpoint(
    dataset: xr.Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def epochs(data: xr.Dataset, **options: Any) -> int:
        caplog.clear()
        with caplog.at_level("INFO"):
            quick("deepchrome", data, tmp_path, **options)
        assert len(list(tmp_path.iterdir())) == 1  # unusable checkpoints are removed
        return epochs_of(caplog)

    changed = dataset.copy(deep=True)
    changed["counts"].values[0, 0, 0] += 1
    assert epochs(dataset) == 3
    assert epochs(dataset) == 0
    assert epochs(changed) == 3
    assert epochs(changed, max_epochs=2) == 2
    assert epochs(changed, max_epochs=2, threads=2) == 0


def test_a_damaged_checkpoint_is_not_resumed_from(dataset: xr.Dataset, tmp_path: Path) -> None:
    _, history = quick("deepchrome", dataset, tmp_path, max_epochs=1)
    (last,) = tmp_path.rglob("last.ckpt")
    last.write_bytes(last.read_bytes()[:1000])
    pd.testing.assert_frame_equal(quick("deepchrome", dataset, tmp_path, max_epochs=1)[1], history)


def test_a_training_that_diverges_says_so(dataset: xr.Dataset) -> None:
    with pytest.raises(UserError, match=r"deepchrome: training diverged .* give a lower training.learning_rate"):
        quick("deepchrome", dataset, optimizer="sgd", learning_rate=1e30, gradient_clip=0)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_named(dataset: xr.Dataset) -> None:
    with pytest.raises(UserError, match=r"training.accelerator: 'gpu' is not available here .*; give auto or cpu"):
        quick("deepchrome", dataset, accelerator="gpu")


def test_replicates_are_the_models_of_their_seeds(tmp_path: Path) -> None:
    dataset = synthetic_dataset(effect=0.3)
    # Calibrated replicates would share the curve of their mean, and differ from the calibrated models of their seeds.
    for name in ("deepchrome", "random_forest"):
        together, history = quick(name, dataset, seed=3, seeds=2, max_epochs=2, calibrate=False)
        alone = [quick(name, dataset, seed=seed, max_epochs=2, calibrate=False)[0] for seed in (3, 4)]
        scores = together.scores(dataset)
        assert history["seed"].unique().tolist() == [3, 4]
        np.testing.assert_array_equal(scores.replicates, [model.score(dataset) for model in alone])
        if name == "random_forest":
            expected = scores.replicates.mean(axis=0)
        else:  # the mean of the logits
            logits = np.log(scores.replicates) - np.log1p(-scores.replicates)
            expected = 1 / (1 + np.exp(-logits.mean(axis=0)))
        np.testing.assert_allclose(scores.joint, expected, atol=1e-6)
        together.save(tmp_path / name)
        np.testing.assert_array_equal(load_model(tmp_path / name).scores(dataset).replicates, scores.replicates)
        table = predict(together, dataset)
        assert list(table)[-3:] == ["score", "seed_1", "seed_2"]
    assert len(quick("logistic_regression", dataset, seeds=3)[1]) == 1


def test_class_weights_make_both_classes_count_equally() -> None:
    rare = synthetic_dataset(sizes={"train": 600, "valid": 160, "test": 160}, effect=0.3)
    on = np.flatnonzero((rare["label"].values == 1) & (rare["split"].values == "train"))
    rare = rare.drop_isel(gene=on[30:])
    for name in ("logistic_regression", "random_forest", "deepchrome"):
        plain, balanced = (
            scores_of(
                quick(name, rare, class_weights=weights, learning_rate=1e-3, calibrate=False)[0], of_part(rare, "test")
            ).mean()
            for weights in ("none", "balanced")
        )
        assert plain < 0.35  # worst of 5 seeds: 0.12, and the difference 0.14
        assert balanced > plain + 0.03, name


def test_depth_does_not_change_the_scores_of_a_depth_normalised_model(dataset: xr.Dataset) -> None:
    deeper = dataset.assign(counts=dataset["counts"] * 7, depth=dataset["depth"] * 7)
    for name in ("logistic_regression", "deepchrome"):
        model = quick(name, dataset, inputs="depth")[0]
        np.testing.assert_allclose(scores_of(model, deeper), scores_of(model, dataset), atol=1e-5)
        # Without the variable, the depth is the mean over the dataset's genes.
        np.testing.assert_allclose(scores_of(model, deeper.drop_vars("depth")), scores_of(model, dataset), atol=1e-5)
        log = quick(name, dataset, inputs="log")[0]
        assert np.abs(scores_of(log, deeper) - scores_of(log, dataset)).max() > 0.05


def test_a_regression_learns_the_variable_target() -> None:
    dataset = synthetic_dataset()
    rng = np.random.default_rng(1)
    wanted = np.log1p(dataset["counts"].values[:, 5:15, 3].sum(axis=1)) + rng.normal(0, 0.1, dataset.sizes["gene"])
    dataset = dataset.assign(target=("gene", wanted))
    for name in ("linear_regression", "deepchrome"):
        model, history = quick(name, dataset, max_epochs=8)
        assert model.input_spec.task == "regression"
        test = of_part(dataset, "test")
        assert np.corrcoef(scores_of(model, test), test["target"])[0, 1] > 0.9
        assert history["valid_r"].max() > 0.9


def test_too_few_bins_are_an_error_of_the_configuration() -> None:
    with pytest.raises(UserError) as caught:
        quick("deepchrome", synthetic_dataset(bins=10))
    assert str(caught.value) == (
        "model_options.deepchrome: 10 bins are too few for kernel 10 and pool 5; change the options or the input"
    )


def test_models_take_one_mark(tmp_path: Path) -> None:
    dataset = synthetic_dataset(marks=["H3K4me3"])
    for name in MODELS:
        model = quick(name, dataset, max_epochs=1)[0]
        model.save(tmp_path / name)
        assert scores_of(load_model(tmp_path / name), dataset).shape == (640,)


def test_a_mark_without_reads_can_be_trained_on(dataset: xr.Dataset) -> None:
    empty = dataset.copy(deep=True)
    empty["counts"].values[:, :, 1] = 0
    for name in MODELS:
        assert np.isfinite(scores_of(quick(name, empty, max_epochs=1, inputs="depth")[0], empty)).all(), name


# Keys of the section for the job, not for the training itself.
OF_JOBS = ("gpus", "gpu_model", "epigenomes_per_job")


def configured(repository: Path) -> dict[str, Any]:
    """Return the defaults of the configuration's section `training`."""
    schema = yaml.safe_load((repository / "workflow/schemas/config.schema.yaml").read_text())
    parts = schema["properties"]["training"]["properties"].items()
    return {key: part["default"] for key, part in parts if key not in (*OF_JOBS, "threads", "accelerator")}


def test_the_defaults_of_the_configuration_agree_with_the_options(repository: Path) -> None:
    schema = yaml.safe_load((repository / "workflow/schemas/config.schema.yaml").read_text())
    parts = schema["properties"]["training"]["properties"]
    options = vars(TrainingOptions())
    assert parts.keys() - {"protocol", *OF_JOBS} == options.keys() - {"initial_range", "halve_every", "fresh"}
    for key, part in parts.items():
        if key in ("protocol", *OF_JOBS):
            continue
        if key == "thin":  # a list, which an option's default cannot be
            assert tuple(part["default"]) == options[key]
        elif part["default"] is not None:
            assert part["default"] == options[key], key
        else:  # depends on the protocol: the description states both
            value = options[key]
            shown = "none" if value is None else str(value).lower() if isinstance(value, bool | str) else f"{value:g}"
            assert f"default {shown}" in part["description"], key


def test_the_paper_protocol_agrees_with_the_authors_code(repository: Path) -> None:
    training = configured(repository) | {"protocol": "paper"}
    options, model_options = resolve("attentivechrome", training, {"bin_units": 32, "dropout": None})
    assert TrainingOptions(**options) == TrainingOptions(
        inputs="raw",
        optimizer="adam",
        learning_rate=2e-4,
        warmup=0,
        weight_decay=0,
        batch_size=16,
        max_epochs=30,
        monitor="metric",
        patience=None,
        calibrate=False,
        gradient_clip=1.0,
        initial_range=0.1,
    )
    assert model_options == {"bin_units": 32, "dropout": 0.0}
    options, model_options = resolve("deepchrome", training, {"dropout": None})
    assert (options["optimizer"], options["learning_rate"], options["batch_size"]) == ("sgd", 1e-3, 1)
    assert (options["max_epochs"], options["initial_range"]) == (100, None)
    assert model_options == {"dropout": 0.5}
    assert resolve("svc", training, {"C": 2.0}) == ({"inputs": "raw", "class_weights": "none", "seed": 1}, {"C": 2.0})


def test_the_configuration_overrides_the_protocol(repository: Path) -> None:
    for protocol in ("default", "paper"):
        given = {"batch_size": 7, "patience": 5, "monitor": "metric", "calibrate": True}
        training = configured(repository) | {"protocol": protocol} | given
        options, model_options = resolve("attentivechrome", training, {"dropout": 0.2})
        assert {key: options[key] for key in given} == given
        assert model_options["dropout"] == 0.2


def test_initial_weights_of_the_paper_protocol() -> None:
    dataset = synthetic_dataset()
    model, _ = quick("attentivechrome", dataset, initial_range=0.1, learning_rate=1e-9, max_epochs=1, weight_decay=0)
    values = torch.cat([parameter.flatten() for parameter in model.parameters()])  # type: ignore[attr-defined]
    assert values.abs().max() <= 0.1 + 1e-5
    assert values.std().item() == pytest.approx(0.1 / 3**0.5, rel=0.02)


def test_the_learning_rate_rises_and_falls(dataset: xr.Dataset) -> None:
    history = quick("mlp", dataset, warmup=0.3, max_epochs=10, patience=None, learning_rate=0.01)[1]
    rates = history["learning_rate"].to_numpy()
    assert rates.argmax() == 2
    assert rates.max() == pytest.approx(0.01, rel=0.01)
    assert rates[-1] < 1e-5
    short = quick("mlp", dataset, warmup=0.1, max_epochs=1, learning_rate=0.01, batch_size=32)[1]  # ten steps: no rise
    assert short["learning_rate"].iloc[0] < 0.001
    constant = quick("mlp", dataset, warmup=0, max_epochs=3)[1]["learning_rate"]
    assert constant.unique().tolist() == [0.01]


def test_genes_are_scored_once_per_replicate(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = synthetic_dataset()
    forward, calls = DeepChrome.forward, []

    def counted(network: DeepChrome, signal: torch.Tensor) -> torch.Tensor:
        calls.append(len(signal))
        return forward(network, signal)

    spec = ChromatinInputs.of("deepchrome", dataset)
    model = Network(spec, {}, replicates=3)
    monkeypatch.setattr(DeepChrome, "forward", counted)
    predict(model, dataset)
    assert sum(calls) == 3 * dataset.sizes["gene"]

    forest, _ = quick("random_forest", dataset, seeds=3)
    scored: list[int] = []
    original = baseline.raw_scores

    def counted_scores(estimator: object, features: np.ndarray) -> np.ndarray:
        scored.append(len(features))
        return original(estimator, features)

    monkeypatch.setattr(baseline, "raw_scores", counted_scores)
    predict(forest, dataset)
    assert scored == [dataset.sizes["gene"]] * 3


SIDE_BY_SIDE: dict[str, Any] = {"max_epochs": 9, "patience": 1, "learning_rate": 0.003, "gradient_clip": 0.05}


@pytest.mark.parametrize("name", [*NETWORKS, "pan_epigenome"])
def test_networks_trained_together_learn_the_same_as_alone(name: str) -> None:
    datasets = epigenomes(name)
    # Rounding decides in the end: on one processor scores differ by 3e-6 at most after 6 epochs, by 7e-4 after 9.
    options = TrainingOptions(**SIDE_BY_SIDE | {"max_epochs": 6}, accelerator="cpu", class_weights="balanced")
    together = train_together(name, datasets, {}, options)
    for dataset, (model, history) in zip(datasets, together, strict=True):
        alone, alone_history = train(name, dataset, {}, options)
        pd.testing.assert_frame_equal(history, alone_history, rtol=1e-3, atol=1e-4)
        assert model.score(dataset) == pytest.approx(alone.score(dataset), abs=1e-4)


def test_networks_trained_together_learn_the_same_in_the_operators_of_other_devices(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = TrainingOptions(**SIDE_BY_SIDE | {"max_epochs": 3}, accelerator="cpu")
    with monkeypatch.context() as patch:
        patch.setattr(compiled, "library", lambda: None)
        in_operators = train_together("attentivechrome", epigenomes("attentivechrome")[:2], {}, options)
    for (_, history), (_, in_c) in zip(
        in_operators, train_together("attentivechrome", epigenomes("attentivechrome")[:2], {}, options), strict=True
    ):
        pd.testing.assert_frame_equal(history.drop(columns=UNCOMPILED), in_c, rtol=1e-3, atol=1e-4)


def test_each_network_trained_together_stops_by_itself() -> None:
    datasets = [*epigenomes("mlp"), contrary()]
    results = train_together("mlp", datasets, {}, TrainingOptions(**SIDE_BY_SIDE, accelerator="cpu"))
    lengths = [len(history) for _, history in results]
    # The last network gets worse from its first epoch; the first trained for 4 or more in each of 7 measured runs.
    assert lengths[-1] == 2 < lengths[0], lengths
    for dataset, (model, history) in zip(datasets, results, strict=True):
        # The weights of the best epoch are kept; unless the limit of epochs was reached, it is the last but one.
        best = int(history["valid_loss"].argmin())
        assert auc(model, dataset, "valid") == pytest.approx(history["valid_auc"][best], abs=1e-6)
        assert len(history) in (SIDE_BY_SIDE["max_epochs"], best + 2)


def test_joint_trainings_resume_after_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = TrainingOptions(**RESUMED, accelerator="cpu")
    unbroken = train_together("deepchrome", epigenomes("deepchrome"), {}, options)
    with monkeypatch.context() as patch:
        kill_at(patch, NetworkTraining, "training_step", 47)
        with pytest.raises(Killed):
            train_together("deepchrome", epigenomes("deepchrome"), {}, options, tmp_path)
    again = train_together("deepchrome", epigenomes("deepchrome"), {}, options, tmp_path)
    for (model, history), (again_model, again_history) in zip(unbroken, again, strict=True):
        pd.testing.assert_frame_equal(again_history, history, check_exact=True)
        for name, tensor in model.state_dict().items():  # type: ignore[attr-defined]
            assert torch.equal(again_model.state_dict()[name], tensor), name  # type: ignore[attr-defined]


def test_networks_with_different_numbers_of_genes_do_not_train_together() -> None:
    datasets = [synthetic_dataset(epigenome="A"), synthetic_dataset(epigenome="B").isel(gene=slice(None, -1, 2))]
    with pytest.raises(UserError, match=r"^A, deepchrome has \d+ genes in the train part, but B, .*per_job"):
        train_together("deepchrome", datasets, {}, QUICK)
