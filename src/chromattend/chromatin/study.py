"""A study: its checked configuration and sample sheet, and the location of every input."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from chromattend.chromatin.formats import FILES, PARTS, format_of
from chromattend.chromatin.sheet import Epigenome
from chromattend.errors import UserError
from chromattend.pipeline.locations import download_name, fill, is_url

MARK_NAME = re.compile(r"\w[\w.+-]*")


@dataclass(frozen=True)
class Study:
    """A checked configuration with its sample sheet: what to run, and the location of every input.

    Attributes:
        config: the configuration, with the schema's defaults filled in.
        epigenomes: epigenomes that models are trained on.
        scored: epigenomes without expression, which trained models only score.
        workdir: folder that relative paths are resolved against.
        checksums: URL -> checksum and size (bytes) of known downloads.
    """

    config: dict[str, Any]
    epigenomes: dict[str, Epigenome]
    scored: dict[str, Epigenome]
    workdir: Path
    checksums: Mapping[str, tuple[str | None, int | None]]

    @property
    def samples(self) -> dict[str, Epigenome]:
        """All epigenomes whose signal is counted."""
        return self.epigenomes | self.scored

    def sample_rows(self) -> list[dict[str, str]]:
        """Return the table of samples: epigenome, name, group, use (trained or scored), and the sheet's metadata."""
        columns = dict.fromkeys(column for row in self.samples.values() for column in row.metadata)
        return [
            {
                "epigenome": name,
                "name": row.name,
                "group": row.group,
                "use": "trained" if name in self.epigenomes else "scored",
                **{column: row.metadata.get(column, "") for column in columns},
            }
            for name, row in self.samples.items()
        ]

    @property
    def own_checkpoints(self) -> list[str]:
        """`{epigenome}/{model}` of every model that the study trains, and the pan-epigenome model."""
        own = [f"{epigenome}/{model}" for epigenome in self.epigenomes for model in self.config["models"]]
        return [*own, *(["pan_epigenome"] if self.config["pan_epigenome"] else [])]

    @property
    def marks(self) -> list[str]:
        """The marks that the models see."""
        return list(self.config["marks"])

    @property
    def counted_marks(self) -> list[str]:
        """The marks of the models and the validation mark."""
        return wanted_marks(self.config)

    def is_binned(self, epigenome: str) -> bool:
        """Return whether the epigenome comes as the authors' binned CSV instead of one file per mark."""
        template = self.samples[epigenome].signal
        return bool(template) and "{mark}" not in template and format_of(template) == "binned"

    def has_mark(self, epigenome: str, mark: str) -> bool:
        """Return whether the epigenome has data for a mark."""
        row = self.samples[epigenome]
        if mark in row.missing:
            return False
        return mark in row.sources or "{mark}" in row.signal

    def has_signal(self, epigenome: str) -> bool:
        """Return whether a mark of the epigenome is not whole reads: a bigWig, or the mean of several files."""
        if self.is_binned(epigenome):
            return False
        files = [self.signals(epigenome, mark) for mark in self.marks]
        averaged = self.config["replicates"] == "mean" and any(len(each) > 1 for each in files)
        return averaged or any(format_of(file) == "bigwig" for each in files for file in each)

    def signals(self, epigenome: str, mark: str) -> list[str]:
        """Return the URLs or paths of one mark of one epigenome: one, or several that are counted together."""
        row = self.samples[epigenome]
        given = self._fill(row.sources.get(mark, row.signal), epigenome=epigenome, mark=mark)
        return [file.strip() for file in given.split(FILES) if file.strip()]

    def binned(self, epigenome: str) -> list[str]:
        """Return the URLs or paths of an epigenome's binned CSV files: train, valid, test, or a single one."""
        template = self.samples[epigenome].signal
        parts = PARTS if "{part}" in template else ("",)
        return [self._fill(template, epigenome=epigenome, part=part) for part in parts]

    def source(self, key: str) -> str:
        """Return the URL or path of `expression` or `annotation`."""
        return self._fill(self.config["sources"][key])

    def local_path(self, location: str, resources: str) -> str:
        """Return the local path of a source: a path unchanged, a URL as its download under `resources`."""
        if not is_url(location):
            return location
        return f"{resources}/{download_name(location, self.mirror)}"

    @property
    def locations(self) -> list[str]:
        """URL or path of every file that the study reads, without repeats."""
        return list(dict.fromkeys(self._locations()))

    @property
    def downloads(self) -> dict[str, str]:
        """Path under the resources folder -> URL, for every source of the study that is a URL.

        Raises:
            UserError: two URLs would be written to the same path; a URL is plain http and `download.http` is not set.
        """
        urls: dict[str, str] = {}
        for location in self._locations():
            if is_url(location):
                if location.startswith("http://") and not self.config["download"]["http"]:
                    raise UserError(
                        f"source {location!r}: plain http can be altered in transit; "
                        "give its https URL, or set download.http: true"
                    )
                name = download_name(location, self.mirror)
                if urls.setdefault(name, location) != location:
                    raise UserError(
                        f"sources: {location!r} and {urls[name]!r} would be downloaded to the same path; "
                        "download one of them by hand and give its local path"
                    )
        return urls

    @property
    def mirror(self) -> str:
        """Root of the data that sources name as {mirror}, without a final slash; empty if the study has none."""
        # The mirror is a URL, so special characters in the folder's name must be escaped.
        return fill(self.config["mirror"] or "", workdir=quote(str(self.workdir))).rstrip("/")

    def _fill(self, template: str, **fields: str) -> str:
        if "{mirror}" in template and not self.config["mirror"]:
            raise UserError(
                f"source {template!r}: has {{mirror}}, but the key 'mirror' is not given; give it, or the whole path"
            )
        return fill(template, mirror=self.mirror, workdir=str(self.workdir), **fields)

    def _locations(self) -> Iterator[str]:
        if self.samples:
            yield self.source("expression")
            yield self.source("annotation")
            if self.config["genome"]["excluded"]:
                yield self.config["genome"]["excluded"]
        for epigenome in self.samples:
            if self.is_binned(epigenome):
                yield from self.binned(epigenome)
            for mark in self.counted_marks:
                if self.has_mark(epigenome, mark):
                    yield from self.signals(epigenome, mark)


def wanted_marks(config: dict[str, Any]) -> list[str]:
    """Return the marks of the models and the validation mark."""
    validation = config["validation_mark"]
    return [*(config["marks"] or ()), *([validation] if validation else [])]
