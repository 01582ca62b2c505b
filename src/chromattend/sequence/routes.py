"""Routes from a model to motifs: every view of letters, the first filters, class optimum, and top gapped k-mers."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from chromattend.models.network import Network
from chromattend.sequence.alphabets import ALPHABETS, one_hot
from chromattend.sequence.database import Database
from chromattend.sequence.kernel.top import gapped_kmer_motif, top_gapped_kmers
from chromattend.sequence.machine import KernelMachine
from chromattend.sequence.matching import MATCHES, Verdict, match, scan, verdict
from chromattend.sequence.motifs import Motif, discover, filter_motifs, first_convolution, pwm_of_optimum
from chromattend.sequence.tables import MOTIFS
from chromattend.sequence.views import FILTERS, TOP

CLASS_OPTIMISATION = "class_optimisation"
# Ranks of the matches that are written; `verdict` sees all of them.
KEPT = 10
# Gapped k-mers that make one matrix.
MERGED = 50
# Sequences whose windows make the motifs of filters.
FILTERED = 500


@dataclass(frozen=True)
class Routes:
    """What every route says.

    Attributes:
        motifs: one row per motif: route, motif, consensus, sites, control and control_p (see `Motif`), seconds (of
            discovery and matching, without the view itself); entry, name, family, p, e, q of its best match; own_entry,
            own_rank, own_q, own_e; recovered (1 if the factor's motif was learned, see `Verdict`, 0 if not, missing if
            the database has no entry of the factor) and sentence, of the route's verdict.
        matches: route, motif, and the best ranks of `match`.
        sites: route, motif, sequence, start, end, strand, score.
        hits: known motifs in the shown sequences: sequence, entry, name, start, end, strand, score, p.
        meme: the motifs.
    """

    motifs: pd.DataFrame
    matches: pd.DataFrame
    sites: pd.DataFrame
    hits: pd.DataFrame
    meme: list[Motif]


SITES = ["route", "motif", "sequence", "start", "end", "strand", "score"]
HITS = ["sequence", "entry", "name", "start", "end", "strand", "score", "p"]


def find_motifs(
    network: Network,
    dataset: xr.Dataset,
    views: xr.Dataset,
    designs: xr.Dataset,
    database: Database,
    tf: str,
    *,
    number: int = 3,
) -> Routes:
    """Find motifs by every route and compare them with a database.

    Args:
        network: the explained network, or gapped k-mer SVM in the form of one.
        dataset: see `chromattend.sequence.dataset.build_dataset`.
        views, designs: see `chromattend.sequence.explain.Explanation`.
        database: known motifs of the same alphabet.
        tf: name of the factor; may be empty.
        number: largest number of motifs of each view.
    """
    letters = ALPHABETS[network.input_spec.alphabet].letters
    # RNA and proteins have one strand.
    both = network.input_spec.alphabet == "dna"
    bound = views["label"].values == 1
    signal = one_hot(views["letters"].values, len(letters))
    names = views["sequence"].values.astype(str)
    # Motifs, the explained sequences that their places count, and seconds.
    routes: dict[str, tuple[list[Motif], np.ndarray, float]] = {}
    for view in views["view"].values.astype(str):
        started = time.perf_counter()
        weights = views["weights"].sel(view=view).values[:, :, None] * signal
        complete = np.flatnonzero(bound & np.isfinite(weights).all(axis=(1, 2)))
        motifs = [
            replace(motif, name=f"{view}_{rank}")
            for rank, motif in enumerate(
                discover(signal[complete], weights[complete], letters=letters, both=both, number=number), start=1
            )
        ]
        routes[view] = motifs, complete, time.perf_counter() - started
    started = time.perf_counter()
    convolution = first_convolution(network)
    if convolution is not None:
        positives = np.flatnonzero((dataset["split"].values == "train") & (dataset["label"].values == 1))[:FILTERED]
        filters = filter_motifs(
            convolution, network.input_spec.signal(dataset.isel(sequence=positives)), letters=letters
        )
        routes[FILTERS] = filters, positives, time.perf_counter() - started
    if isinstance(network, KernelMachine):
        started = time.perf_counter()
        listed = [Motif(TOP, matrix, letters=letters) for matrix in _listed(network, letters)]
        routes[TOP] = listed, np.arange(0), time.perf_counter() - started
    else:
        optimum = pwm_of_optimum(designs["published"].values, letters=letters)
        routes[CLASS_OPTIMISATION] = [optimum], np.arange(0), 0.0
    rows: list[dict[str, Any]] = []
    tables, sites, meme = [], [], []
    for route, (motifs, explained, seconds) in routes.items():
        started = time.perf_counter()
        matches, judged = _compared(motifs, database, tf, network.input_spec.alphabet)
        seconds += time.perf_counter() - started
        rows += _rows(route, motifs, matches, judged, round(seconds, 2))
        tables.append(matches[matches["rank"] <= KEPT].assign(route=route))
        meme += motifs
        for motif in motifs:
            places = motif.places
            of_sequences = names[explained[places["sequence"].to_numpy(int)]] if len(places) else []
            sites.append(places.assign(route=route, motif=motif.name, sequence=of_sequences))
    entries = _entries_to_scan(rows, database, tf)
    shown = views["shown_sequence"].values
    return Routes(
        pd.DataFrame(rows, columns=MOTIFS),
        pd.concat(tables, ignore_index=True)[["route", *[column for column in tables[0] if column != "route"]]],
        pd.concat(sites, ignore_index=True)[SITES],
        _hits(entries, database, signal[shown], names[shown], both),
        meme,
    )


def _listed(machine: KernelMachine, letters: str) -> list[np.ndarray]:
    """Return the matrix of the gapped k-mers with the largest weights; none where they are not listed."""
    table = top_gapped_kmers(machine.weights, letters, number=MERGED)
    return [gapped_kmer_motif(table, letters, machine.weights.strands)] if len(table) else []


def _compared(motifs: Sequence[Motif], database: Database, tf: str, alphabet: str) -> tuple[pd.DataFrame, Verdict]:
    """Return the matches of a route's motifs, without rows if the database has another alphabet, and the verdict."""
    if len(ALPHABETS[alphabet]) != len(database.letters):
        what = "proteins" if alphabet == "protein" else alphabet
        sentence = f"{database.title} has no motifs of {what}, so that the motif has no name."
        return pd.DataFrame(columns=MATCHES), Verdict(learned=False, sentence=sentence)
    matches = match(motifs, database)
    return matches, verdict(matches, tf, database, motifs)


def _rows(
    route: str, motifs: Sequence[Motif], matches: pd.DataFrame, judged: Verdict, seconds: float
) -> list[dict[str, Any]]:
    """Return the rows of a route, that of its verdict first."""
    best = matches[matches["rank"] == 1].set_index("motif")
    chosen = sorted(motifs, key=lambda motif: motif.name != judged.motif)
    own = judged.own_entry != ""
    rows = []
    for motif in chosen:
        top: Mapping[Any, Any] = best.loc[motif.name].to_dict() if len(best) else {}
        mine = matches[(matches["motif"] == motif.name) & (matches["entry"] == judged.own_entry)]
        rows.append(
            {
                "route": route,
                "motif": motif.name,
                "consensus": motif.consensus,
                "sites": motif.sites,
                "control": motif.control,
                "control_p": motif.p,
                "seconds": seconds,
                **{column: top.get(column) for column in ("entry", "name", "family", "p", "e", "q")},
                "own_entry": judged.own_entry,
                "own_rank": int(mine["rank"].iloc[0]) if own else None,
                "own_q": float(mine["q"].iloc[0]) if own else None,
                "own_e": float(mine["e"].iloc[0]) if own else None,
                "recovered": int(judged.learned and motif.name == judged.motif) if own else None,
                "sentence": judged.sentence,
            }
        )
    return rows


def _entries_to_scan(rows: Sequence[Mapping[str, Any]], database: Database, tf: str) -> list[int]:
    """Return the rows of the database whose sites pages show: the factor's own entries, and the best of each route."""
    wanted = {str(row["entry"]) for row in rows if row["route"] != FILTERS}
    best = [number for number, entry in enumerate(database.entries["id"]) if entry in wanted]
    return list(dict.fromkeys([*database.own(tf), *best]))


def _hits(
    entries: Sequence[int], database: Database, signal: np.ndarray, names: np.ndarray, both: bool
) -> pd.DataFrame:
    if signal.shape[2] != 4 or not entries:
        return pd.DataFrame(columns=HITS)
    motifs = {database.motif(row).name: row for row in entries}
    hits = scan([database.motif(row) for row in entries], signal, both=both)
    rows = [motifs[name] for name in hits["motif"]]
    return hits.assign(
        entry=database.entries["id"].to_numpy()[rows],
        name=database.entries["name"].to_numpy()[rows],
        sequence=names[hits["sequence"].to_numpy(int)],
    )[HITS]
