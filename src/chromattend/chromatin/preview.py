"""What the first jobs would refuse, told before them: they need the annotation and the matrix, and nothing else."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from chromattend.chromatin.study import Study
from chromattend.errors import Collected, located
from chromattend.pipeline.config import Place
from chromattend.pipeline.locations import is_url

# Files of at most this size (bytes) are read within two seconds.
QUICK = 12_000_000


def has_genes(study: Study) -> bool:
    """Return whether the files that `preview` reads are local."""
    return not any(is_url(study.source(key)) for key in ("annotation", "expression"))


def is_quick(study: Study) -> bool:
    """Return whether `preview` takes a moment, and was not yet done by the first jobs."""
    results = study.workdir / study.config["pathvars"]["results"]
    if not has_genes(study) or (results / "genes.tsv").exists():
        return False
    return all((study.workdir / study.source(key)).stat().st_size <= QUICK for key in ("annotation", "expression"))


def preview(study: Study, at: Place) -> None:
    """Check genes, matrix, split and named genes as the first jobs do.

    Args:
        study: a checked study with local annotation and matrix.
        at: names a key and what gives it.

    Raises:
        UserError: a job would fail, one line for each reason.
    """
    # Slow to import, and plans of studies with downloads do without.
    from chromattend.chromatin.bins import check_tss
    from chromattend.chromatin.dataset import assign_split
    from chromattend.chromatin.expression import read_matrix
    from chromattend.chromatin.genes import (
        build_gene_table,
        find_genes,
        read_annotation,
        read_chrom_sizes,
        read_gene_list,
    )

    config = study.config
    paths = {key: study.source(key) for key in ("annotation", "expression")}
    include = config["genes"]["include"]
    with _quiet():
        chrom_sizes = read_chrom_sizes(study.workdir / config["genome"]["chrom_sizes"])
        annotation = read_annotation(study.workdir / paths["annotation"], chrom_sizes)
        expressed = read_matrix(study.workdir / paths["expression"], list(study.epigenomes)).index
        genes = build_gene_table(
            annotation,
            expressed,
            mode=config["genes"]["mode"],
            include=read_gene_list(study.workdir / include) if include else None,
        )
    errors = Collected()
    with errors.check(), located(at("genome.chrom_sizes")):
        check_tss(genes, chrom_sizes)
    with errors.check(), located(at("split.mode")):
        assign_split(genes, **config["split"])
    if config["interpret"]["named_genes"]:
        with errors.check(), located(at("interpret.named_genes")):
            find_genes(genes, config["interpret"]["named_genes"])
    errors.report()


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out the log of the readers, which the jobs write again."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
