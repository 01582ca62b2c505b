"""An RO-Crate of a study's results: who made which file from what, as Workflow Run Crate 0.5 describes it."""

import mimetypes
import shutil
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from chromattend import __version__
from chromattend.errors import UserError
from chromattend.files import atomic
from chromattend.pipeline.records import FOLDER, absolute, read_record

METADATA = "ro-crate-metadata.json"
# Profiles of https://www.researchobject.org/workflow-run-crate that the crate follows.
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
LICENSE = "https://spdx.org/licenses/MIT"
TYPES = {".nc": "application/netcdf", ".tsv": "text/tab-separated-values", ".yaml": "application/yaml"}


def write_crate(results: str | Path, snakefile: Path) -> Path:
    """Describe the files of a results folder in `ro-crate-metadata.json` in it.

    Files are those that have a record, with their SHA-256 and size. Inputs from outside the folder are named by their
    paths. The run's start and end are those of the oldest and the newest file.

    Args:
        results: the folder.
        snakefile: the workflow's Snakefile, which is copied to `inputs/Snakefile`.

    Returns:
        The path of the metadata.

    Raises:
        UserError: the folder has no records, or a file of a record is missing.
    """
    from rocrate.rocrate import ROCrate  # slow to import, and jobs do not need it

    root = absolute(results)
    paths = sorted((root / FOLDER).rglob("[!.]*.json")) if (root / FOLDER).is_dir() else []
    if not paths:
        raise UserError(
            f"{results}: has no records of how its files were made; give the results folder of a study that has run"
        )
    records = {str(path.relative_to(root / FOLDER).with_suffix("")): read_record(path) for path in paths}
    gone = [name for name in records if not (root / name).is_file()]
    if gone:
        raise UserError(f"{results}: {gone[0]} is missing; run the study again, or chromattend verify {results}")
    times = [(root / name).stat().st_mtime for name in records]

    crate = ROCrate(gen_preview=False, version="1.1")
    crate.name = f"Results of chromattend in {root.name}"
    crate.description = (
        f"{len(records)} files that chromattend {__version__} made, with their checksums, inputs and settings."
    )
    crate.license = crate.add_jsonld({"@id": LICENSE, "@type": "CreativeWork", "name": "MIT License"})
    crate.datePublished = datetime.fromtimestamp(max(times), UTC).date()
    profiles = [
        crate.add_jsonld({"@id": address, "@type": "CreativeWork", "name": name, "version": number})
        for address, (name, number) in PROFILES.items()
    ]
    crate.root_dataset["conformsTo"] = profiles
    crate.metadata["conformsTo"] = [{"@id": "https://w3id.org/ro/crate/1.1"}, profiles[-1]]
    with atomic(root / "inputs" / "Snakefile") as temporary:
        shutil.copyfile(snakefile, temporary)
    workflow = crate.add_workflow(
        dest_path="inputs/Snakefile",
        main=True,
        lang="snakemake",
        lang_version=_version("snakemake"),
        properties={"name": "chromattend", "version": __version__, "license": {"@id": LICENSE}},
    )
    files = {}
    for name, record in records.items():
        files[name] = crate.add_file(
            dest_path=name,
            properties={
                "name": name,
                "contentSize": str(record["size"]),
                "sha256": record["sha256"],
                "encodingFormat": _type_of(name),
            },
        )
    made = {absolute(root / name) for name in records}
    outside: dict[str, str] = {}
    for record in records.values():
        for name, digest in record["inputs"].items():
            path = absolute(root / name)
            if path not in made:
                outside[path.as_uri()] = digest
    inputs = [
        crate.add_file(
            address,
            fetch_remote=False,
            properties={"name": address.rpartition("/")[2], "sha256": digest, "encodingFormat": _type_of(address)},
        )
        for address, digest in sorted(outside.items())
    ]
    action = crate.add_action(
        workflow,
        "#run",
        object=inputs,
        result=list(files.values()),
        properties={
            "name": "Run of chromattend",
            "startTime": datetime.fromtimestamp(min(times), UTC).isoformat(timespec="seconds"),
            "endTime": datetime.fromtimestamp(max(times), UTC).isoformat(timespec="seconds"),
            "description": f"Run of the workflow chromattend {__version__} that made the files of this crate.",
            "actionStatus": "http://schema.org/CompletedActionStatus",
        },
    )
    crate.root_dataset["mentions"] = action
    crate.metadata.write(root)
    return root / METADATA


def _type_of(name: str) -> str:
    return TYPES.get(Path(name).suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
