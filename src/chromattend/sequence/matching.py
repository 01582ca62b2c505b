"""Names for motifs: comparison with a database (TOMTOM), what that says about a network, and known motifs in sequences.

TOMTOM and FIMO are those of memelite, which compiles them at their first use; see `compile_matching`.
"""

import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pandas as pd

from chromattend.sequence.database import JOIN, Database
from chromattend.sequence.motifs import DNA, RNA, Motif, as_arrays, trimmed
from chromattend.statistics import false_discovery_rates

logger = logging.getLogger(__name__)

SIGNIFICANT = 0.05  # E of a match
OWN_RANK = 10  # a factor's own entry must be among that many matches
POINTED_AT = 0.001  # p of a motif's sites against its control
SIMILAR = 0.01  # q of two entries that are one motif
NEAREST = 4  # entries that a sentence names
# TOMTOM's memory grows with the third power of a motif's length.
LONGEST_QUERY = 30
# With fewer entries TOMTOM's p-values depend on which entries these are (memelite warns below the same number).
FEW_ENTRIES = 25

MATCHES = ["motif", "rank", "entry", "name", "family", "class", "p", "e", "q", "offset", "strand", "overlap"]
HITS = ["motif", "sequence", "start", "end", "strand", "score", "p"]

# Names that biologists give to a motif: part of its class in TFClass, a pattern in the consensus, the name.
SITES = (
    ("bHLH", "CA[ACGT]{2}TG", "an E-box"),
    ("Basic helix-loop-helix", "CA[ACGT]{2}TG", "an E-box"),
    ("MADS", "CC[AT]{6}GG", "a CArG box"),
    ("leucine zipper", "TGA[CG]?TCA", "an AP-1 site"),
    ("leucine zipper", "TGACGTCA", "a CRE"),
    ("Heteromeric CCAAT", "CCAAT|ATTGG", "a CCAAT box"),
    ("TATA", "TATA[AT]A|T[AT]TATA", "a TATA box"),
)


def match(motifs: Sequence[Motif], database: Database, *, keep: int | None = None, threads: int = 1) -> pd.DataFrame:
    """Compare motifs with all entries of a database (TOMTOM: Gupta et al., Genome Biol. 8:R24, 2007).

    It is memelite's TOMTOM with its defaults: Euclidean distance of positions, complete scores, the background being
    the positions of the database; no pseudocounts beyond those of the matrices. DNA is compared on both strands, RNA
    and proteins on one. Motifs of more than `LONGEST_QUERY` positions are cut to their richest part first.

    Args:
        motifs: motifs to name.
        database: known motifs.
        keep: number of best entries to return for each motif; all by default, which `verdict` needs.
        threads: number of threads.

    Returns:
        One row for a motif and an entry, the best entry of each motif first: motif, rank (from 1), entry (identifier),
        name, family, class, p, e (p times the number of entries), q (Benjamini and Hochberg over the entries), offset
        (letters from the first position of the motif to that of the entry; negative if the entry starts before),
        strand (of the entry), overlap (letters).

    Raises:
        ValueError: the motifs and the database have different alphabets.
    """
    if not len(motifs):
        return pd.DataFrame(columns=MATCHES)
    for motif in motifs:
        if not _comparable(motif.letters, database.letters):
            raise ValueError(f"motif {motif.name} has letters {motif.letters}, {database.title} {database.letters}")
    cuts = [trimmed(m.probabilities) if len(m.probabilities) > LONGEST_QUERY else slice(0, None) for m in motifs]
    queries = as_arrays([Motif(m.name, m.probabilities[cut]) for m, cut in zip(motifs, cuts, strict=True)])
    p, offsets, overlaps, strands = _tomtom(queries, database, motifs[0].letters == database.letters == DNA, threads)
    tables = []
    for index, (motif, cut) in enumerate(zip(motifs, cuts, strict=True)):
        table = database.entries[["id", "name", "family", "class"]].rename(columns={"id": "entry"})
        table = table.assign(
            motif=motif.name,
            p=p[index],
            e=p[index] * len(database),
            q=false_discovery_rates(pd.Series(p[index])),
            # memelite counts from the entry to the motif.
            offset=cut.start - offsets[index].astype(int),
            strand=np.where(strands[index] == 1, "-", "+"),
            overlap=overlaps[index].astype(int),
        )
        table = table.sort_values("p", kind="stable")
        tables.append(table.assign(rank=np.arange(1, len(table) + 1)).head(len(table) if keep is None else keep))
    return pd.concat(tables, ignore_index=True)[MATCHES]


def _comparable(first: str, second: str) -> bool:
    return first == second or {first, second} == {DNA, RNA}


def _tomtom(
    queries: Sequence[np.ndarray], database: Database, both: bool, threads: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return p-values, offsets, overlaps and strands, shape (query, entry) each."""
    from memelite import tomtom

    if len(database) < FEW_ENTRIES:
        logger.warning(
            "%s has %d motifs: p-values of matches need at least %d, so take them as an order only",
            *(database.title, len(database), FEW_ENTRIES),
        )
    targets = [np.ascontiguousarray(matrix.T) for matrix in database.matrices]
    with warnings.catch_warnings(), _threads(threads) as number:
        warnings.simplefilter("ignore")  # the same about few entries
        p, _, offsets, overlaps, strands = tomtom(
            list(queries),
            targets,
            reverse_complement=both,
            # Merging of similar positions numbers them in base 100, which overflows with 20 letters.
            n_target_bins=100 if len(database.letters) == 4 else None,
            n_jobs=number,
        )
    return np.clip(p, 0.0, 1.0), offsets, overlaps, strands


@contextmanager
def _threads(wanted: int) -> Iterator[int]:
    """Let numba use a number of threads, at most those that it has."""
    import numba

    before = numba.get_num_threads()
    number = max(1, min(wanted, before))
    numba.set_num_threads(number)
    try:
        yield number
    finally:
        numba.set_num_threads(before)


@dataclass(frozen=True)
class Verdict:
    """What the motifs of a network say about a factor.

    Attributes:
        learned: the factor's own entry has E < .05 and is among the ten best matches, and the best match is similar to
            it. False as well if the factor has no entry.
        known: the motif is one of the database (E < .05) and above chance.
        above_chance: the attributions point to it more than those of other sequences do; True without a control.
        motif: name of the motif that the sentence is about; empty if there is none.
        family: family of its best entry (TFClass); empty if the motif is not known, or its family.
        entry, name, q: identifier and name of the best entry, and q of the match.
        own_entry, own_rank, own_q, own_e: the factor's own entry, the rank, q and E of its match; an empty name and
            NaN if the database has no entry for the factor, rank 0.
        sentence: all of this for readers.
    """

    learned: bool
    known: bool = False
    above_chance: bool = False
    motif: str = ""
    family: str = ""
    entry: str = ""
    name: str = ""
    q: float = float("nan")
    own_entry: str = ""
    own_rank: int = 0
    own_q: float = float("nan")
    own_e: float = float("nan")
    sentence: str = ""


def verdict(matches: pd.DataFrame, tf: str, database: Database, motifs: Sequence[Motif] = ()) -> Verdict:
    """Say which motif a network learned, by family first, and whether it is that of a factor.

    Families share motifs: USF1, TFE3 and MITF all read CACGTG. So the own entry need not be the best one. It needs
    E < .05 and one of the first ten ranks, and the best entry must be similar to it: of the same family, or one motif
    by TOMTOM (q < .01), which alone counts for zinc fingers whose family says nothing about their motif.

    Maps that say nothing can lead to the motif as well, since bound sequences share it. So the sites of a discovered
    motif must outnumber its control (p < .001), see `chromattend.sequence.motifs.discover`.

    The sentence is about the first motif for which all this holds; else about the first with a significant match; else
    about the first that outnumbers its control; else about the first.

    Args:
        matches: see `match`, with all entries of each motif.
        tf: name of the factor; may be empty.
        database: the database of `matches`.
        motifs: the motifs of `matches`, for their controls.
    """
    by_name = {motif.name: motif for motif in motifs}
    own = database.own(tf)
    # Entries of dimers speak for a factor only if it has none of its own.
    exact = [row for row in own if "::" not in database.entries["name"].iloc[row]]
    own = exact or own
    verdicts = [
        _judge(table, tf, own, database, by_name.get(str(name))) for name, table in matches.groupby("motif", sort=False)
    ]
    if not verdicts:
        missing = f" {database.title} has no entry for {tf}." if tf and not own else ""
        return Verdict(learned=False, sentence=f"No motif stood out in the attributions.{missing}")
    return next(
        judged
        for wanted in ("learned", "known", "above_chance", "sentence")
        for judged in verdicts
        if getattr(judged, wanted)
    )


def _judge(table: pd.DataFrame, tf: str, own: Sequence[int], database: Database, motif: Motif | None) -> Verdict:
    """Return the verdict about one motif, of its matches in the order of their ranks."""
    best = table.iloc[0]
    by_chance = motif is not None and motif.p >= POINTED_AT  # not for NaN: the motif has no control
    known = best["e"] < SIGNIFICANT and not by_chance
    own_ids = set(database.entries["id"].to_numpy()[list(own)])
    mine = table[table["entry"].isin(own_ids)]
    own_row = mine.iloc[0] if len(mine) else None
    learned = bool(
        known
        and own_row is not None
        and own_row["e"] < SIGNIFICANT
        and own_row["rank"] <= OWN_RANK
        and similar(database, str(best["entry"]), str(own_row["entry"]))
    )
    return Verdict(
        learned=learned,
        known=bool(known),
        above_chance=not by_chance,
        motif=str(best["motif"]),
        family=str(best["family"]) if known else "",
        entry=str(best["entry"]),
        name=str(best["name"]),
        q=float(best["q"]),
        own_entry="" if own_row is None else str(own_row["entry"]),
        own_rank=0 if own_row is None else int(own_row["rank"]),
        own_q=float("nan") if own_row is None else float(own_row["q"]),
        own_e=float("nan") if own_row is None else float(own_row["e"]),
        sentence=(
            _chance_sentence(table, motif, _no_entry(tf, own_row, database))
            if motif is not None and by_chance
            else _sentence(table, tf, own_row, learned, database)
        ),
    )


def similar(database: Database, first: str, second: str) -> bool:
    """Whether two entries of a database, by identifier, have one motif; see `verdict`."""
    if first == second:
        return True
    rows = {str(identifier): row for row, identifier in enumerate(database.entries["id"])}
    families = [set(database.entries["family"].iloc[rows[entry]].split(JOIN)) - {""} for entry in (first, second)]
    if any(_says_motif(family) for family in families[0] & families[1]):
        return True
    table = match([database.motif(rows[first])], database)
    return bool(table.loc[table["entry"] == second, "q"].iloc[0] < SIMILAR)


def _says_motif(family: str) -> bool:
    """Whether the factors of a family have similar motifs: those with many zinc fingers do not."""
    return not re.search(r"more than 3|multiple dispersed|^other|unclassified", family.lower())


def _no_entry(tf: str, own: pd.Series | None, database: Database) -> str:
    return f"{database.title} has no entry for {tf}; the network " if tf and own is None else ""


def _chance_sentence(table: pd.DataFrame, motif: Motif, start: str) -> str:
    best = table.iloc[0]
    return (
        f"{start or 'The model '}learned no clear motif: {motif.sites} sequences have its best one where their "
        f"attributions point, and {motif.control:.0f} would if they had the attributions of other sequences "
        f"(p {_number(motif.p)}; best match {best['name']} {best['entry']}, q {_number(best['q'])})."
    )


def _sentence(table: pd.DataFrame, tf: str, own: pd.Series | None, learned: bool, database: Database) -> str:
    best = table.iloc[0]
    start = _no_entry(tf, own, database) or "The model "
    if not best["e"] < SIGNIFICANT:
        rest = "" if own is None else f"; {_own_text(tf, own)}"
        match_text = f"best match {best['name']} {best['entry']}, q {_number(best['q'])}"
        return f"{start}learned nothing known ({match_text}){rest}."
    others = table[(table["e"] < SIGNIFICANT) & (table["entry"] != ("" if own is None else own["entry"]))]
    names = list(dict.fromkeys(others["name"]))[:NEAREST]
    motif = f"{_site(best, database)} of {family_text(str(best['family']))}" if best["family"] else "a known motif"
    text = f"{start}learned {motif}, q {_number(best['q'])}"
    if own is not None and own["rank"] == 1:
        text += f"; {_own_text(tf, own)}"
        return f"{text}, then {', '.join(names)}." if names else f"{text}."
    text += f"; nearest {'entries' if len(names) > 1 else 'entry'} {', '.join(names)}"
    return f"{text}." if own is None else f"{text}; {_own_text(tf, own, 'ranked' if learned else 'only ranked')}."


def _own_text(tf: str, own: pd.Series, ranked: str = "only ranked") -> str:
    """The part of the sentence about the factor's own entry."""
    entry = f"the own entry of {tf}, {own['entry']},"
    if own["rank"] == 1:
        return f"{entry} is the nearest"
    return f"{entry} is {ranked} {own['rank']}, q {_number(own['q'])}"


def _site(best: pd.Series, database: Database) -> str:
    """What biologists call the motif of an entry, or just "a motif"."""
    row = list(database.entries["id"]).index(best["entry"])
    consensus = database.motif(row).consensus.upper()
    for part, pattern, name in SITES:
        if part in f"{best['class']} {best['family']}" and re.search(pattern, consensus):
            return name
    return "a motif"


def family_text(family: str) -> str:
    """Return the family of an entry, as `Database` has it, for the middle of a sentence: "bHLH-ZIP factors"."""
    return " and ".join(_family(part) for part in family.split(JOIN))


def _family(family: str) -> str:
    """TFClass mixes names of groups (`Ets-related`), of factors (`POU domain factors`) and descriptions."""
    if re.match(r"(More than|Factors with|Other|Three-)", family):
        family = family[0].lower() + family[1:]
    if family.startswith("more than"):
        return f"factors with {re.sub(r' factors$', 's', family)}"
    if family.startswith("Responders"):
        return family[0].lower() + family[1:]
    if re.search(r"factors?\b|receptors?\b|proteins?\b", family):
        return family
    return f"{family} factors"


def _number(value: float) -> str:
    """A small number for a sentence: 2e-5, 0.03."""
    return re.sub(r"e-0?", "e-", f"{value:.0e}") if value < 0.001 else f"{value:.2g}"


def scan(
    motifs: Sequence[Motif], signal: np.ndarray, threshold: float = 1e-4, *, both: bool = True, threads: int = 1
) -> pd.DataFrame:
    """Find occurrences of motifs in sequences (FIMO: Grant et al., Bioinformatics 27:1017, 2011).

    It is memelite's FIMO with its defaults: log odds to equal frequencies of the letters, in bins of .1 bit. An unknown
    letter scores 0.

    Args:
        motifs: motifs of DNA or RNA; `Database.motif` gives those of a database.
        signal: one-hot sequences, shape (sequence, position, letter).
        threshold: largest p of an occurrence; no correction for the number of positions.
        both: scan both strands.
        threads: number of threads.

    Returns:
        Columns motif, sequence (row), start and end (0-based, end excluded), strand, score (bits), p; in the order of
        sequence, start, motif.

    Raises:
        ValueError: the motifs don't have four letters.
    """
    if any(len(motif.letters) != 4 for motif in motifs):
        raise ValueError("only motifs of DNA or RNA can be scanned for")
    if not len(motifs) or not len(signal):
        return pd.DataFrame(columns=HITS)
    from memelite import fimo

    one_hot = np.ascontiguousarray(signal.transpose(0, 2, 1) > 0, dtype=np.int8)
    queries = {str(index): array for index, array in enumerate(as_arrays(motifs))}
    with _threads(threads):
        tables = fimo(queries, one_hot, threshold=threshold, reverse_complement=both)
    table = pd.concat([part for part in tables if len(part)] or tables[:1], ignore_index=True)
    order = table["motif_idx"].to_numpy(dtype=int)
    names = np.array([motif.name for motif in motifs], dtype=object)
    table = pd.DataFrame(
        {
            "motif": names[order],
            "sequence": table["sequence_name"].astype(int),
            "start": table["start"].astype(int),
            "end": table["end"].astype(int),
            "strand": table["strand"].astype(str),
            "score": table["score"].astype(float),
            "p": table["p-value"].astype(float),
            "order": order,
        }
    )
    return table.sort_values(["sequence", "start", "order"], ignore_index=True)[HITS]


def compile_matching() -> None:
    """Compile TOMTOM and FIMO, which takes minutes on a fresh installation and is then kept on disk by numba."""
    generator = np.random.default_rng(1)
    for letters, strand in ((DNA, True), ("ACDEFGHIKLMNPQRSTVWY", False)):
        matrices = tuple(generator.dirichlet(np.ones(len(letters)), size=6) for _ in range(FEW_ENTRIES))
        entries = pd.DataFrame({column: ["x"] * FEW_ENTRIES for column in ("id", "name", "family", "class")})
        database = Database("random", letters, entries, matrices)
        motif = Motif("random", matrices[0], 0, letters)
        match([motif], database)
        if strand:
            scan([motif], np.eye(4, dtype=np.float32)[generator.integers(4, size=(2, 12))], threshold=0.1)
