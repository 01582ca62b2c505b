"""The Lightning module of networks that train together: losses, metrics, optimiser and schedule."""

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as L
import torch
from torch import Tensor
from torchmetrics.functional import pearson_corrcoef
from torchmetrics.functional.classification import binary_auroc, binary_average_precision

from chromattend.models.network import Network
from chromattend.training.data import Batch
from chromattend.training.protocols import TrainingOptions
from chromattend.training.stack import Stack

OPTIMIZERS = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam, "sgd": torch.optim.SGD}


class NetworkTraining(L.LightningModule):
    """Networks that train together, with their losses, metrics, optimiser and schedule.

    No network influences what another one learns: losses are summed, and gradients are clipped by the gradient norm of
    each network.
    """

    def __init__(
        self, networks: Sequence[Network], options: TrainingOptions, positive_weights: Sequence[float]
    ) -> None:
        """Stack the networks.

        Args:
            networks: networks of one architecture.
            options: options of the optimiser and its schedule.
            positive_weights: weight of ON genes in the loss, for each network.
        """
        super().__init__()
        self.stack, self.options = Stack(networks), options
        self.classifies = networks[0].input_spec.task == "classification"
        self.positive_weights: Tensor
        self.register_buffer("positive_weights", torch.tensor(positive_weights)[:, None], persistent=False)
        self._learned: list[tuple[Tensor, int]] = []
        self._valid: list[tuple[Tensor, Tensor]] = []

    def on_train_start(self) -> None:
        """Capture the training step as CUDA graphs, if it runs on a GPU."""
        # In lower precisions, weights are cast again in every step, which a captured graph would miss.
        if self.device.type == "cuda" and self.options.precision == "32-true":
            signal, _, *context = self.trainer.datamodule.train[: self.options.batch_size]  # type: ignore[attr-defined]
            self.stack.capture(signal, *context)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Return the sum of the networks' mean losses: binary cross-entropy, or squared error for regression."""
        signal, target, *context = batch
        losses = self._losses(self.stack(signal, *context), target).mean(dim=1)
        self._learned.append((losses.detach(), target.shape[1]))
        return losses.sum()

    def validation_step(self, batch: Batch, _: int) -> None:
        """Collect the outputs."""
        signal, target, *context = batch
        self._valid.append((self.stack(signal, *context).float(), target))

    def take_measures(self) -> list[dict[str, float]]:
        """Return each network's train loss of the epoch and metrics on the valid part, and reset them."""
        genes = sum(count for _, count in self._learned)
        train_losses = torch.stack([losses * count for losses, count in self._learned]).sum(dim=0) / genes
        outputs, target = (torch.cat(parts, dim=1) for parts in zip(*self._valid, strict=True))
        valid_losses = self._losses(outputs, target).mean(dim=1)
        self._learned, self._valid = [], []
        losses = torch.stack([train_losses, valid_losses]).T.tolist()
        rows = []
        # On the CPU, because every single metric would wait for the GPU.
        for output, truth, of_network in zip(outputs.cpu(), target.cpu(), losses, strict=True):
            row = dict(zip(("train_loss", "valid_loss"), of_network, strict=True))
            if self.classifies:
                # The metrics take values within 0 and 1 as probabilities, all others as logits; softsign keeps the
                # scores within 0 and 1, in the order of the logits.
                scores, labels = 0.5 + 0.5 * torch.nn.functional.softsign(output), truth.int()
                row["valid_auc"] = float(binary_auroc(scores, labels))
                row["valid_aupr"] = float(binary_average_precision(scores, labels))
            else:
                row["valid_r"] = float(pearson_corrcoef(output, truth))
            rows.append(row)
        return rows

    def _losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Return the loss of every gene, shape (network, gene)."""
        if self.classifies:
            return torch.nn.functional.binary_cross_entropy_with_logits(
                outputs, target, pos_weight=self.positive_weights, reduction="none"
            )
        return torch.nn.functional.mse_loss(outputs, target, reduction="none")

    def configure_gradient_clipping(
        self, optimizer: Any, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        """Scale the gradient of each network down to the largest allowed norm."""
        if not gradient_clip_val:
            return
        gradients = [weight.grad for weight in self.stack.weights if weight.grad is not None]
        norms = torch.stack([gradient.flatten(1).square().sum(dim=1) for gradient in gradients]).sum(dim=0).sqrt()
        factors = (gradient_clip_val / (norms + 1e-6)).clamp_max(1)
        for gradient in gradients:
            gradient.mul_(factors.view(-1, *[1] * (gradient.ndim - 1)))

    def configure_optimizers(self) -> Any:
        """Return the optimiser and, if there is a warm-up, the learning-rate schedule."""
        options = self.options
        arguments: dict[str, Any] = {"weight_decay": options.weight_decay} if options.optimizer == "adamw" else {}
        # A fused step unscales 16-bit gradients itself, but they must be unscaled before the clipping.
        arguments["fused"] = options.precision != "16-mixed"
        optimizer = OPTIMIZERS[options.optimizer](self.parameters(), lr=options.learning_rate, **arguments)
        if options.halve_every:
            return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, options.halve_every, gamma=0.5)]
        if options.warmup == 0:
            return optimizer
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            options.learning_rate,
            total_steps=steps,
            # A warm-up of a single step would not warm up, and torch would divide by its length minus one, which is 0.
            pct_start=options.warmup if options.warmup * steps > 1 else 0.0,
            cycle_momentum=False,
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
