"""All studies of one configuration, checked together: of epigenomes, sequences, graphs and robustness.

Neither NumPy nor pandas is imported: planning takes a moment.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chromattend.chromatin.configuration import load_study, read_schema
from chromattend.chromatin.preview import preview
from chromattend.chromatin.study import Study
from chromattend.errors import Collected, UserError
from chromattend.graphs.configuration import load_graphs
from chromattend.graphs.configuration import read_schema as graph_schema
from chromattend.graphs.study import GraphStudy, Sources
from chromattend.pipeline.config import merged, part_of, read_parts, typed
from chromattend.robustness.configuration import load_robustness
from chromattend.robustness.configuration import read_schema as robustness_schema
from chromattend.robustness.study import Offered, RobustnessStudy
from chromattend.sequence.configuration import load_sequences
from chromattend.sequence.configuration import read_schema as sequence_schema
from chromattend.sequence.study import SequenceStudy


@dataclass(frozen=True)
class Studies:
    """The checked studies of a configuration; None for a track that it leaves out.

    Attributes:
        chromatin: the study of epigenomes, without epigenomes if there is none.
        sequences, graphs, robustness: the other tracks.
        downloads: path under the folder of resources -> URL, of all tracks.
    """

    chromatin: Study
    sequences: SequenceStudy | None
    graphs: GraphStudy | None
    robustness: RobustnessStudy | None
    downloads: Mapping[str, str]


def load_studies(
    config: Mapping[str, Any],
    files: Sequence[str | Path],
    schemas: Path,
    workdir: Path,
    command_line: Mapping[str, Any] | None = None,
    *,
    genes: Callable[[Study], bool] = lambda _: False,
) -> Studies:
    """Check a configuration.

    Args:
        config: the merged configuration.
        files: what it was merged from, from the file that wins; messages name the one that gives a key.
        schemas: folder with the schemas, in a checkout.
        workdir: folder that relative paths are resolved against.
        command_line: keys that win over all files.
        genes: whether to read the genes of a study without other errors, too, see `chromattend.chromatin.preview`.

    Raises:
        UserError: what would make a job fail later, one line for each error.
    """
    if command_line:
        config = merged(config, _typed(command_line, schemas))
    name = str(files[0]) if files else "config"
    parts = read_parts(files, command_line or {})

    def part(key: str) -> str:
        return part_of(key, parts, name)

    chromatin = load_study(dict(config), schemas, workdir, name, parts)
    errors = Collected()
    sequences, graphs, robustness = None, None, None
    with errors.check():
        sequences = load_sequences(config, schemas, workdir, part)
    with errors.check():
        graphs = load_graphs(config, schemas, workdir, part, _sources(chromatin))
    with errors.check():
        robustness = load_robustness(config, schemas, workdir, part, _offered(chromatin, sequences))
    if chromatin.epigenomes and genes(chromatin):
        with errors.check():
            preview(chromatin, lambda key: f"{part(key)}: key {key!r}")
    errors.report()
    if not (chromatin.epigenomes or sequences or graphs or robustness):
        raise UserError(
            f"{name}: names nothing to study; give 'epigenomes', the path of a sample sheet, or a section "
            "'sequence', 'graphs' or 'robustness'"
        )
    downloads = chromatin.downloads | (robustness.downloads(chromatin.mirror) if robustness else {})
    return Studies(chromatin, sequences, graphs, robustness, downloads)


def _typed(command_line: Mapping[str, Any], schemas: Path) -> dict[str, Any]:
    """Return the keys of the command line with the types of the schemas."""
    readers = {"sequence": sequence_schema, "graphs": graph_schema, "robustness": robustness_schema}
    whole = read_schema(schemas)
    return {
        key: typed(value, readers[key](schemas))
        if key in readers
        else typed(value, whole["properties"].get(key, {}), whole)
        for key, value in command_line.items()
    }


def _sources(study: Study) -> Sources:
    """Return what the epigenomes offer to graphs."""
    bins = study.config["bins"]
    return Sources(
        groups={name: row.group for name, row in study.epigenomes.items()},
        marks=tuple(study.marks),
        bins=(bins["upstream"] + bins["downstream"]) // bins["size"],
    )


def _offered(study: Study, sequences: SequenceStudy | None) -> Offered:
    """Return the models whose robustness can be tested."""
    bins = study.config["bins"]
    return Offered(
        models=tuple(study.config["models"]),
        epigenomes={name: not study.has_signal(name) for name in study.epigenomes},
        marks=tuple(study.marks),
        bin_size=bins["size"],
        span=bins["upstream"] + bins["downstream"],
        sequence_models=tuple(sequences.models) if sequences else (),
        sequence_sets=tuple(sequences.sets) if sequences else (),
    )
