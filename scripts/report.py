import os
import subprocess

from chromattend.pipeline.jobs import job

import yaml

from chromattend.errors import UserError
from chromattend.files import atomic
from chromattend.pages import escape_report

with job(snakemake):
    with atomic(snakemake.output.config) as temporary:
        temporary.write_text(yaml.safe_dump(snakemake.params.config, sort_keys=False, allow_unicode=True))
    # A profile from the environment could submit this call to a cluster.
    environment = {key: value for key, value in os.environ.items() if key != "SNAKEMAKE_PROFILE"}
    with atomic(snakemake.output.html) as temporary, open(snakemake.log[0], "a") as log:
        command = [environment["CHROMATTEND_PYTHON"], "-m", "snakemake", *snakemake.input]
        command += ["--snakefile", snakemake.params.snakefile, "--configfile", snakemake.output.config]
        # The run of this job holds the folder's lock, and this call only reads in the folder.
        command += ["--nolock", "--report", str(temporary)]
        if subprocess.run(command, env=environment, stdout=log, stderr=log).returncode:
            raise UserError(f"the report could not be written; see {snakemake.log[0]} for the reason")
        temporary.write_text(escape_report(temporary.read_text(encoding="utf-8")), encoding="utf-8")
