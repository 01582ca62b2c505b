"""Explicit features of gapped k-mers beside the exact kernel: test AUC on a real set, and seconds and memory of many.

    .venv/bin/python benchmarks/kernel_features.py auc --data sequences/gkm --set EP300 --g 10 --k 6
    .venv/bin/python benchmarks/kernel_features.py many --strings 100000 --length 200 --threads 2

`auc` fits a linear SVM on features of several numbers of choices and bits, and an SVM on the exact kernel; both with
C = 1 and both strands. `many` plants a mutated motif into half of random strings; `--liblinear` fits scikit-learn's
LinearSVC too, which copies the features. Seconds are wall and CPU time; memory is the largest of the whole process.
"""

import argparse
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.svm import SVC, LinearSVC

from chromattend.sequence.alphabets import ALPHABETS
from chromattend.sequence.kernel import gapped_kmer_kernel
from chromattend.sequence.kernel.features import GappedKmerFeatures, kernel_error
from chromattend.sequence.kernel.linear_svm import fit_linear_svm
from chromattend.sequence.kernel.sampled import sampled_kernel
from chromattend.sequence.kernel.strings import Strings
from chromattend.sequence.readers import read_sequences

DNA = ALPHABETS["dna"]
MOTIF = "GGTCACGTGACC"


def timed(call: Callable[[], Any]) -> tuple[Any, str]:
    """Return the result of a function, and its wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = call()
    return result, f"{time.perf_counter() - wall:.1f} / {time.process_time() - cpu:.1f}"


def gigabytes() -> float:
    """Return the largest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def compile_all(features: GappedKmerFeatures, strings: Strings) -> None:
    """Compile what is timed, with two strings."""
    machine = fit_linear_svm(rows := features.transform(strings.take(np.arange(2))), np.arange(2))
    machine.decision_function(rows)


def read_set(folder: Path, name: str, part: str) -> tuple[Strings, np.ndarray]:
    """Return strings and labels of a part of a set."""
    sequences = read_sequences(folder / f"{name}.{part}.fasta.gz", DNA, labelled=True)
    bounds = np.concatenate([[0], np.cumsum([len(letters) for letters in sequences.letters])])
    return Strings(np.concatenate(sequences.letters), bounds, len(DNA)), np.array(sequences.labels)


def auc(arguments: argparse.Namespace) -> None:
    """Print test AUC, seconds and error of each setting."""
    g, k, threads = arguments.g, arguments.k, arguments.threads
    train, labels = read_set(arguments.data, arguments.set, "train")
    test, truth = read_set(arguments.data, arguments.set, "test")
    print(
        "| choices | bits | test AUC | features, wall / CPU s | fit, wall / CPU s | LinearSVC, wall / CPU s | "
        "its AUC | rms error | largest | mean K |"
    )
    print("|" + " --- |" * 10)
    for text in arguments.settings:
        choices, bits = (int(part) or None for part in text.split(":"))
        features = GappedKmerFeatures(g=g, k=k, choices=choices, bits=bits, threads=threads)
        compile_all(features, train)
        rows, counting = timed(lambda features=features: features.transform(train))
        machine, fitting = timed(lambda rows=rows: fit_linear_svm(rows, labels))
        other, copying = timed(lambda rows=rows: LinearSVC().fit(rows, labels))
        tested = features.transform(test)
        score, other_score = (roc_auc_score(truth, each.decision_function(tested)) for each in (machine, other))
        error = kernel_error(features.kernel, train, g=g, k=k)
        print(
            f"| {choices or 'all'} | {bits or 'all'} | {score:.4f} | {counting} | {fitting} | {copying} | "
            f"{other_score:.4f} | {error.rms:.4f} | {error.largest:.3f} | {error.mean:.3f} |",
            flush=True,
        )
    kernel, counting = timed(lambda: gapped_kmer_kernel(train, g=g, k=k, threads=threads))
    model, fitting = timed(lambda: SVC(kernel="precomputed").fit(kernel, labels))
    rows = gapped_kmer_kernel(test, train, g=g, k=k, threads=threads)
    score = roc_auc_score(truth, model.decision_function(rows))
    print(f"| exact | | {score:.4f} | {counting} | {fitting} | | | 0 | 0 | |")
    part = train.take(np.arange(0, len(train), max(1, len(train) // 500)))
    exact = gapped_kmer_kernel(part, g=g, k=k, threads=threads)
    pairs = np.triu_indices(len(part), 1)
    print("\n| sampled choices | rms error | rms standard error | within 2 standard errors | wall / CPU s |")
    print("| --- | --- | --- | --- | --- |")
    for number in (5, 10, 20, 30, 60):
        (kernel, error), seconds = timed(
            lambda number=number: sampled_kernel(part, g=g, k=k, choices=number, threads=threads)
        )
        difference, error = (kernel - exact)[pairs], error[pairs]
        print(
            f"| {number} | {np.sqrt(np.square(difference).mean()):.4f} | {np.sqrt(np.square(error).mean()):.4f} | "
            f"{(np.abs(difference) <= 2 * error).mean():.3f} | {seconds} |"
        )


def many(arguments: argparse.Namespace) -> None:
    """Print seconds and memory of features and fit, and the AUC on a tenth of the strings."""
    generator = np.random.default_rng(1)
    number, length = arguments.strings, arguments.length
    letters = generator.integers(0, 4, (number, length), dtype=np.int8)
    labels = np.arange(number) % 2
    motif = DNA.encode(MOTIF, "motif")
    for row, place in zip(np.flatnonzero(labels), generator.integers(0, length - len(motif), number), strict=False):
        mutated = generator.random(len(motif)) < 0.1
        letters[row, place : place + len(motif)] = np.where(
            mutated, generator.integers(0, 4, len(motif), dtype=np.int8), motif
        )
    strings = Strings(letters.ravel(), np.arange(number + 1) * length, len(DNA))
    features = GappedKmerFeatures(choices=arguments.choices, bits=arguments.bits, threads=arguments.threads)
    compile_all(features, strings)
    begin = gigabytes()
    rows, counting = timed(lambda: features.transform(strings))
    counted = gigabytes()
    train = number * 9 // 10
    machine, fitting = timed(lambda: fit_linear_svm(rows, labels, rows=slice(train)))
    score = roc_auc_score(labels[train:], machine.decision_function(rows)[train:])
    print(
        f"{number:,} strings of {length} letters, {arguments.choices} choices, {arguments.bits} bits, "
        f"{arguments.threads} threads: features {counting} s (wall / CPU), {rows.nnz:,} entries, fit {fitting} s in "
        f"{machine.epochs} epochs, gap {machine.gap / machine.objective:.1e} of {machine.objective:.6g}, memory "
        f"{begin:.1f} GB before, {counted:.1f} GB after features, {gigabytes():.1f} GB after fit, AUC {score:.4f}",
        flush=True,
    )
    if arguments.liblinear:
        other, fitting = timed(lambda: LinearSVC().fit(rows[:train], labels[:train]))
        score = roc_auc_score(labels[train:], other.decision_function(rows[train:]))
        print(f"LinearSVC: fit {fitting} s in {other.n_iter_} epochs, memory {gigabytes():.1f} GB, AUC {score:.4f}")


def main() -> None:
    """Run one of the two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("auc")
    one.add_argument("--data", type=Path, required=True, help="folder with SET.train.fasta.gz and SET.test.fasta.gz")
    one.add_argument("--set", default="EP300")
    one.add_argument("--g", type=int, default=10)
    one.add_argument("--k", type=int, default=6)
    one.add_argument(
        "--settings", nargs="+", default=["5:16", "10:18", "30:18", "30:20"], help="CHOICES:BITS, 0 for all"
    )
    one.set_defaults(run=auc)
    other = commands.add_parser("many")
    other.add_argument("--strings", type=int, default=100_000)
    other.add_argument("--length", type=int, default=200)
    other.add_argument("--choices", type=int, default=10)
    other.add_argument("--bits", type=int, default=18)
    other.add_argument("--liblinear", action="store_true")
    other.set_defaults(run=many)
    for command in (one, other):
        command.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
