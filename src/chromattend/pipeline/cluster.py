"""What is particular to a Slurm cluster: read by the profile `slurm`, before Snakemake knows any configuration."""

import subprocess
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from chromattend.errors import UserError


@dataclass(frozen=True)
class Cluster:
    """A cluster's own facts.

    Attributes:
        account: account that jobs are charged to; None leaves it to the cluster.
        constraint: features that a node must have, as `sbatch --constraint` takes them; None for any node.
        partitions: name -> limits, in the form of the Slurm executor's partition file; each job goes to the one
            that fits it best. None takes the cluster's default partition.
    """

    account: str | None = None
    constraint: str | None = None
    partitions: dict[str, dict[str, Any]] | None = None

    @classmethod
    def read(cls, path: str | Path) -> "Cluster":
        """Read the facts from a YAML file.

        Raises:
            UserError: there is no such file, it is no YAML, or it has a key or a value that is not known.
        """
        try:
            content = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
        except FileNotFoundError:
            raise UserError(f"{path}: there is no such file; restore it from the checkout, it may stay empty") from None
        except yaml.YAMLError as error:
            raise UserError(f"{path}: is no YAML ({' '.join(str(error).split())}); correct it") from None
        known = [field.name for field in fields(cls)]
        if not isinstance(content, dict) or not content.keys() <= set(known):
            unknown = ", ".join(sorted(map(str, set(content) - set(known)))) if isinstance(content, dict) else content
            raise UserError(f"{path}: {unknown!r} is not known; the keys are {', '.join(known)}")
        for name in ("account", "constraint"):
            value = content.get(name)
            if value is not None and not isinstance(value, str):
                content[name] = str(value)
        partitions = content.get("partitions")
        if partitions is not None and not (
            isinstance(partitions, dict) and all(isinstance(limits, dict) for limits in partitions.values())
        ):
            raise UserError(f"{path}: partitions: must give the limits of each partition by its name, {{}} for none")
        return cls(**content)


def check_folder(folder: str | Path) -> None:
    """Refuse a working directory whose name Snakemake cannot write into a job's script.

    It writes names in quotes of one kind, as Python shows a text: double ones around a name with a single quote, within
    which a shell replaces what begins with some signs.

    Raises:
        UserError: the name has such a sign beside a single quote, or a backslash.
    """
    name = str(folder)
    if "\\" in name or ("'" in name and set(name) & set('"$`')):
        raise UserError(
            f"{name}: no job on a cluster can be given a folder whose name has a backslash, or a single quote beside "
            'one of " $ `; rename it'
        )


def keeps_accounts() -> bool:
    """Tell whether the Slurm that answers here has accounting.

    Without it `sacct` knows no job, and whoever asks it for a job's state waits for ever.
    """
    try:
        answer = subprocess.run(["scontrol", "show", "config"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return True
    lines = [line for line in answer.stdout.splitlines() if line.startswith("AccountingStorageType")]
    return not lines or "none" not in lines[0]
