"""Snakemake that asks Slurm for the state of its jobs every two seconds.

By itself it waits ten seconds longer from one question to the next while nothing changes, and no option says otherwise.
"""

from snakemake.cli import main
from snakemake_executor_plugin_slurm import Executor

Executor.next_seconds_between_status_checks = property(lambda self: 2, lambda self, seconds: None)

if __name__ == "__main__":
    main()
