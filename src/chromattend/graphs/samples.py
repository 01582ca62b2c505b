"""The samples of a set: checks, blocks, transform and covariates, and the file that has them."""

import hashlib
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from chromattend import __version__
from chromattend.errors import UserError, did_you_mean, listed
from chromattend.files import write_netcdf
from chromattend.graphs.matrices import Matrix
from chromattend.graphs.problem import Contexts
from chromattend.graphs.sheet import COLOURS

logger = logging.getLogger(__name__)

TRANSFORMS = ("none", "log1p")
# A variable whose variance that other variables leave is a smaller share than this is nothing but rounding.
LEAST_LEFT = 1e-10
# Squares of larger values, summed over samples, overflow.
LARGEST = 1e140
# Groups of variables that can be told apart in a drawing.
MOST_GROUPS = 16


def assemble(matrices: Mapping[str, Matrix], min_samples: int, covariates: Collection[str] = ()) -> Contexts:
    """Join the matrices of the contexts of a set, and check them.

    Args:
        matrices: matrix of each context. All must have the same variables; the order is that of the first.
        min_samples: smallest number of samples of a context.
        covariates: variables that may be constant in a context, because they are regressed out.

    Returns:
        Values as they were read. Without any blocks, `blocks` is empty; if some contexts have blocks, each sample of
        the others is its own block.

    Raises:
        UserError: a context has too few samples or other variables, or a variable is constant, or identical to another
            one, in a context.
    """
    names = tuple(matrices)
    first = matrices[names[0]]
    samples = []
    for name, matrix in matrices.items():
        _check_count(name, matrix.source, len(matrix.samples), min_samples, len(covariates))
        values = matrix.samples[:, _order(first, matrix, names[0], name)]
        _check_variables(name, matrix.source, values, first.variables, covariates)
        samples.append(values)
    blocks: tuple[np.ndarray, ...] = ()
    if any(matrix.blocks is not None for matrix in matrices.values()):
        blocks = tuple(
            np.arange(len(matrix.samples)).astype(str) if matrix.blocks is None else matrix.blocks
            for matrix in matrices.values()
        )
        for name, matrix, own in zip(names, matrices.values(), blocks, strict=True):
            if len(own) != len(matrix.samples):
                raise UserError(
                    f"{matrix.source}: context {name!r}: has {len(own)} blocks but {len(matrix.samples)} samples; give "
                    "one block per sample"
                )
            if len(set(own)) < 2:
                raise UserError(
                    f"{matrix.source}: context {name!r}: all samples are of the block {str(own[0])!r}; give smaller "
                    "blocks, or none"
                )
    return Contexts(names, first.variables, tuple(samples), blocks)


def _check_count(context: str, source: str, samples: int, min_samples: int, covariates: int) -> None:
    """Check that a context has enough samples for a graph; each covariate takes one of them away."""
    if samples - covariates >= min_samples:
        return
    without = f" without one for each of {covariates} covariates" if covariates else ""
    raise UserError(
        f"{source}: context {context!r}: has {samples} samples, fewer than the {min_samples} of 'graphs.min_samples'"
        f"{without}; from so few, graphs do not replicate: join contexts, add samples, or lower the key"
    )


def _order(first: Matrix, matrix: Matrix, first_name: str, name: str) -> np.ndarray | slice:
    """Return the columns of a matrix in the order of the first one's variables."""
    if matrix.variables == first.variables:
        return slice(None)
    missing = [variable for variable in first.variables if variable not in set(matrix.variables)]
    other = [variable for variable in matrix.variables if variable not in set(first.variables)]
    if missing or other:
        lacks, has = (f"lacks {listed(missing)}" if missing else ""), (f"has {listed(other)}" if other else "")
        raise UserError(
            f"{matrix.source}: context {name!r}: {' and '.join(filter(None, (lacks, has)))}, unlike context "
            f"{first_name!r} ({first.source}); give all contexts of a set the same variables"
        )
    index = {variable: number for number, variable in enumerate(matrix.variables)}
    return np.array([index[variable] for variable in first.variables])


def _check_variables(
    context: str, source: str, values: np.ndarray, variables: Sequence[str], covariates: Collection[str]
) -> None:
    """Check that every variable varies, and that no two are identical."""
    for variable, least, most in zip(variables, values.min(axis=0), values.max(axis=0), strict=True):
        if max(abs(least), abs(most)) > LARGEST:
            raise UserError(
                f"{source}: context {context!r}: variable {variable!r} has the value {max(least, most, key=abs):g}, "
                "too large for correlations; correct it, or rescale the variable"
            )
        if least == most and variable not in covariates:
            raise UserError(
                f"{source}: context {context!r}: variable {variable!r} is constant, {least:g} in all {len(values)} "
                "samples; remove it from all contexts of the set"
            )
    columns: dict[bytes, str] = {}
    for variable, column in zip(variables, np.ascontiguousarray(values.T) + 0.0, strict=True):  # -0 becomes 0
        if variable in covariates:
            continue
        same = columns.setdefault(hashlib.blake2b(column.tobytes(), digest_size=16).digest(), variable)
        if same != variable:
            raise UserError(
                f"{source}: context {context!r}: variables {same!r} and {variable!r} are identical, so their partial "
                "correlation is not defined; remove one from all contexts of the set"
            )


def are_counts(contexts: Contexts) -> bool:
    """Return whether all values are whole numbers of at least 0, so that they can be thinned as counts."""
    return all(bool((values >= 0).all() and (values == np.rint(values)).all()) for values in contexts.samples)


def prepared(contexts: Contexts, transform: str, covariates: Sequence[str] = ()) -> Contexts:
    """Transform the values, regress covariates out of the other variables in each context, and leave them out.

    Args:
        contexts: values as they were read.
        transform: `none`, or `log1p` for log(1 + value).
        covariates: names of variables; they are transformed too. The regression is linear, with an intercept.

    Raises:
        UserError: a value is negative (log1p), a covariate is not a variable, or a variable is a linear function of
            the covariates.
    """
    if transform == "log1p":
        for name, values in zip(contexts.names, contexts.samples, strict=True):
            if values.min() < 0:
                row, column = np.unravel_index(int(values.argmin()), values.shape)
                raise UserError(
                    f"context {name!r}: variable {contexts.variables[column]!r} is {values[row, column]:g} in sample "
                    f"{row + 1}, and log1p takes no negative values; set graphs.transform: none"
                )
        contexts = replace(contexts, samples=tuple(np.log1p(values) for values in contexts.samples))
    if not covariates:
        return contexts
    for name in covariates:
        if name not in contexts.variables:
            raise UserError(
                f"key 'graphs.covariates': {name!r} is not a variable{did_you_mean(name, contexts.variables)}; correct "
                "or remove it"
            )
    chosen = np.isin(contexts.variables, covariates)
    kept = tuple(name for name in contexts.variables if name not in covariates)
    samples = []
    for context, values in zip(contexts.names, contexts.samples, strict=True):
        design = np.column_stack([np.ones(len(values)), _scaled(values[:, chosen])])
        others = values[:, ~chosen]
        left = others - design @ np.linalg.lstsq(design, others, rcond=None)[0]
        gone = (left**2).sum(axis=0) <= LEAST_LEFT * ((others - others.mean(axis=0)) ** 2).sum(axis=0)
        if gone.any():
            raise UserError(
                f"context {context!r}: variable {kept[int(gone.argmax())]!r} is a linear function of the covariates "
                f"{listed(covariates)}; remove it from all contexts of the set, or from 'graphs.covariates'"
            )
        samples.append(left)
    return replace(contexts, variables=kept, samples=tuple(samples))


def _scaled(values: np.ndarray) -> np.ndarray:
    """Return columns of mean 0 and variance 1, or of 0: units then change nothing in the regression."""
    centred = values - values.mean(axis=0)
    spread = centred.std(axis=0)
    return centred / np.where(spread > 0, spread, 1)


def write_samples(contexts: Contexts, path: str | Path, *, counts: bool) -> None:
    """Write the samples of a set: `samples_{i}[sample_{i}, variable]` and `blocks_{i}[sample_{i}]` of context i from 0.

    Args:
        contexts: values as they were read.
        path: netCDF file.
        counts: whether the values are counts, see `are_counts`.
    """
    data: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}
    for number, values in enumerate(contexts.samples):
        data[f"samples_{number}"] = ((f"sample_{number}", "variable"), values)
        if contexts.blocks:
            data[f"blocks_{number}"] = ((f"sample_{number}",), contexts.blocks[number].astype(object))
    coordinates = {
        "variable": np.array(contexts.variables, dtype=object),
        "context": np.array(contexts.names, dtype=object),
    }
    attributes = {"counts": int(counts), "program": f"chromattend {__version__}"}
    write_netcdf(xr.Dataset(data, coordinates, attributes), path)


def read_samples(path: str | Path, contexts: Collection[str] = ()) -> tuple[Contexts, bool]:
    """Read the samples of a set from the file of `write_samples`, and whether they are counts.

    Args:
        path: netCDF file.
        contexts: names of the contexts to read; all if empty. Others are left on disk.

    Raises:
        UserError: the file is damaged.
    """
    try:
        with xr.open_dataset(path, engine="h5netcdf") as dataset:
            names = [str(name) for name in dataset["context"].values]
            numbers = [number for number, name in enumerate(names) if not contexts or name in contexts]
            samples = tuple(dataset[f"samples_{number}"].values for number in numbers)
            blocks = tuple(
                dataset[f"blocks_{number}"].values.astype(str) for number in numbers if f"blocks_{number}" in dataset
            )
            variables = tuple(str(name) for name in dataset["variable"].values)
            counts = bool(dataset.attrs["counts"])
    except (OSError, KeyError) as error:
        raise UserError(f"{path}: is not a readable file of samples; delete it and run again ({error})") from error
    return Contexts(tuple(names[number] for number in numbers), variables, samples, blocks), counts


def variable_table(variables: Sequence[str]) -> pd.DataFrame:
    """Return the table `variables.tsv`: variable, group, position and colour.

    Variables that are all named `GROUP:NUMBER`, such as a mark and the number of a group of bins, are drawn by group
    and in the order of their numbers; each group has a colour. The further columns of other variables are empty.

    Args:
        variables: names.
    """
    table = pd.DataFrame({"variable": list(variables)}, dtype=str)
    parts = table["variable"].str.extract(r"^(.+):(\d{1,9})$")
    groups = list(dict.fromkeys(parts[0].dropna()))
    if parts.isna().any(axis=None) or len(groups) > MOST_GROUPS:
        return table.assign(group="", position="", colour="")
    # From the other end, because contexts have the first colours.
    colours = {group: COLOURS[-1 - number % len(COLOURS)] for number, group in enumerate(groups)}
    return table.assign(group=parts[0], position=parts[1].astype(int), colour=parts[0].map(colours))
