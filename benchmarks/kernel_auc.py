"""Print the AUC of the gapped k-mer SVM on the sets of FastSK and GaKCo, beside published ones.

    .venv/bin/python benchmarks/kernel_auc.py FOLDER --threads 2 --output build/kernel_auc.json

FOLDER has `datasets_to_use.csv` (Dataset, type, g, m, k, C) and `{Dataset}.train.fasta.gz`, `{Dataset}.test.fasta.gz`
of the authors. Parameters are those of the table, which the authors chose by the test AUC. The published column is the
authors' exact kernel with a linear SVM on its rows (QData/FastSK, performance_results_summary.csv).
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.svm import SVC, LinearSVC

from chromattend.files import read_table, write_json
from chromattend.sequence.alphabets import ALPHABETS
from chromattend.sequence.kernel import gapped_kmer_kernel
from chromattend.sequence.kernel.strings import Strings
from chromattend.sequence.readers import read_sequences

PUBLISHED = {
    **{"CTCF": 0.9696, "EP300": 0.9907, "JUND": 0.9687, "RAD21": 0.9742, "SIN3A": 0.9114, "EP300_47848": 0.9533},
    **{"KAT2B": 0.9216, "1.1": 0.8531, "1.34": 1.0, "2.19": 0.8951, "3.25": 0.9629},
}
ROWS_AT_MOST = 5000  # training strings for the linear SVM on rows of the kernel, which takes minutes beyond


def read(path: Path, alphabet: str) -> tuple[Strings, np.ndarray]:
    """Return the strings of a FASTA file with labels, and the labels."""
    known = ALPHABETS[alphabet]
    sequences = read_sequences(path, known, labelled=True)
    bounds = np.concatenate([[0], np.cumsum([len(each) for each in sequences.letters])])
    strings = Strings(np.concatenate(sequences.letters), bounds.astype(np.int64), len(known))
    return strings, np.array(sequences.labels)


def measure(folder: Path, name: str, alphabet: str, g: int, k: int, C: float, threads: int) -> list[dict[str, Any]]:
    """Return one row per strands: AUC, average precision and seconds."""
    learn, y = read(folder / f"{name}.train.fasta.gz", alphabet)
    test, y_test = read(folder / f"{name}.test.fasta.gz", alphabet)
    rows = []
    for strands in ("one", "both") if alphabet == "dna" else ("one",):
        options: dict[str, Any] = {
            "g": g,
            "k": k,
            "alphabet": alphabet,
            "strands": strands,
            "threads": threads,
            "short": "zero",
        }
        started, cpu = time.perf_counter(), time.process_time()
        kernel, others = gapped_kmer_kernel(learn, **options), gapped_kmer_kernel(test, learn, **options)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        started = time.perf_counter()
        scores = SVC(C=C, kernel="precomputed", cache_size=1000).fit(kernel, y).decision_function(others)
        row = {"set": name, "g": g, "k": k, "C": C, "train": len(y), "test": len(y_test), "strands": strands}
        row |= {"test_positives": int(y_test.sum())}
        row |= {"auc": roc_auc_score(y_test, scores), "average_precision": average_precision_score(y_test, scores)}
        row |= {"kernel_seconds": seconds, "kernel_cpu": cpu, "svc_seconds": time.perf_counter() - started}
        if len(y) <= ROWS_AT_MOST:
            linear = LinearSVC(C=C, random_state=1).fit(kernel, y)
            row["auc_rows"] = roc_auc_score(y_test, linear.decision_function(others))
        rows.append(row | {"published": PUBLISHED.get(name)})
    return rows


def main() -> None:
    """Measure every set whose files are in the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    results = []
    print("| set | g, k, C | strands | AUC | AUC, linear on rows | published | average precision | kernel (s) |")
    print("|" + " --- |" * 8)
    for one in read_table(arguments.folder / "datasets_to_use.csv").to_dict("records"):
        name = str(one["Dataset"])
        if not (arguments.folder / f"{name}.train.fasta.gz").is_file():
            continue
        kind, g, k, C = str(one["type"]), int(one["g"]), int(one["k"]), float(one["C"])
        for row in measure(arguments.folder, name, kind, g, k, C, arguments.threads):
            results.append(row)
            cells = [name, f"{g}, {k}, {C:g}", row["strands"], f"{row['auc']:.4f}"]
            cells += [f"{row['auc_rows']:.4f}" if "auc_rows" in row else ""]
            cells += [f"{row['published']:.4f}" if row["published"] else "", f"{row['average_precision']:.3f}"]
            print("| " + " | ".join([*cells, f"{row['kernel_seconds']:.2f}"]) + " |", flush=True)
    if arguments.output:
        write_json(results, arguments.output)


if __name__ == "__main__":
    main()
