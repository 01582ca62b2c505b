"""Networks of sequences: agreement with straight-line code, parameter counts, strands and baselines."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from captum import attr
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.nn import functional

from chromattend.models.baseline import Setting
from chromattend.models.registry import REGISTRY
from chromattend.sequence import protocols
from chromattend.sequence.models.baselines import KmerCounts, gapped_kmer_logistic, kmer_logistic
from chromattend.sequence.models.cnn import CNN
from chromattend.sequence.models.cnn_rnn import CNNRNN
from chromattend.sequence.models.dilated import Dilated
from chromattend.sequence.models.rnn import RNN
from chromattend.sequence.models.strands import SequenceNetwork
from chromattend.training.protocols import TrainingOptions, resolve

Weights = dict[str, torch.Tensor]
NETWORKS = [CNN, RNN, CNNRNN, Dilated]
NAMES = ["kmer_logistic", "gapped_kmer_logistic", "gkm_svm", "cnn", "rnn", "cnn_rnn", "dilated"]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Keep torch from waiting for busy processors."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def one_hot(sequences: int, length: int, letters: int = 4, seed: int = 3) -> torch.Tensor:
    drawn = torch.randint(letters, (sequences, length), generator=torch.Generator().manual_seed(seed))
    return functional.one_hot(drawn, letters).float()


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def log_odds(outputs: torch.Tensor) -> torch.Tensor:
    """The logit of the second class, whose log-softmax the authors' code returns."""
    unbound, bound = functional.log_softmax(outputs, dim=1).T
    return bound - unbound


def cnn(x: torch.Tensor, w: Weights) -> torch.Tensor:
    """DeepMotif's CNN."""
    x = x.transpose(1, 2)
    for layer in ("layers.0", "layers.5"):
        x = functional.max_pool1d(functional.conv1d(x, w[f"{layer}.weight"], w[f"{layer}.bias"]).relu(), 2)
    x = functional.conv1d(x, w["layers.10.weight"], w["layers.10.bias"]).relu()
    return log_odds(x.max(dim=2).values @ w["output.weight"].T + w["output.bias"])


def lstm_head(x: torch.Tensor, w: Weights, pool: str) -> torch.Tensor:
    """torch's own LSTM, pooling of each direction, one output."""
    units = w["recurrence.lstm.state_weight"].shape[-1]
    reference = nn.LSTM(x.shape[2], units, batch_first=True, bidirectional=True)
    for direction, suffix in enumerate(("", "_reverse")):
        for ours, theirs in (
            ("input_weight", "weight_ih"),
            ("state_weight", "weight_hh"),
            ("input_bias", "bias_ih"),
            ("state_bias", "bias_hh"),
        ):
            getattr(reference, f"{theirs}_l0{suffix}").data = w[f"recurrence.lstm.{ours}"][0, direction]
    forward, backward = reference(x)[0].split(units, dim=2)
    pooled = [states.mean(dim=1) if pool == "mean" else states.max(dim=1).values for states in (forward, backward)]
    return log_odds(torch.cat(pooled, dim=1) @ w["recurrence.output.weight"].T + w["recurrence.output.bias"])


def cnn_rnn(x: torch.Tensor, w: Weights, pool: str) -> torch.Tensor:
    maps = functional.conv1d(x.transpose(1, 2), w["convolution.weight"], w["convolution.bias"], padding=4).relu()
    return lstm_head(maps.transpose(1, 2), w, pool)


def dilated(x: torch.Tensor, w: Weights) -> torch.Tensor:
    """With the default sizes."""
    first, mixing = w["filters.0.weight"], w["mixing.weight"]
    maps = functional.conv1d(x.transpose(1, 2), first, w["filters.0.bias"], padding=first.shape[2] // 2).relu()
    maps = functional.conv1d(functional.max_pool1d(maps, 4), mixing, w["mixing.bias"])
    for number in range(3):
        weight, bias = (w[f"tower.{number}.convolution.{part}"] for part in ("weight", "bias"))
        maps = maps + functional.conv1d(maps, weight, bias, padding=2**number, dilation=2**number).relu()
    pooled = torch.cat([maps.max(dim=2).values, maps.mean(dim=2)], dim=1)
    return pooled @ w["output.weight"][0] + w["output.bias"][0]


@pytest.mark.parametrize("length", [101, 60, 140])
@pytest.mark.parametrize(
    ("build", "reference", "options"),
    [
        (CNN, cnn, {}),
        (RNN, lambda x, w: lstm_head(x, w, "mean"), {"pool": "mean"}),
        (RNN, lambda x, w: lstm_head(x, w, "max"), {"pool": "max"}),
        (CNNRNN, lambda x, w: cnn_rnn(x, w, "mean"), {"pool": "mean"}),
        (CNNRNN, lambda x, w: cnn_rnn(x, w, "max"), {"pool": "max"}),
        (Dilated, dilated, {}),
    ],
)
def test_networks_agree_with_straight_line_code(
    build: type[SequenceNetwork], reference: Callable[..., torch.Tensor], options: dict[str, Any], length: int
) -> None:
    torch.manual_seed(5)
    network = build(4, 101, strands="one", **options).eval()
    with torch.inference_mode():
        x = one_hot(6, length)
        expected = reference(x, network.state_dict())
        assert float(expected.std()) > 1e-4  # else nothing would be compared
        assert float((network(x) - expected).abs().max()) < 1e-5


def test_published_networks_have_as_many_parameters_as_counted_by_hand() -> None:
    convolutions = (4 * 9 * 128 + 128) + (128 * 5 * 128 + 128) + (128 * 3 * 128 + 128)
    assert parameters(CNN(4, 101)) == convolutions + (2 * 128 + 2) == 136_322

    def lstm(inputs: int) -> int:
        return 2 * (4 * 32 * inputs + 4 * 32 * 32 + 2 * 4 * 32)  # torch's two biases

    assert parameters(RNN(4, 101)) == lstm(4) + (2 * 64 + 2) == 9_858
    assert parameters(CNNRNN(4, 101)) == (4 * 9 * 128 + 128) + lstm(128) + (2 * 64 + 2) == 46_338


@pytest.mark.parametrize("build", NETWORKS)
def test_both_strands_are_averaged(build: type[SequenceNetwork]) -> None:
    torch.manual_seed(2)
    network = build(4, 50, strands="both").eval()
    x = one_hot(7, 50)
    reverse = x.flip(1, 2)
    # Letters ACGT: the complement of letter i is letter 3 - i.
    assert torch.equal(reverse.argmax(dim=2), 3 - x.argmax(dim=2).flip(1))
    with torch.inference_mode():
        expected = (network.read(x) + network.read(reverse)) / 2
        assert float((network.read(x) - network.read(reverse)).abs().min()) > 0
        torch.testing.assert_close(network(x), expected, rtol=0, atol=1e-6)
        # A sequence and its reverse complement are the same molecule.
        torch.testing.assert_close(network(reverse), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("build", NETWORKS)
def test_training_reads_a_random_strand_of_each_sequence(build: type[SequenceNetwork]) -> None:
    torch.manual_seed(2)
    network = build(4, 50, strands="both", dropout=0.0).train()
    x = one_hot(400, 50)
    with torch.inference_mode():
        logits, given, reverse = network(x), network.read(x), network.read(x.flip(1, 2))
    as_given = (logits - given).abs() < (logits - reverse).abs()
    torch.testing.assert_close(logits, torch.where(as_given, given, reverse), rtol=0, atol=1e-6)
    assert 150 < int(as_given.sum()) < 250  # 200 with a standard deviation of 10


@pytest.mark.parametrize("build", [CNN, Dilated])
def test_deeplift_is_complete_for_both_strands_and_any_reference(build: type[SequenceNetwork]) -> None:
    torch.manual_seed(4)
    network = build(4, 60, strands="both").eval()
    x, reference = one_hot(4, 60), one_hot(4, 60, seed=8)
    weights = attr.DeepLift(network).attribute(x.requires_grad_(), reference).sum(dim=(1, 2))
    difference = network(x) - network(reference)
    assert float(difference.detach().abs().min()) > 1e-4
    torch.testing.assert_close(weights, difference, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("build", "options", "message"),
    [
        (lambda **options: CNN(4, 27, **options), {}, "length 27 are too short, the layers need at least 28"),
        (lambda **options: CNNRNN(4, 8, **options), {}, "length 8 are too short, the layers need at least 9"),
        (lambda **options: Dilated(4, 12, **options), {}, "length 12 are too short, the layers need at least"),
        (lambda **options: RNN(4, 0, **options), {}, "length 0 are too short"),
        (lambda **options: RNN(4, 50, **options), {"pool": "sum"}, "pool 'sum'"),
        (lambda **options: CNN(4, 50, **options), {"strands": "two"}, "strands 'two'"),
        (lambda **options: CNN(20, 50, **options), {"strands": "both"}, "20 letters has one strand"),
    ],
)
def test_networks_refuse_what_they_cannot_read(
    build: Callable[..., SequenceNetwork], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_the_shortest_sequences_can_be_read() -> None:
    for network in (CNN(4, 28), CNNRNN(4, 9), RNN(4, 1), Dilated(4, 19, kernel=19)):
        assert network.eval()(one_hot(2, network.least)).isfinite().all()


def test_protocols_name_models_and_options_that_exist() -> None:
    for table in (protocols.DEFAULT, protocols.PAPER, protocols.PAPER_MODEL):
        assert set(table) <= set(NAMES)
    for name in NAMES:
        for protocol in ("default", "paper"):
            options, model_options = resolve(name, {"protocol": protocol}, {})
            TrainingOptions(**options)
            if REGISTRY[name].kind == "network":
                REGISTRY[name].load()(4, 101, **model_options)
    _, model_options = resolve("rnn", {"protocol": "paper"}, {})
    assert model_options == {"dropout": 0.5, "strands": "one", "pool": "mean"}


def slow_counts(sequence: str, k: int, window: int, alphabet: str) -> Counter[tuple[tuple[int, ...], str]]:
    """Count gapped k-mers of one sequence by their mask and letters; a k-mer is the lesser of its two strands."""
    counts: Counter[tuple[tuple[int, ...], str]] = Counter()
    for last in range(k - 1, window):
        for inner in itertools.combinations(range(1, last), k - 2):
            mask = (0, *inner, last)
            for start in range(len(sequence) - last):
                kmer = "".join(sequence[start + place] for place in mask)
                if "N" in kmer:
                    continue
                entry = mask, kmer
                if alphabet == "ACGT":
                    opposite = kmer[::-1].translate(str.maketrans("ACGT", "TGCA"))
                    entry = min(entry, (tuple(last - place for place in mask[::-1]), opposite))
                counts[entry] += 1
    return counts


@pytest.mark.parametrize(
    ("alphabet", "k", "window"), [("ACGT", 3, 3), ("ACGT", 4, 4), ("ACGT", 3, 5), ("ACGT", 4, 6), ("ABCDE", 2, 4)]
)
def test_kmer_counts_are_those_of_a_slow_count(alphabet: str, k: int, window: int) -> None:
    random = np.random.default_rng(7)
    sequences = ["".join(random.choice([*alphabet, "N"], 23)) for _ in range(12)]
    if alphabet == "ACGT":
        sequences[3] = sequences[2][::-1].translate(str.maketrans("ACGT", "TGCA"))
    signal = np.zeros((len(sequences), 23, len(alphabet)), np.float32)
    for row, sequence in enumerate(sequences):
        for position, letter in enumerate(sequence):
            if letter != "N":
                signal[row, position, alphabet.index(letter)] = 1
    features = KmerCounts(len(alphabet), k, window).fit_transform(signal.reshape(len(signal), -1))
    expected = [slow_counts(sequence, k, window, alphabet) for sequence in sequences]
    names = sorted(set().union(*expected))
    table = np.array([[counts[name] for name in names] for counts in expected])
    used = np.unique(features.indices)
    # Columns are in another order: compare them as a set.
    columns = np.rint(np.expm1(features[:, used].toarray())).astype(int)
    assert sorted(map(tuple, columns.T)) == sorted(map(tuple, table.T))


def test_gapped_kmers_have_one_mask_each() -> None:
    masks = KmerCounts(4, 6, 8).masks
    assert len(masks) == len(set(masks)) == 1 + 5 + 15
    assert KmerCounts(4, 1, 1).masks == [(0,)]
    with pytest.raises(ValueError, match="window 5 is shorter than k 6"):
        gapped_kmer_logistic(Setting(4, 101, log=False), window=5)


def test_baselines_learn_a_planted_motif_and_are_read_back(tmp_path: Path) -> None:
    from skops import io

    signal = one_hot(600, 40).numpy()
    motif = one_hot(1, 8, seed=11)[0].numpy()
    signal[:300, 12:20] = motif
    signal[150:300] = signal[150:300, ::-1, ::-1]
    labels = np.repeat([1, 0], 300)
    features = signal.reshape(600, -1)
    setting = Setting(4, 40, log=False)
    for pipeline in (kmer_logistic(setting, k=4), gapped_kmer_logistic(setting, window=5, k=4)):
        pipeline.fit(features[::2], labels[::2])
        probability = pipeline.predict_proba(features[1::2])[:, 1]
        assert roc_auc_score(labels[1::2], probability) > 0.9
        path = tmp_path / "model.skops"
        io.dump(pipeline, path)
        trusted = [f"{KmerCounts.__module__}.{KmerCounts.__name__}"]
        assert np.array_equal(io.load(path, trusted=trusted).predict_proba(features[1::2])[:, 1], probability)
