"""Models of any track: their registry (`registry`), their common interface (`base`), and a reader of trained models."""

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from chromattend.errors import UserError

if TYPE_CHECKING:
    from chromattend.models.base import TrainedModel


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
