"""Times of AttentiveChrome's steps, compared with one `nn.LSTM` per mark.

.venv/bin/python benchmarks/training.py --threads 1 --output training.json
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from side_by_side import median_ratio, side_by_side
from stacked import BINS, INPUTS, MARKS, epigenome
from torch import Tensor, nn

from chromattend.chromatin.models.attentivechrome import AttentiveChrome
from chromattend.models.attention import SoftAttention
from chromattend.recurrence import use_threads
from chromattend.training.examples import TrainingData
from chromattend.training.networks import train_networks
from chromattend.training.protocols import TrainingOptions

# Number of steps timed together, and of genes in a whole training.
STEPS = 10
GENES = 1600


class OneLSTMAMark(nn.Module):
    """AttentiveChrome as in the equations of the paper: one torch module per mark."""

    def __init__(self) -> None:
        """Build the layers, with the sizes of `AttentiveChrome`."""
        super().__init__()
        self.bin_lstms = nn.ModuleList(nn.LSTM(1, 32, batch_first=True, bidirectional=True) for _ in range(MARKS))
        self.bin_attention = nn.ModuleList(SoftAttention(64) for _ in range(MARKS))
        self.mark_lstm = nn.LSTM(64, 16, batch_first=True, bidirectional=True)
        self.mark_attention = SoftAttention(32)
        self.dropout = nn.Dropout(0.3)
        self.output = nn.Linear(32, 1)

    def forward(self, signal: Tensor) -> Tensor:
        """Return the logit of ON, shape (gene,), for signal of shape (gene, bin, mark)."""
        embeddings = [
            attention(lstm(signal[:, :, mark : mark + 1])[0])[1]
            for mark, (lstm, attention) in enumerate(zip(self.bin_lstms, self.bin_attention, strict=True))
        ]
        states, _ = self.mark_lstm(self.dropout(torch.stack(embeddings, dim=1)))
        return self.output(self.dropout(self.mark_attention(states)[1])).squeeze(-1)


def steps(network: nn.Module, genes: int) -> Callable[[], None]:
    """Return a function that takes `STEPS` optimiser steps on random genes."""
    signal, label = torch.randn(genes, BINS, MARKS), (torch.arange(genes) % 2).float()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, fused=True)

    def run() -> None:
        network.train()
        for _ in range(STEPS):
            optimizer.zero_grad()
            nn.functional.binary_cross_entropy_with_logits(network(signal), label).backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()

    return run


def scoring(network: nn.Module, genes: int) -> Callable[[], None]:
    """Return a function that scores random genes."""
    signal = torch.randn(genes, BINS, MARKS)

    def run() -> None:
        network.eval()
        with torch.inference_mode():
            network(signal)

    return run


def whole_epoch(batch: int, threads: int) -> Callable[[], None]:
    """Return a function that trains one epoch as the pipeline does, with validation and checkpoint."""
    data = TrainingData("an epigenome", INPUTS, *(epigenome(*part) for part in enumerate((GENES, batch))))
    options = TrainingOptions(batch_size=batch, max_epochs=1, threads=threads, accelerator="cpu")
    return lambda: train_networks([data], {}, options, None)


def main() -> None:
    """Measure, print one line per comparison, and write all values as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--output", type=Path, help="JSON file for the rows")
    arguments = parser.parse_args()
    use_threads(arguments.threads)
    torch.manual_seed(1)
    rows = []

    def on_torch_threads(run: Callable[[], None]) -> Callable[[], None]:
        def wrapped() -> None:
            torch.set_num_threads(arguments.threads)
            run()
            torch.set_num_threads(1)

        return wrapped

    def compare(name: str, unit: float, ours: Callable[[], None], other: Callable[[], None]) -> None:
        seconds = side_by_side({"ours": ours, "other": other}, arguments.repeats)
        row = {
            "name": name,
            "ours_ms": float(np.median(seconds["ours"])) * 1000 / unit,
            "other_ms": float(np.median(seconds["other"])) * 1000 / unit,
            "ratio": median_ratio(seconds["ours"], seconds["other"]),
        }
        rows.append(row)
        print(f"{name}: {row['ours_ms']:.2f} ms, other {row['other_ms']:.2f} ms, ratio {row['ratio']:.2f}", flush=True)

    batched, plain = AttentiveChrome(MARKS, BINS), OneLSTMAMark()
    for genes in (16, 32, 128, 512):
        compare(f"training step, {genes} genes", STEPS, steps(batched, genes), on_torch_threads(steps(plain, genes)))
    for genes in (16, 128, 512):
        compare(f"scoring, {genes} genes", 1, scoring(batched, genes), on_torch_threads(scoring(plain, genes)))
    for genes in (16, 32):
        whole, bare = whole_epoch(genes, arguments.threads), steps(batched, genes)
        compare(
            f"an epoch of the pipeline, {genes} genes a step, beside its bare steps",
            GENES / genes,
            whole,
            lambda bare=bare, genes=genes: [bare() for _ in range(GENES // genes // STEPS)],
        )
    if arguments.output:
        arguments.output.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
