"""Tests of the controls on histone counts of two epigenomes, on scans of the brain and on gene expression."""

import warnings
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chromattend.graphs import controls
from chromattend.graphs.analysis import Choices, analyse
from chromattend.graphs.estimators.registry import ESTIMATORS
from chromattend.graphs.measure import Settings, problem_of
from chromattend.graphs.problem import Contexts
from chromattend.graphs.selection import choose_lambda, null_number

BINS = 10


# Places of the marks.
H3K4ME1, H3K4ME3 = 2, 3


@dataclass(frozen=True)
class Genes:
    """Counts by gene, and mark and bin; whether each gene is ON; its chromosome."""

    counts: np.ndarray
    on: np.ndarray
    chromosomes: np.ndarray


@pytest.fixture(scope="module")
def epigenomes(real_data: Path) -> dict[str, Genes]:
    result: dict[str, Genes] = {}
    chromosomes: dict[str, str] = {}
    for epigenome in ("E003", "E123"):
        with np.load(real_data / "chromatin" / f"{epigenome}_union_counts.npz", allow_pickle=True) as file:
            genes, bins, marks = file["X"].shape
            summed = file["X"].reshape(genes, BINS, bins // BINS, marks).sum(axis=2, dtype=np.int64)
            if epigenome == "E003":  # it has all genes of E123, whose file has no chromosomes
                chromosomes = dict(zip(file["gene"], file["chrom"].astype(str), strict=True))
            counts = summed.transpose(0, 2, 1).reshape(genes, -1)
            names = np.array([chromosomes[gene] for gene in file["gene"]])
            result[epigenome] = Genes(counts, file["label"] == 1, names)
            assert [file["marks"][mark] for mark in (H3K4ME1, H3K4ME3)] == ["H3K4me1", "H3K4me3"]
    return result


def contexts_of(samples: list[np.ndarray], *names: str) -> Contexts:
    return Contexts(names, tuple(f"v{number}" for number in range(samples[0].shape[1])), tuple(samples))


def test_two_epigenomes_have_no_more_specific_edges_than_exchanged_genes(epigenomes: dict[str, Genes]) -> None:
    contexts = contexts_of([np.log1p(genes.counts) for genes in epigenomes.values()], *epigenomes)
    contexts = replace(contexts, blocks=tuple(genes.chromosomes for genes in epigenomes.values()))
    problem, spec = problem_of(contexts.samples, Settings()), ESTIMATORS["jeek"]
    choices = Choices(Settings(), {"share_cost": 0.5}, permutations=60, split_halves=0, subsamples=0)
    summary = analyse(contexts, spec, choices).summary
    assert summary["counts"]["shared"] > 140
    assert "specific edges are not above chance" in summary["verdict"]
    # At a lambda that was chosen by hand, parts of edges that are not shared are as many as after exchanges.
    null = controls.null_counts(contexts, problem, Settings(), spec, {}, np.full(2, 0.06), 60, np.random.default_rng(1))
    individual = null["specific"] + null["modulated"]
    assert individual[0] == pytest.approx(individual[1:].mean(), rel=0.03)
    # Lambda without the truth is close to the 0.06 that was chosen by hand.
    nulls = controls.nulls_of(contexts, Settings(), False, null_number(50), np.random.default_rng(1))
    assert choose_lambda(problem, nulls, spec, {}, 0.1).value == pytest.approx(0.06, abs=0.005)
    halves = controls.split_halves(contexts, Settings(), 4, np.random.default_rng(1)).set_index(["context", "other"])
    assert halves.loc[("E003", "E123"), "full"] > 0.7
    assert halves.loc[("E003", "E003"), "r"] > 0.68


@pytest.mark.parametrize("thinned", [False, True])
def test_active_promoters_lose_the_correlation_of_two_marks_in_both_epigenomes(
    epigenomes: dict[str, Genes], thinned: bool
) -> None:
    places = [(H3K4ME1 * BINS + bin_, H3K4ME3 * BINS + bin_) for bin_ in (4, 5)]
    edges, differences = [], []
    for epigenome, genes in epigenomes.items():
        parts = [genes.counts[~genes.on], genes.counts[genes.on]]
        if thinned:
            parts = controls.thin(parts, np.random.default_rng(1))
        contexts = contexts_of([np.log1p(part) for part in parts], "OFF", "ON")
        problem = problem_of(contexts.samples, Settings())
        test = partial(controls.difference_tests, contexts, problem, Settings(), permutations=200, target=0.05)
        tests = test(matrices="correlations", rng=np.random.default_rng(1))
        edges.append(tests.q <= 0.05)
        differences.append(problem.correlations[1] - problem.correlations[0])
        assert all(edges[-1][place] and differences[-1][place] < -0.5 for place in places)
        if epigenome == "E123":
            tests = test(matrices="partial", rng=np.random.default_rng(1))
            assert all(tests.q[place] <= 0.05 for place in places)
            assert (np.triu(tests.q, k=1)[np.triu_indices(50, k=1)] <= 0.05).sum() < 20
    both = edges[0] & edges[1] & (differences[0] * differences[1] > 0)
    assert np.triu(both, k=1).sum() >= 60
    assert controls.similarity(*differences) > 0.35


def test_scans_of_one_subject_depend_on_each_other(real_networks: Path) -> None:
    scans = [
        np.asarray(each) for each in _read(real_networks / "ABIDE_aal116_timeseries.rda")["ABIDE_aal116_timeseries"]
    ]
    assert min(map(controls.autocorrelation, scans)) > controls.AUTOCORRELATED
    plain = contexts_of(scans, "control", "autism")
    # Rows of one subject are not marked; 150 rows are about one.
    blocks = tuple(np.array([f"{name}{row // 150}" for row in range(len(scans[k]))]) for k, name in enumerate("ca"))
    problem = problem_of(scans, Settings())
    edges = []
    for contexts in (plain, replace(plain, blocks=blocks)):
        tests = controls.difference_tests(contexts, problem, Settings(), "partial", 60, 0.05, np.random.default_rng(1))
        edges.append(np.triu(tests.q <= 0.05, k=1).sum())
    assert edges[0] > 300
    assert edges[1] <= 10


def test_34_patients_are_too_few(real_networks: Path) -> None:
    cancer = _read(real_networks / "cancer.rdata")["cancer"]
    status = np.asarray(cancer["status"])
    samples = [cancer["expr"].to_numpy()[status == name] for name in ("not", "pcr")]
    contexts = contexts_of(samples, "not", "pcr")
    problem = problem_of(samples, Settings())
    for matrices in ("partial", "correlations"):
        tests = controls.difference_tests(contexts, problem, Settings(), matrices, 400, 0.05, np.random.default_rng(1))
        assert np.isnan(tests.threshold)
        assert tests.fwer.min() > 0.05


def _read(path: Path) -> dict[str, Any]:
    rdata = pytest.importorskip("rdata")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # classes of R that it does not know
        result: dict[str, Any] = rdata.read_rda(path)
    return result
