# The workflow is workflow/Snakefile, where the Snakemake workflow catalog and snakedeploy look for it.
include: "workflow/Snakefile"


# An included file's default target does not become that of the file that includes it.
workflow.default_target = "all"
