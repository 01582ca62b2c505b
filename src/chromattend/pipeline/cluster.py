"""Settings of a Slurm cluster, read by the profile `slurm` before Snakemake has any configuration."""

import shutil
import subprocess
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from chromattend.errors import UserError


@dataclass(frozen=True)
class Cluster:
    """Settings of one cluster.

    Attributes:
        account: account that jobs are charged to; None for the user's default account.
        constraint: features that a node must have, as `sbatch --constraint` takes them; None for any node.
        partitions: name -> limits, in the format of the Slurm executor's partition file; each job goes to the
            partition that fits it best. None for the cluster's default partition.
    """

    account: str | None = None
    constraint: str | None = None
    partitions: dict[str, dict[str, Any]] | None = None

    @classmethod
    def read(cls, path: str | Path) -> "Cluster":
        """Read the settings from a YAML file.

        Raises:
            UserError: the file does not exist or is not valid YAML, or a key or value is invalid.
        """
        try:
            content = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
        except FileNotFoundError:
            raise UserError(f"{path}: does not exist; restore it from the checkout (it may be empty)") from None
        except yaml.YAMLError as error:
            raise UserError(f"{path}: is not valid YAML ({' '.join(str(error).split())}); correct it") from None
        keys = [field.name for field in fields(cls)]
        if not isinstance(content, dict):
            raise UserError(f"{path}: is not a mapping of keys; write lines such as 'account: name'")
        if unknown := sorted(map(str, content.keys() - set(keys))):
            raise UserError(f"{path}: {unknown[0]!r} is not a setting; use the keys {', '.join(keys)}")
        for name in ("account", "constraint"):
            value = content.get(name)
            if value is not None and not isinstance(value, str):
                content[name] = str(value)
        partitions = content.get("partitions")
        if partitions is not None and not (
            isinstance(partitions, dict) and all(isinstance(limits, dict) for limits in partitions.values())
        ):
            raise UserError(f"{path}: partitions: give the limits of each partition under its name, {{}} for no limits")
        return cls(**content)


def check_slurm() -> None:
    """Refuse a machine without Slurm's commands, before Snakemake submits the first job.

    Raises:
        UserError: `sbatch` or `squeue` is not on the path.
    """
    for program in ("sbatch", "squeue"):
        if not shutil.which(program):
            raise UserError(
                f"--profile slurm: {program} is not on the path, so there is no Slurm here; run on a login node of the "
                "cluster, or without the profile: snakemake --cores all"
            )


def check_folder(folder: str | Path) -> None:
    """Refuse a working directory whose name Snakemake cannot write into a job's script.

    Snakemake quotes names as Python's `repr` does: a name with a single quote goes into double quotes, within which
    the shell expands some characters.

    Raises:
        UserError: the name has a backslash, or one of these characters together with a single quote.
    """
    name = str(folder)
    if "\\" in name or ("'" in name and set(name) & set('"$`')):
        raise UserError(
            f"{name}: cluster jobs cannot run in a folder whose name has a backslash, or a single quote together with "
            'one of " $ `; rename it'
        )


def keeps_accounts() -> bool:
    """Return whether this machine's Slurm has accounting.

    Without accounting `sacct` lists no jobs, and whoever asks it for a job's state waits forever.
    """
    try:
        answer = subprocess.run(["scontrol", "show", "config"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return True
    lines = [line for line in answer.stdout.splitlines() if line.startswith("AccountingStorageType")]
    return not lines or "none" not in lines[0]
