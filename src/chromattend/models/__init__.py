"""Models of any track: their registry (`registry`), their common interface (`base`), and a reader of trained models."""

import zipfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from chromattend.errors import UserError
from chromattend.models.registry import REGISTRY

if TYPE_CHECKING:
    from chromattend.models.base import TrainedModel

# Name of the files of trained models in the results, without the extension: their folders name them.
CHECKPOINT = "model"


def load_model(path: str | Path) -> "TrainedModel":
    """Read a trained model of any kind; the file's weights and known types are read, but no code is run.

    Raises:
        UserError: the file is damaged or is not a trained model.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            is_baseline = "schema.json" in archive.namelist()
            # torch does not check the checksums of weights.
            if (damaged := archive.testzip()) is not None:
                raise ValueError(f"the checksum of {damaged} differs")
        if is_baseline:
            from chromattend.models.baseline import Baseline

            return Baseline.load(path)
        from chromattend.models.network import Network

        return Network.load(path)
    except FileNotFoundError:
        raise
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path}: is not a chromattend model or is damaged ({reason}); train it again") from error


def load_models(paths: Sequence[str | Path], track: str, reserved: Collection[str] = ()) -> dict[str, "TrainedModel"]:
    """Read checkpoints of a track and name them by `name_checkpoints`.

    Raises:
        UserError: a file does not exist, is given twice, is not a trained model, or belongs to another track.
    """
    files = [Path(path).resolve() for path in paths]
    for path, file in zip(paths, files, strict=True):
        if not file.is_file():
            raise UserError(f"checkpoint {str(path)!r}: does not exist; give the path of a model.ckpt")
        if files.count(file) > 1:
            raise UserError(f"checkpoint {str(path)!r}: is given twice; leave one out")
    models = {name: load_model(path) for name, path in name_checkpoints(paths, reserved).items()}
    for name, model in models.items():
        spec = REGISTRY.get(model.input_spec.model)
        if spec and spec.track != track:
            raise UserError(f"{name}: is a model of the track {spec.track}, not {track}; give models of {track}")
    return models


def name_checkpoints(paths: Sequence[str | Path], reserved: Collection[str] = ()) -> dict[str, Path]:
    """Return a short, unique name for each checkpoint.

    `.../E003/deepchrome/model.ckpt` is named `E003/deepchrome`; any other file is named by its file name without the
    extension. If two names are equal, parent folders are added to both until they differ.

    Args:
        paths: the checkpoints.
        reserved: names that no model can have, such as those of other columns.
    """
    parts = {}
    for path in map(Path, paths):
        folders = [part for part in path.parent.parts if part not in (path.anchor, "..")]
        parts[path] = folders if path.stem == CHECKPOINT and folders else [*folders, path.stem]
    # Models of several epigenomes are not in the folder of an epigenome.
    shared = {name for name, spec in REGISTRY.items() if spec.scope not in ("epigenome", "sequence")}
    length = {path: 2 if path.stem == CHECKPOINT and path.parent.name not in shared else 1 for path in parts}
    while True:
        names = {path: "/".join(parts[path][-length[path] :]) for path in parts}
        clashing = [path for path, name in names.items() if name in reserved or list(names.values()).count(name) > 1]
        extensible = [path for path in clashing if length[path] < len(parts[path])]
        if not extensible:
            return {str(path) if path in clashing else name: path for path, name in names.items()}
        for path in extensible:
            length[path] += 1
