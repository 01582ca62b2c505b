"""Databases of known motifs: JASPAR, which pyjaspar brings with it, or a user's file in MEME format."""

import re
import sqlite3
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from chromattend.errors import UserError, did_you_mean
from chromattend.files import read_netcdf, write_netcdf
from chromattend.sequence.motifs import DNA, PSEUDOCOUNT, Motif, read_meme

if TYPE_CHECKING:
    import xarray as xr

RELEASE = 2026
TAXON = "vertebrates"
COLUMNS = ["id", "name", "family", "class", "species"]
# Joins families of one entry: a dimer has those of both factors.
JOIN = "; "


@dataclass(frozen=True, eq=False)
class Database:
    """Known motifs.

    Attributes:
        title: what readers call it, for example "JASPAR 2026 vertebrates".
        letters: names of the letters.
        entries: one row an entry, all text: id, name (of the factor), family and class (TFClass; several are joined by
            "; "), species. What is unknown is empty.
        matrices: probabilities of each entry, shape (position, letter).
    """

    title: str
    letters: str
    entries: pd.DataFrame
    matrices: tuple[np.ndarray, ...]

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(self.matrices)

    def motif(self, row: int) -> Motif:
        """Return an entry as a motif named by its identifier and name."""
        entry = self.entries.iloc[row]
        name = " ".join(dict.fromkeys((entry["id"], entry["name"])))
        return Motif(name, self.matrices[row], 0, self.letters)

    def own(self, tf: str) -> list[int]:
        """Return the rows of a factor's entries: those of its name, then those of dimers with it.

        Case, hyphens and JASPAR's `(var.2)` don't matter: `USF-1` is USF1, and `YY1` is Yy1.
        """
        wanted = _plain(tf)
        if not wanted:
            return []
        names = [[_plain(part) for part in name.split("::")] for name in self.entries["name"]]
        single = [row for row, parts in enumerate(names) if parts == [wanted]]
        return single + [row for row, parts in enumerate(names) if len(parts) > 1 and wanted in parts]


def _plain(name: str) -> str:
    return re.sub(r"\(VAR\.\d+\)|[-_ ]", "", name.upper())


def read_jaspar(release: int = RELEASE, taxon: str = TAXON) -> Database:
    """Read the collection CORE of a JASPAR release (Rauluseviciute et al., Nucleic Acids Res. 52:D174, 2024).

    pyjaspar's wheel has the releases, so no network is used. It takes over a second: keep the result by
    `write_database`. Counts become probabilities with a pseudocount of one site a position, spread evenly over the
    letters.

    Args:
        release: year of the release.
        taxon: JASPAR's taxonomic group, for example vertebrates, plants, insects, nematodes, fungi or urochordates.

    Raises:
        UserError: the release or the group is unknown.
    """
    import pyjaspar

    releases = sorted(int(name.removeprefix("JASPAR")) for name in pyjaspar.jaspar_releases)
    if release not in releases:
        raise UserError(
            f"motif.database: JASPAR {release} is not installed; give one of {', '.join(map(str, releases))}, or "
            "update pyjaspar"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Biopython, about motifs that are not in the collection
        source = pyjaspar.jaspardb(release=f"JASPAR{release}")
        _index(source)
        cursor = source.conn.cursor()
        groups = [
            row[0] for row in cursor.execute("SELECT DISTINCT VAL FROM MATRIX_ANNOTATION WHERE TAG = 'tax_group'")
        ]
        if taxon not in groups:
            raise UserError(
                f"motif.taxon: {taxon!r} is not a group of JASPAR {release}{did_you_mean(taxon, groups)}; give one of "
                f"{', '.join(sorted(groups))}"
            )
        species = {str(row[0]): row[1] for row in cursor.execute("SELECT TAX_ID, SPECIES FROM TAX")}
        motifs = source.fetch_motifs(collection="CORE", tax_group=[taxon])
        source.conn.close()
    motifs = sorted(motifs, key=lambda motif: str(motif.matrix_id))
    rows, matrices = [], []
    for motif in motifs:
        counts = np.array([motif.counts[letter] for letter in DNA], dtype=np.float64).T + PSEUDOCOUNT / len(DNA)
        matrices.append(counts / counts.sum(axis=1, keepdims=True))
        names = [species.get(str(number), str(number)) for number in motif.species or ()]
        rows.append([motif.matrix_id, motif.name, *map(_joined, (motif.tf_family, motif.tf_class, names))])
    title = f"JASPAR {release} {taxon}"
    return Database(title, DNA, pd.DataFrame(rows, columns=COLUMNS, dtype=str), tuple(matrices))


def _index(source: Any) -> None:
    """Move a release into memory with indices; without them every motif reads whole tables, four times as slow."""
    memory = sqlite3.connect(":memory:")
    source.conn.backup(memory)
    source.conn.close()
    source.conn = memory
    for table in ("MATRIX_ANNOTATION", "MATRIX_SPECIES", "MATRIX_PROTEIN"):
        memory.execute(f"CREATE INDEX IF NOT EXISTS {table}_BY_ID ON {table} (ID)")


def _joined(values: str | Sequence[str] | None) -> str:
    values = [values] if isinstance(values, str) else list(values or ())
    return JOIN.join(dict.fromkeys(str(value) for value in values if value))


def read_meme_database(path: str | Path) -> Database:
    """Read a user's motifs in MEME format as a database (configuration key `motif.database`).

    The first word of a `MOTIF` line is the identifier, the rest the name of the factor; without a rest, the identifier
    is the name too. Families are unknown. Positions get the pseudocount of `read_jaspar`, for the number of sites that
    the file states, or 20.

    Raises:
        UserError: see `read_meme`; the file has two motifs with one identifier, or motifs of different alphabets.
    """
    motifs = read_meme(path)
    rows: list[list[str]] = []
    matrices = []
    known: set[str] = set()
    for motif in motifs:
        identifier, _, name = motif.name.partition(" ")
        if identifier in known:
            raise UserError(f"{path}: motif {identifier!r} occurs twice; give each motif its own identifier")
        if motif.letters != motifs[0].letters:
            raise UserError(
                f"{path}: motif {identifier!r} has another alphabet than the first motif; use a file for each"
            )
        known.add(identifier)
        rows.append([identifier, name or identifier, "", "", ""])
        sites = motif.sites or 20
        size = motif.probabilities.shape[1]
        matrices.append((motif.probabilities * sites + PSEUDOCOUNT / size) / (sites + PSEUDOCOUNT))
    return Database(Path(path).name, motifs[0].letters, pd.DataFrame(rows, columns=COLUMNS, dtype=str), tuple(matrices))


def write_database(database: Database, path: str | Path) -> None:
    """Write a database as netCDF: entries, and all their positions one after the other (dims position, letter)."""
    import xarray as xr

    widths = np.array([len(matrix) for matrix in database.matrices], dtype=np.int32)
    write_netcdf(
        xr.Dataset(
            {
                "probability": (("position", "letter"), np.concatenate(database.matrices)),
                "width": ("entry", widths),
                **{column: ("entry", _texts(database.entries[column])) for column in COLUMNS[1:]},
            },
            coords={"entry": _texts(database.entries["id"]), "letter": list(database.letters)},
            attrs={"title": database.title},
        ),
        path,
    )


def _texts(values: pd.Series) -> np.ndarray:
    return np.array(list(values), dtype=object)


def read_database(path: str | Path) -> Database:
    """Read what `write_database` wrote.

    Raises:
        UserError: the file is damaged, or is not a database of motifs.
    """
    dataset: xr.Dataset = read_netcdf(path)
    if missing := {"probability", "width", *COLUMNS[1:]} - set(dataset.variables):
        raise UserError(f"{path}: is not a motif database (no {sorted(missing)[0]}); delete it and run again")
    columns = {"id": dataset["entry"].values, **{column: dataset[column].values for column in COLUMNS[1:]}}
    ends = dataset["width"].values.cumsum()[:-1]
    return Database(
        str(dataset.attrs["title"]),
        "".join(str(letter) for letter in dataset["letter"].values),
        pd.DataFrame({column: [str(value) for value in values] for column, values in columns.items()}),
        tuple(np.split(dataset["probability"].values, ends)),
    )
