"""Training of every model, and trained models as files: what is kept, compared, refused and repeated."""

import os
import pickle
import warnings
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
from builders import MARKS, synthetic_dataset
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import FunctionTransformer

from chromattend.errors import UserError
from chromattend.evaluate import predict
from chromattend.models import REGISTRY, load_model
from chromattend.models.base import Contract, TrainedModel
from chromattend.models.network import Network
from chromattend.training import train
from chromattend.training.classifier import ChromatinClassifier, EpigenomeDataModule
from chromattend.training.options import Genes, TrainingOptions

NETWORKS = [name for name, spec in REGISTRY.items() if spec.kind == "network"]
SMALL = {"random_forest": {"n_estimators": 30}, "deepchrome": {"hidden1": 40, "hidden2": 20}}
QUICK = TrainingOptions(max_epochs=3, learning_rate=0.01, batch_size=16, accelerator="cpu")
Trained = tuple[TrainedModel, pd.DataFrame]


def quick(name: str, dataset: xr.Dataset, work_folder: Path | None = None, **options: Any) -> Trained:
    """Train a small model for a few epochs."""
    return train(name, dataset, SMALL.get(name, {}), TrainingOptions(**(vars(QUICK) | options)), work_folder)


def of_part(dataset: xr.Dataset, part: str) -> xr.Dataset:
    return dataset.isel(gene=np.flatnonzero(dataset["split"].values == part))


def auc(model: TrainedModel, dataset: xr.Dataset, part: str) -> float:
    chosen = of_part(dataset, part)
    return float(roc_auc_score(chosen["label"], model.score(chosen["counts"].values)))


@pytest.fixture(scope="module")
def dataset() -> xr.Dataset:
    return synthetic_dataset()


@pytest.fixture(scope="module", params=REGISTRY)
def trained(request: pytest.FixtureRequest, dataset: xr.Dataset) -> Trained:
    """Every model of the registry, trained once."""
    return quick(request.param, dataset)


@pytest.fixture(scope="module")
def files(dataset: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A saved model of either kind."""
    folder = tmp_path_factory.mktemp("models")
    found = {"network": folder / "network.ckpt", "baseline": folder / "baseline.ckpt"}
    quick("deepchrome", dataset, max_epochs=1)[0].save(found["network"])
    quick("logistic_regression", dataset)[0].save(found["baseline"])
    return found


def test_every_model_learns_a_planted_signal(trained: Trained, dataset: xr.Dataset) -> None:
    model, history = trained
    assert history["valid_auc"].max() > 0.8
    assert auc(model, dataset, "test") > 0.8


def test_no_model_learns_what_is_not_there() -> None:
    noise = synthetic_dataset(effect=0)
    for name in REGISTRY:
        assert 0.35 < auc(quick(name, noise, max_epochs=1)[0], noise, "test") < 0.65, name


def test_history_has_a_row_an_epoch(trained: Trained) -> None:
    model, history = trained
    if model.contract.model in NETWORKS:
        assert list(history) == ["epoch", "train_loss", "valid_loss", "valid_auc"]
        assert history["epoch"].tolist() == [0, 1, 2]
        assert history["train_loss"].iloc[-1] < history["train_loss"].iloc[0]
    else:
        assert list(history) == ["epoch", "valid_auc"]
        assert history["epoch"].tolist() == [0]
    assert history.notna().all(axis=None)


def test_a_model_keeps_what_it_was_trained_on(trained: Trained, dataset: xr.Dataset) -> None:
    contract = trained[0].contract
    assert contract.marks == MARKS
    assert contract.bins == list(range(-1000, 1000, 100))


def test_scores_above_the_threshold_are_mostly_of_on_genes(trained: Trained, dataset: xr.Dataset) -> None:
    model = trained[0]
    test = of_part(dataset, "test")
    scores = model.score(test["counts"].values)
    assert scores.shape == (160,)
    assert ((scores > model.threshold) == test["label"].values).mean() > 0.7


def test_a_loaded_model_gives_the_same_scores_bit_for_bit(
    trained: Trained, dataset: xr.Dataset, tmp_path: Path
) -> None:
    model = trained[0]
    model.save(tmp_path / "model.ckpt")
    loaded = load_model(tmp_path / "model.ckpt")
    counts = dataset["counts"].values
    assert loaded.contract == model.contract
    assert loaded.threshold == model.threshold
    assert loaded.score(counts).tobytes() == model.score(counts).tobytes()
    assert [path.name for path in tmp_path.iterdir()] == ["model.ckpt"]


def test_scores_do_not_depend_on_which_genes_are_scored_together(trained: Trained, dataset: xr.Dataset) -> None:
    counts = dataset["counts"].values
    np.testing.assert_allclose(trained[0].score(counts)[:7], trained[0].score(counts[:7]), atol=1e-6)


@pytest.mark.parametrize("name", ["random_forest", *NETWORKS])
def test_the_seed_decides(name: str, dataset: xr.Dataset) -> None:
    def scores(seed: int, before: int) -> bytes:
        torch.manual_seed(before)
        np.random.seed(before)  # noqa: NPY002 (what went before must not matter)
        return quick(name, dataset, seed=seed, max_epochs=1)[0].score(dataset["counts"].values).tobytes()

    first = scores(seed=1, before=10)
    assert scores(seed=1, before=11) == first
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
    model = load_model(files[kind])
    with pytest.raises(UserError) as caught:
        predict(model, synthetic_dataset(**change))
    message = str(caught.value)
    assert "\n" not in message
    assert all(word in message for word in [model.contract.model, *words]), message


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        load_model(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: is no model of chromattend or is damaged")
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
    # The file is dangerous where it is trusted.
    if form == "pickle":
        pickle.loads(path.read_bytes())
    else:
        torch.load(path, weights_only=False)
    assert trap.exists()


def test_an_unknown_type_in_a_baseline_is_refused(tmp_path: Path) -> None:
    contract = {"model": "logistic_regression", "marks": MARKS, "bins": [0]}
    estimator = FunctionTransformer(os.mkdir)
    skops.io.dump({"contract": contract, "estimator": estimator}, tmp_path / "model.ckpt")
    assert "mkdir" in refusal(tmp_path / "model.ckpt")


def test_a_missing_file_is_not_called_damaged(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "none.ckpt")


def test_the_best_epoch_is_returned_and_not_the_last() -> None:
    noise = synthetic_dataset(effect=0, seed=4)
    model, history = quick("deepchrome", noise, max_epochs=6)
    best, last = history["valid_auc"].max(), history["valid_auc"].iloc[-1]
    assert best > last + 0.01  # a net that learns noise by heart does not stay at its best
    assert auc(model, noise, "valid") == pytest.approx(best, abs=1e-6)


def test_valid_auc_is_that_of_all_genes_together() -> None:
    dataset = synthetic_dataset(sizes={"train": 64, "valid": 1100, "test": 10}, effect=0.3)
    model, history = quick("attentivechrome", dataset, max_epochs=1)
    assert history["valid_auc"].item() == pytest.approx(auc(model, dataset, "valid"), abs=1e-5)


def test_valid_auc_compares_logits_across_batches() -> None:
    class Given(Network):
        def forward(self, counts: torch.Tensor) -> torch.Tensor:
            return counts[:, 0, 0]

    classifier = ChromatinClassifier(Given(Contract("attentivechrome", ["m"], [0]), {}), 0.001, 0.0)
    logits = [torch.tensor([0.1, 0.9, 0.4]), torch.tensor([0.5, -0.2, 3.0]), torch.tensor([-30.0, 40.0, 41.0])]
    labels = [torch.tensor([0.0, 1, 0]), torch.tensor([1.0, 0, 1]), torch.tensor([0.0, 0, 1])]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # there is no trainer to log to
        for batch, truth in zip(logits, labels, strict=True):
            classifier.validation_step((batch.reshape(-1, 1, 1), truth), 0)
    expected = roc_auc_score(torch.cat(labels), torch.cat(logits))
    assert classifier.valid_auc.compute().item() == pytest.approx(expected, abs=1e-6)


def test_training_ends_when_it_no_longer_gets_better() -> None:
    noise = synthetic_dataset(effect=0, seed=4)
    history = quick("deepchrome", noise, max_epochs=30, patience=2)[1]
    best = int(history["valid_auc"].idxmax())
    assert len(history) == best + 3 < 30


def test_batches_hold_every_training_gene_once() -> None:
    counts = np.arange(70, dtype=np.float32).reshape(70, 1, 1)
    genes = Genes(counts, (counts[:, 0, 0] % 2).astype(np.float32))
    data = EpigenomeDataModule(genes, Genes(counts[:5], genes.labels[:5]), batch_size=16)
    orders = []
    for _ in range(2):
        batches = list(data.train_dataloader())
        assert [len(labels) for _, labels in batches] == [16, 16, 16, 16, 6]
        found = torch.cat([batch.flatten() for batch, _ in batches])
        labels = torch.cat([labels for _, labels in batches])
        assert torch.equal(labels, found % 2)
        assert sorted(found.tolist()) == list(range(70))
        orders.append(found.tolist())
    assert orders[0] != orders[1]
    assert orders[0] != sorted(orders[0])
    (batch, labels), *rest = data.val_dataloader()
    assert batch.flatten().tolist() == [0, 1, 2, 3, 4]
    assert labels.tolist() == [0, 1, 0, 1, 0]
    assert rest == []


def test_only_the_train_part_is_learned_from(dataset: xr.Dataset) -> None:
    changed = dataset.copy(deep=True)
    test = changed["split"].values == "test"
    changed["counts"].values[test] = 99
    changed["label"].values[test] = 1
    for name in ("logistic_regression", "deepchrome"):
        scores = [quick(name, data, max_epochs=1)[0].score(dataset["counts"].values) for data in (dataset, changed)]
        assert scores[0].tobytes() == scores[1].tobytes()


@pytest.mark.parametrize("name", ["logistic_regression", "deepchrome"])
def test_training_leaves_no_file(
    name: str, dataset: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path)
    quick(name, dataset, tmp_path / "work", max_epochs=1)
    assert [path.name for path in tmp_path.rglob("*")] == ["work"]


def test_training_that_fails_leaves_no_file(
    dataset: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(ChromatinClassifier, "validation_step", fail)
    with pytest.raises(MemoryError):
        quick("deepchrome", dataset, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_too_few_bins_are_a_mistake_of_the_configuration() -> None:
    with pytest.raises(UserError) as caught:
        quick("deepchrome", synthetic_dataset(bins=10))
    assert str(caught.value) == (
        "model_options.deepchrome: 10 bins are too few for kernel 10 and pool 5; change them or the bins"
    )


def test_models_take_one_mark(tmp_path: Path) -> None:
    dataset = synthetic_dataset(marks=["H3K4me3"])
    for name in REGISTRY:
        model = quick(name, dataset, max_epochs=1)[0]
        model.save(tmp_path / name)
        assert load_model(tmp_path / name).score(dataset["counts"].values).shape == (640,)


def test_a_mark_without_reads_can_be_trained_on(dataset: xr.Dataset) -> None:
    empty = dataset.copy(deep=True)
    empty["counts"].values[:, :, 1] = 0
    for name in REGISTRY:
        assert np.isfinite(quick(name, empty, max_epochs=1)[0].score(empty["counts"].values)).all(), name


def test_defaults_are_those_of_the_configuration(repository: Path) -> None:
    schema = yaml.safe_load((repository / "workflow/schemas/config.schema.yaml").read_text())
    known = {key: part["default"] for key, part in schema["properties"]["training"]["properties"].items()}
    assert vars(TrainingOptions()) == {key: value for key, value in known.items() if key != "gpus"}


def test_checkpoints_of_a_killed_training_are_removed(dataset: xr.Dataset, tmp_path: Path) -> None:
    (tmp_path / ".checkpoints-old" / "best").mkdir(parents=True)
    quick("deepchrome", dataset, tmp_path, max_epochs=1)
    assert list(tmp_path.iterdir()) == []
