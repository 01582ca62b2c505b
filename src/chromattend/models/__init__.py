"""Models of any track: what they are (`registry`), what they share (`base`), and how a trained one is read."""

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from chromattend.errors import UserError

if TYPE_CHECKING:
    from chromattend.models.base import TrainedModel


def load_model(path: str | Path) -> "TrainedModel":
    """Read a trained model of any kind; only weights and known types are read, never code.

    Raises:
        UserError: the file is damaged or holds something else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            is_baseline = "schema.json" in archive.namelist()
            # torch does not compare the checksums of weights.
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
