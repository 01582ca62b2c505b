"""One explained network of a set: what its files hold, and how the dashboard shows it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from chromattend.files import read_netcdf, read_table
from chromattend.models.registry import REGISTRY
from chromattend.pages import table_rows
from chromattend.sequence.alphabets import Alphabet
from chromattend.sequence.database import Database
from chromattend.sequence.logos import bits
from chromattend.sequence.motifs import read_meme
from chromattend.sequence.views import FILTERS, RECOMMENDED

# A motif or filter whose best entry has a larger E value matches nothing.
LARGEST_E = 0.05
# Known-motif hits below a sequence: more bars than these cannot be read.
MOST_HITS = 8
# Decimals of logits, weights and heights: a screen shows fewer.
DECIMALS = 4


@dataclass(frozen=True)
class ExplainedNetwork:
    """What is known of one explained network of a set.

    All positions are 0-based, and ends are exclusive.

    Attributes:
        explanation: dims view, sequence, position, letter, shown, kind. `letters` (sequence, position), `score` (logit)
            and `label` (sequence), `weights` (view, sequence, position) at the observed letters, `shown_sequence`
            (shown) is the row of a sequence that the page shows and `reason` (shown) says why; `mutagenesis_map`
            (shown, position, letter) is the change of the logit by each substitution; `forward` and `backward` (kind,
            shown, position) are temporal outputs. Attribute `seconds` is JSON: view -> seconds.
        designs: `published` (position, letter) in [0, 1], `design` (position) letters; attributes score_published,
            score_published_one_hot, score_design and highest_training_score.
        trust: see `chromattend.sequence.trust.trust_table`.
        motifs: one row per motif: route, motif, consensus, sites, seconds (without those of the view), entry, name,
            family, p, e, q (best match), own_entry, own_rank, own_q, own_e, recovered, sentence.
        matrices: motif -> probabilities, shape (position, letter).
        matches: route, motif, rank, entry, name, family, p, e, q, offset (of the entry's first letter from the motif's
            first), strand.
        entries: id of a database entry -> probabilities, shape (position, letter), at least of the best entry and of
            the factor's own.
        hits: known motifs in the shown sequences: sequence, entry, name, start, end, strand, score, p.
        sites: motif sites in the explained sequences: route, motif, sequence, start, end, strand, score.
        influence: of the shown sequences, see `chromattend.interpret.influence.influential`.
        gapped_kmers: of a gapped k-mer SVM, see `chromattend.sequence.kernel.top.top_gapped_kmers`.
    """

    explanation: xr.Dataset
    designs: xr.Dataset
    trust: pd.DataFrame
    motifs: pd.DataFrame
    matrices: Mapping[str, np.ndarray]
    matches: pd.DataFrame
    entries: Mapping[str, np.ndarray]
    hits: pd.DataFrame
    sites: pd.DataFrame
    influence: pd.DataFrame
    gapped_kmers: pd.DataFrame | None = None

    @property
    def views(self) -> list[str]:
        """The views with weights, in the order of the explanation."""
        return [str(view) for view in self.explanation["view"].values]

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds of each view."""
        return {str(view): float(value) for view, value in json.loads(self.explanation.attrs["seconds"]).items()}

    def main_motif(self) -> dict[str, Any] | None:
        """Return the row of the motif that the page's sentence is about.

        It is the first of the recommended route that recovers the factor, or else the first of that route, or of the
        first other route, without the filters; None without motifs.
        """
        routes = self.motifs[self.motifs["route"] != FILTERS]
        chosen = routes[routes["route"] == RECOMMENDED]
        rows = (chosen if len(chosen) else routes).sort_values("recovered", ascending=False, kind="stable")
        return table_rows(rows)[0] if len(rows) else None


def read_explained(folder: str | Path, database: Database) -> ExplainedNetwork:
    """Read the files of one explained network.

    Args:
        folder: folder of the network, `results/sequence/{set}/{model}`.
        database: the database that its motifs were compared with.

    Raises:
        UserError: a file is damaged.
    """
    folder = Path(folder)
    tables = {
        name: read_table(folder / f"{name}.tsv")
        for name in ("trust", "motifs", "matches", "hits", "sites", "influence")
    }
    # A file without motifs is not in MEME format.
    matrices = (
        {motif.name: motif.probabilities for motif in read_meme(folder / "motifs.meme")}
        if len(tables["motifs"])
        else {}
    )
    explanation = read_netcdf(folder / "explanation.nc")
    kernel = REGISTRY[explanation.attrs["model"]].kernel
    return ExplainedNetwork(
        gapped_kmers=read_table(folder / "gapped_kmers.tsv") if kernel else None,
        explanation=explanation,
        designs=read_netcdf(folder / "designs.nc"),
        matrices=matrices,
        entries=dict(zip(database.entries["id"], database.matrices, strict=True)),
        **tables,
    )


def rounded(values: np.ndarray, decimals: int = DECIMALS) -> Any:
    """Return an array as nested lists of rounded numbers, with NaN and infinity as None, which JSON has."""
    values = np.asarray(values, dtype=np.float64)
    numbers = (values.round(decimals) + 0.0).astype(object)
    numbers[~np.isfinite(values)] = None
    return numbers.tolist()


def aligned(motif: np.ndarray, others: Sequence[tuple[str, np.ndarray, int, str]], title: str) -> list[dict[str, Any]]:
    """Return the logos of a motif and of database entries on one axis.

    Args:
        motif: probabilities, shape (position, letter).
        others: title, probabilities, offset of the first letter and strand of each entry; entries on the strand `-`
            are shown as their reverse complement.
        title: title of the motif's logo.

    Returns:
        One logo each: title, start (its first column, at least 0) and heights in bits.
    """
    logos = [(title, motif, 0)]
    for name, matrix, offset, strand in others:
        logos.append((name, matrix[::-1, ::-1] if strand == "-" else matrix, offset))
    first = min(start for _, _, start in logos)
    return [
        {"title": name, "start": start - first, "heights": rounded(bits(matrix), 3)} for name, matrix, start in logos
    ]


def bars(hits: pd.DataFrame, own_entries: set[str]) -> tuple[list[dict[str, Any]], int]:
    """Choose the known-motif hits that are shown below a sequence.

    Relatives share a motif, so that one site has dozens of hits. A hit that overlaps a better one by more than half is
    only counted there; hits of the factor's own entries are always shown.

    Args:
        hits: hits in one sequence: entry, name, start, end, strand, p.
        own_entries: entries of the factor.

    Returns:
        Bars (start, end, strand, name, own, p, others: names of the hits below it), best first, at most `MOST_HITS`
        besides the own ones; and the number of sites that are left out.
    """
    chosen: list[dict[str, Any]] = []
    left_out = 0
    order = hits.assign(own=hits["entry"].isin(own_entries)).sort_values(["own", "p"], ascending=[False, True])
    for row in order.to_dict("records"):
        length = row["end"] - row["start"]
        better = (bar for bar in chosen if 2 * (min(bar["end"], row["end"]) - max(bar["start"], row["start"])) > length)
        over = next(better, None)
        if over is not None:
            if row["name"] not in (over["name"], *over["others"]):
                over["others"].append(row["name"])
        elif not row["own"] and sum(not bar["own"] for bar in chosen) == MOST_HITS:
            left_out += 1
        else:
            chosen.append(
                {
                    "start": int(row["start"]),
                    "end": int(row["end"]),
                    "strand": str(row["strand"]),
                    "name": str(row["name"]),
                    "own": bool(row["own"]),
                    "p": f"{row['p']:.1e}",
                    "others": [],
                }
            )
    return chosen, left_out


def first_coordinate(place: str, length: int) -> tuple[str, int] | None:
    """Return the chromosome and the 1-based coordinate of a sequence's first letter, if its place has its length."""
    chrom, _, interval = place.rpartition(":")
    start, dash, end = interval.partition("-")
    if not (chrom and dash and start.isdigit() and end.isdigit()) or int(end) - int(start) != length:
        return None
    return chrom, int(start) + 1


def browser_data(network: ExplainedNetwork, alphabet: Alphabet, places: Mapping[str, str]) -> dict[str, Any]:
    """Return what the page's script draws of one network.

    Args:
        network: the network.
        alphabet: alphabet of the set.
        places: sequence -> place in the genome, empty if unknown.

    Returns:
        shown: for each shown sequence its letters, first coordinate, logit, weights by view, mutagenesis, temporal
        outputs, motif sites by view, and known-motif hits; optimum and design; motifs: aligned logos; filters: logos.
    """
    explanation = network.explanation
    names = explanation["sequence"].values.astype(str)
    own_entries = set(network.motifs["own_entry"].dropna().astype(str))
    shown = []
    for number, row in enumerate(explanation["shown_sequence"].values.tolist()):
        name = str(names[row])
        codes = explanation["letters"].values[row]
        hits, left_out = bars(network.hits[network.hits["sequence"] == name], own_entries)
        sites = network.sites[network.sites["sequence"] == name]
        temporal = {
            direction: {
                str(kind): rounded(curve, 3)
                for kind, curve in zip(
                    explanation["kind"].values, explanation[direction].values[:, number], strict=True
                )
                if np.isfinite(curve).any()
            }
            for direction in ("forward", "backward")
        }
        shown.append(
            {
                "letters": alphabet.decode(codes),
                "first": first_coordinate(places.get(name, ""), len(codes)),
                "score": round(float(explanation["score"].values[row]), 3),
                "weights": {
                    view: rounded(weights)
                    for view, weights in zip(network.views, explanation["weights"].values[:, row], strict=True)
                },
                "mutagenesis": rounded(explanation["mutagenesis_map"].values[number], 3),
                "temporal": temporal,
                "sites": {
                    str(route): rows[["start", "end", "strand", "motif"]].values.tolist()
                    for route, rows in sites.groupby("route", sort=False)
                },
                "hits": hits,
                "left_out": left_out,
            }
        )
    return {
        "shown": shown,
        "optimum": rounded(network.designs["published"].values, 3),
        "design": alphabet.decode(network.designs["design"].values),
        "motif": main_logos(network),
        "logos": {
            str(row["motif"]): rounded(bits(network.matrices[str(row["motif"])]), 2)
            for row in network.motifs.to_dict("records")
            if str(row["motif"]) in network.matrices
        },
    }


def main_logos(network: ExplainedNetwork) -> list[dict[str, Any]]:
    """Return the logos of the network's main motif, of its best entry and of the factor's own entry, aligned."""
    motif = network.main_motif()
    if motif is None or str(motif["motif"]) not in network.matrices:
        return []
    matches = network.matches[network.matches["motif"] == motif["motif"]].sort_values("rank")
    own = matches[matches["entry"] == motif["own_entry"]]
    best = matches[matches["e"] < LARGEST_E].head(1)
    others = []
    for row in pd.concat([best, own]).drop_duplicates("entry").to_dict("records"):
        if row["entry"] not in network.entries:
            continue
        what = "best entry" if row["rank"] == 1 else f"rank {row['rank']}"
        if row["entry"] == motif["own_entry"]:
            what = f"the factor's own entry, {what}"
        title = f"{row['entry']} {row['name']}: {what}, q {row['q']:.1e}, E {row['e']:.1e}"
        others.append((title, network.entries[row["entry"]], int(row["offset"]), str(row["strand"])))
    title = f"Motif of the model, {int(motif['sites']):,} sites"
    return aligned(network.matrices[str(motif["motif"])], others, title)


def filter_summary(motifs: pd.DataFrame) -> str:
    """Return one sentence on what the first layer's filters match."""
    filters = motifs[motifs["route"] == FILTERS]
    matched = filters[filters["e"] < LARGEST_E]
    if matched.empty:
        return f"None of the {len(filters)} filters matches an entry of the database (E < {LARGEST_E})."
    counts = matched["name"].value_counts()
    return (
        f"{len(matched)} of the {len(filters)} filters match an entry of the database (E < {LARGEST_E}), "
        f"most often {counts.index[0]} ({counts.iloc[0]})."
    )
