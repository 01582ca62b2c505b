"""Joint graphs on simulated contexts whose true graphs are known: how right they are, and what they need.

    .venv/bin/python benchmarks/graphs.py --output build/graphs.json

Three contexts have as many shared edges as variables, and each one 0.3 specific edges per variable. Each measurement
has a process of its own with one thread; compilation is not timed. Seconds are of the CPU; those of programs in R are
earlier measurements on cores like these.
"""

import argparse
import json
import multiprocessing
import resource
import time
import warnings
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linprog
from threadpoolctl import threadpool_limits

from chromattend.graphs.controls import difference_tests, nulls_of
from chromattend.graphs.edges import edges_of
from chromattend.graphs.estimators.registry import ESTIMATORS
from chromattend.graphs.estimators.simule import simule_columns
from chromattend.graphs.measure import Settings, problem_of
from chromattend.graphs.problem import Contexts, Problem
from chromattend.graphs.selection import choose_lambda, null_number
from chromattend.graphs.simulate import Simulation, simulate
from chromattend.graphs.truth import Truth, edge_scores, truth_scores

SETTINGS = Settings(covariance="normal_scores", map="threshold", c=0.75, ridge=0.1)
JOINT, CHANGES = np.linspace(0.04, 0.3, 27), np.linspace(0.05, 0.5, 46)
# Lambdas that an estimator is tried with; those that fit every one by iterations get fewer.
GRIDS = {
    "jeek": JOINT,
    "fasjem_closed": np.linspace(0.02, 0.2, 37),
    "correlation": np.linspace(0.06, 0.4, 35),
    "simule": np.linspace(0.1, 0.22, 7),
    "ggl": np.linspace(0.04, 0.14, 6),
    "fgl": np.linspace(0.04, 0.14, 6),
    "diffee": CHANGES,
    "correlation_difference": CHANGES,
}
# Simulations that a lambda without the truth is judged by: the rate of false edges varies with the draw.
SIMULATIONS = 8
SLOW_ABOVE = {"simule": 100, "fgl": 200}  # variables above which an estimator is left out
# Seconds of the authors' programs in R, on data of the same size: variables, program, seconds.
QUOTED = (
    *((p, "diffee (R)", seconds) for p, seconds in ((50, 1.0), (100, 3.7), (200, 21))),
    *((p, "jeek (R)", seconds) for p, seconds in ((50, 2.4), (100, 10.7))),
    (50, "simule (R)", 9.7),
    *((p, "JGL group (R)", seconds) for p, seconds in ((50, 1.2), (100, 3.0), (200, 17.9))),
    *((p, "JGL fused (R)", seconds) for p, seconds in ((50, 3.0), (100, 15.8), (200, 44.7))),
)


def _run(pipe: Connection, function: Callable[..., dict], arguments: Sequence[Any]) -> None:
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of solvers that do not converge at a lambda
        pipe.send(function(*arguments))


def alone(function: Callable[..., dict], *arguments: Any) -> dict:
    """Return what a function returns in a process of its own."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(sender, function, arguments))
    process.start()
    sender.close()
    result: dict = receiver.recv()
    process.join()
    return result


def peak() -> float:
    """Return the largest memory of this process so far (GB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def simulated(variables: int, samples: int, seed: int) -> tuple[Simulation, Problem, float]:
    """Return a simulation, its matrices, and the seconds that they took."""
    simulation = simulate("random", variables, 3, samples, seed)
    start = time.process_time()
    return simulation, problem_of(simulation.contexts.samples, SETTINGS), time.process_time() - start


def first_two(simulation: Simulation, problem: Problem) -> tuple[Contexts, Problem, Truth]:
    """Return the first two contexts, for differences; specific edges belong to one context each."""
    contexts, truth = simulation.contexts, simulation.truth
    return (
        Contexts(contexts.names[:2], contexts.variables, contexts.samples[:2]),
        Problem(problem.correlations[:2], problem.precisions[:2], problem.sizes[:2]),
        Truth(truth.contexts[:2], truth.variables, truth.shared, truth.specific[:2]),
    )


def oracle(name: str, variables: int, samples: int, seed: int) -> dict:
    """Fit an estimator with every lambda of its grid, and return the best scores by the truth."""
    spec = ESTIMATORS[name]
    simulation, problem, seconds = simulated(variables, samples, seed)
    contexts, truth = simulation.contexts, simulation.truth
    if spec.difference:
        contexts, problem, truth = first_two(simulation, problem)
    estimate = spec.load()
    few = simulate("random", 20, 2, samples, 1)
    estimate(problem_of(few.contexts.samples, SETTINGS), np.full(2, 0.2))  # compiles
    fits: list[dict[str, Any]] = []
    for value in GRIDS[name]:
        start = time.process_time()
        graph = estimate(problem, np.full(len(contexts.names), value))
        spent = time.process_time() - start
        table = edges_of(
            graph, contexts.variables, contexts.names, problem.partial, problem.correlations, shares=spec.shares
        )
        fits.append({"lambda": float(value), "seconds": spent, "scores": edge_scores(table, truth)})
    kind = "difference" if spec.difference else "edges"
    best = max(fits, key=lambda fit: fit["scores"][kind]["f1"] or 0)
    ranking = truth_scores(graph, truth, problem.partial, problem.correlations)["ranking"]
    return {
        "estimator": name,
        "variables": variables,
        "lambda": best["lambda"],
        "at_border": best["lambda"] in (GRIDS[name][0], GRIDS[name][-1]),
        "f1": best["scores"][kind]["f1"],
        "shared_f1": None if spec.difference else max(fit["scores"]["shared"]["f1"] or 0 for fit in fits),
        "ap": ranking["correlation" if spec.baseline else "partial_r"]["ap"],
        "seconds": best["seconds"],
        "matrices_seconds": seconds,
        "gigabytes": peak(),
    }


def graphical_lasso(variables: int, samples: int, seed: int) -> dict:
    """Fit scikit-learn's GraphicalLassoCV to every context, which chooses its penalty by likelihood."""
    from sklearn.covariance import GraphicalLassoCV

    simulation = simulate("random", variables, 3, samples, seed)
    start = time.process_time()
    precisions = np.array([GraphicalLassoCV().fit(each).precision_ for each in simulation.contexts.samples])
    seconds = time.process_time() - start
    upper = np.triu_indices(variables, k=1)
    estimated, true = precisions[:, *upper] != 0, simulation.truth.total[:, *upper]
    f1 = float(2 * (estimated & true).sum() / (estimated.sum() + true.sum()))
    name = "GraphicalLassoCV (scikit-learn)"
    return {"estimator": name, "variables": variables, "f1": f1, "seconds": seconds, "gigabytes": peak()}


def automatic(name: str, variables: int, samples: int, seed: int) -> dict:
    """Choose lambda without the truth, for a false discovery rate of 0.1: the mean of some simulations."""
    runs = [_automatic(name, variables, samples, seed + number) for number in range(SIMULATIONS)]
    means = {key: float(np.mean([run[key] for run in runs])) for key in runs[0]}
    rates = [run["fdp"] for run in runs]
    return {"estimator": name, "variables": variables} | means | {"fdps": rates, "gigabytes": peak()}


def _automatic(name: str, variables: int, samples: int, seed: int) -> dict:
    spec, rng = ESTIMATORS[name], np.random.default_rng(seed)
    simulation, problem, _ = simulated(variables, samples, seed)
    contexts = simulation.contexts
    options = {"share_cost": 0.5} if "share_cost" in spec.options else {"group_cost": 1.0}
    start = time.process_time()
    nulls = nulls_of(contexts, SETTINGS, spec.difference, null_number(variables), rng)
    selection = choose_lambda(problem, nulls, spec, options, 0.1)
    graph = spec.load()(problem, selection.thresholds, **options)
    seconds = time.process_time() - start
    table = edges_of(graph, contexts.variables, contexts.names, problem.partial, problem.correlations, spec.shares)
    scores = edge_scores(table, simulation.truth)
    return {
        "lambda": selection.value,
        "f1": scores["edges"]["f1"],
        "fdp": scores["edges"]["fdp"],
        "shared_f1": scores["shared"]["f1"],
        "shared_fdp": scores["shared"]["fdp"],
        "seconds": seconds,
    }


def columns(variables: int, samples: int, seed: int) -> dict:
    """Solve all columns of SIMULE, and some of them by HiGHS too."""
    _, problem, _ = simulated(variables, samples, seed)
    matrices, limit, eps = problem.correlations, 0.12, 0.5
    start = time.process_time()
    shared, individual = simule_columns(matrices, np.full(3, limit), eps)
    seconds = time.process_time() - start
    cost = np.abs(individual).sum(axis=(0, 1)) + 3 * eps * np.abs(shared).sum(axis=0)
    own = np.zeros((3 * variables, 3 * variables))
    for context, matrix in enumerate(matrices):
        place = slice(context * variables, (context + 1) * variables)
        own[place, place] = matrix
    images = np.hstack([own, -own, np.vstack([*matrices]), -np.vstack([*matrices])])
    costs = np.concatenate([np.ones(6 * variables), np.full(2 * variables, 3 * eps)])
    errors, start = [], time.process_time()
    chosen = range(0, variables, variables // 10)
    for column in chosen:
        unit = np.tile(np.eye(variables)[column], 3)
        solution = linprog(costs, np.vstack([images, -images]), np.concatenate([limit + unit, limit - unit]))
        errors.append(abs(cost[column] / solution.fun - 1))
    program = (time.process_time() - start) / len(chosen)
    return {"variables": variables, "seconds": seconds, "highs_column_seconds": program, "error": max(errors)}


def large(variables: int, samples: int, seed: int) -> dict:
    """Time JEEK with its backward maps."""
    jeek = ESTIMATORS["jeek"].load()
    _, few, _ = simulated(20, samples, seed)
    jeek(few, np.full(3, 0.1))  # compiles
    _, problem, seconds = simulated(variables, samples, seed)
    start = time.process_time()
    jeek(problem, np.full(3, 0.1))
    spent = time.process_time() - start
    return {"variables": variables, "matrices_seconds": seconds, "seconds": spent, "gigabytes": peak()}


def differences(variables: int, samples: int, simulations: int, permutations: int) -> dict:
    """Test differences at a false discovery rate of 0.05 in several simulations."""
    shares, power, start = [], [], time.process_time()
    for seed in range(1, simulations + 1):
        simulation, problem, _ = simulated(variables, samples, seed)
        contexts, problem, truth = first_two(simulation, problem)
        rng = np.random.default_rng(seed)
        tests = difference_tests(contexts, problem, SETTINGS, "partial", permutations, 0.05, rng)
        upper = np.triu_indices(variables, k=1)
        estimated, true = tests.q[upper] <= 0.05, (truth.total[0] != truth.total[1])[upper]
        shares.append(float((estimated & ~true).sum() / max(estimated.sum(), 1)))
        power.append(float((estimated & true).sum() / true.sum()))
    seconds = (time.process_time() - start) / simulations
    return {"variables": variables, "fdp": shares, "power": power, "seconds": seconds}


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table of Markdown."""
    print(f"\n{title}\n\n| {' | '.join(header)} |\n|{'---|' * len(header)}")
    for row in rows:
        cells = ("" if cell is None else f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in row)
        print("|", " | ".join(cells), "|", flush=True)


def requirements(results: dict[str, Any]) -> list[tuple[str, float, str, bool]]:
    """Return what was asked for: check, measured value, bound, and whether it holds."""
    checks: list[tuple[str, float, str, float]] = []
    of = {(run["estimator"], run["variables"]): run for run in results["oracle"]}
    if ("jeek", 500) in of:
        checks.append(("JEEK F1, p 500, best lambda", of["jeek", 500]["f1"], ">=", 0.79))
        checks.append(("JEEK shared F1, p 500, best lambda", of["jeek", 500]["shared_f1"], ">=", 0.9))
        checks.append(("DIFFEE F1, p 500, best lambda", of["diffee", 500]["f1"], ">=", 0.6))
    for run in results["automatic"]:
        if run["estimator"] == "jeek":
            where = f", p {run['variables']}, lambda without the truth"
            checks.append((f"JEEK F1{where}", run["f1"], ">=", 0.8))
            checks.append((f"JEEK FDP{where}", run["fdp"], "<=", 0.18))
            checks.append((f"JEEK shared FDP{where}", run["shared_fdp"], "<=", 0.03))
    checks.append(("SIMULE, p 100, all columns, CPU s", results["columns"]["seconds"], "<=", 15))
    checks.append(("SIMULE, p 100, cost against HiGHS", results["columns"]["error"], "<=", 1e-4))
    spent = results["large"]["seconds"] + results["large"]["matrices_seconds"]
    checks.append(("JEEK, p 2000, with backward maps, CPU s", spent, "<=", 5))
    checks.append(("mean FDP of differences at FDR 0.05", float(np.mean(results["differences"]["fdp"])), "<=", 0.08))
    return [
        (name, float(value), f"{sign} {bound:g}", bool(value >= bound if sign == ">=" else value <= bound))
        for name, value, sign, bound in checks
    ]


def main() -> None:
    """Measure, print tables, and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variables", type=int, nargs="+", default=[100, 200, 500])
    parser.add_argument("--samples", type=int, default=300, help="of each context")
    parser.add_argument("--seed", type=int, default=1, help="of the simulations")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    samples, seed = arguments.samples, arguments.seed
    results: dict[str, Any] = {"oracle": [], "automatic": []}
    for variables in arguments.variables:
        for name in GRIDS:
            if variables <= SLOW_ABOVE.get(name, variables):
                results["oracle"].append(alone(oracle, name, variables, samples, seed))
        results["automatic"] += [alone(automatic, name, variables, samples, seed) for name in ("jeek", "fasjem_closed")]
    if 100 in arguments.variables:
        results["graphical_lasso"] = alone(graphical_lasso, 100, samples, seed)
    keys = ("variables", "estimator", "lambda", "f1", "shared_f1", "ap", "seconds", "matrices_seconds", "gigabytes")
    rows: list[tuple[object, ...]] = [tuple(run[key] for key in keys) for run in results["oracle"]]
    if "graphical_lasso" in results:
        rows.append(tuple(results["graphical_lasso"].get(key) for key in keys))
    rows += [(p, f"{name}, quoted", *[None] * 4, float(spent), None, None) for p, name, spent in QUOTED]
    print_table(
        "Best lambda by the truth (F1 of contexts' edges, or of the difference of two contexts; shared F1 at its own "
        "best lambda)",
        ("p", "estimator", "lambda", "F1", "shared F1", "AP", "CPU s a fit", "CPU s of matrices", "GB in all"),
        rows,
    )
    keys = ("variables", "estimator", "lambda", "f1", "fdp", "shared_f1", "shared_fdp", "seconds", "gigabytes")
    print_table(
        "Lambda without the truth, for a false discovery rate of 0.1",
        ("p", "estimator", "lambda", "F1", "FDP", "shared F1", "shared FDP", "CPU s", "GB in all"),
        [tuple(run[key] for key in keys) for run in results["automatic"]],
    )
    results["columns"] = alone(columns, 100, samples, seed)
    results["large"] = alone(large, 2000, samples, seed)
    results["differences"] = alone(differences, 200, samples, 10, 50)
    results["requirements"] = requirements(results)
    print_table("Requirements", ("check", "measured", "must be", "holds"), results["requirements"])
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
