"""The Lightning data module: the examples of every network as batches in memory."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytorch_lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from chromattend.models.network import SCORING_BATCH
from chromattend.training.examples import Examples

Batch = tuple[Tensor, ...]


class _InMemory(Dataset[Batch]):
    """Examples of every network, shape (network, example, ...), indexed with a whole batch, not one by one."""

    def __init__(self, examples: Sequence[Examples]) -> None:
        self.redraws = [one.redraw for one in examples]
        arrays = [(one.signal, one.target, one.context) for one in examples]
        self.tensors = tuple(
            torch.from_numpy(np.stack(values)) for values in zip(*arrays, strict=True) if values[0] is not None
        )

    def move(self, device: torch.device) -> None:
        self.tensors = tuple(tensor.to(device) for tensor in self.tensors)

    def redraw(self, seed: int) -> None:
        """Draw again the signal of examples that are random in part."""
        for number, redraw in enumerate(self.redraws):
            if redraw is not None:
                self.tensors[0][number] = torch.from_numpy(redraw(seed))

    def __len__(self) -> int:
        return self.tensors[0].shape[1]

    def __getitem__(self, index: Any) -> Batch:
        return tuple(tensor[:, index] for tensor in self.tensors)


class _Batches(Sampler[Tensor]):
    """Indices of successive batches; with a source of seeds, redrawn and shuffled with a new seed in every epoch."""

    def __init__(self, examples: _InMemory, batch_size: int, seed: Callable[[], int] | None) -> None:
        self.examples, self.batch_size, self.seed = examples, batch_size, seed

    def __len__(self) -> int:
        return math.ceil(len(self.examples) / self.batch_size)

    def __iter__(self) -> Iterator[Tensor]:
        order = torch.arange(len(self.examples))
        if self.seed is not None:
            seed = self.seed()
            self.examples.redraw(seed)
            # Drawn on the CPU, so that every device has the same order.
            order = torch.randperm(len(order), generator=torch.Generator().manual_seed(seed))
        yield from order.to(self.examples.tensors[0].device).split(self.batch_size)


class NetworkDataModule(L.LightningDataModule):
    """The train and valid examples of every network, held in memory as tensors."""

    def __init__(
        self, train: Sequence[Examples], valid: Sequence[Examples], batch_size: int, seed: Callable[[], int]
    ) -> None:
        """Hold the examples in memory.

        Args:
            train: training examples of each network.
            valid: examples of each network that choose the best epoch.
            batch_size: examples per optimiser step.
            seed: function that returns the seed of an epoch's draws and shuffling, called when the epoch starts.
        """
        super().__init__()
        self.train, self.valid = _InMemory(train), _InMemory(valid)
        self.batch_size, self.seed = batch_size, seed

    def setup(self, stage: str) -> None:
        """Move all examples to the training device, once for all batches."""
        assert self.trainer is not None
        for examples in (self.train, self.valid):
            examples.move(self.trainer.strategy.root_device)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return shuffled batches of the training examples: signal, target and, for models with context, context."""
        return self._loader(self.train, self.batch_size, self.seed)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return batches of the validation examples."""
        return self._loader(self.valid, SCORING_BATCH, None)

    @staticmethod
    def _loader(examples: _InMemory, batch_size: int, seed: Callable[[], int] | None) -> DataLoader[Batch]:
        # Batches are given as the sampler, so that a batch is a single look-up.
        return DataLoader(examples, sampler=_Batches(examples, batch_size, seed), batch_size=None)
