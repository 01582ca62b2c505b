"""Weights of the letters of a sequence, by every view of the shape `weights`; see `chromattend.sequence.views`."""

import logging

import torch
from torch import Tensor

from chromattend.errors import UserError
from chromattend.interpret import attribution
from chromattend.interpret.attribution import Explained
from chromattend.interpret.integrated_gradients import integrated_gradients
from chromattend.models.network import SCORING_BATCH, Network, batches, in_batches
from chromattend.sequence.machine import KernelMachine
from chromattend.sequence.views import VIEWS

logger = logging.getLogger(__name__)

# Tolerance of integrated gradients (logit). At their default of 5e-4, the many kinks of a CNN of 128 maps need 1,250
# gradients a sequence instead of 54, and the weights differ by 0.2 % of their mean size.
INTEGRATION = 0.02
# Largest difference between the sum of a sequence's weights and the change of its logit. Integrated gradients may miss
# their own tolerance by a little.
TOLERANCE = 1.5 * INTEGRATION


def attribute(network: Network, signal: Tensor, view: str, reference: Tensor) -> Tensor:
    """Return the weight of every letter of some sequences by one view.

    The weight of a sequence's own letter is what pages and motifs use, see `observed`. The other letters have a weight
    only in gradients: what the logit would gain with them.

    Args:
        network: a trained network of sequences; the logit is the calibrated mean over its replicates.
        signal: one-hot letters, zeros for unknown ones, shape (sequence, position, letter).
        view: name in `chromattend.sequence.views.VIEWS`:

            - saliency: |dS/dx| (Simonyan et al., arXiv 1312.6034, section 3).
            - gradient_x_input: x dS/dx (Lanchantin et al., PSB 2017, section 3.1).
            - corrected_gradient: dS/dx minus its mean over the letters of the position (Majdandzic et al., Genome
              Biology 24:109, 2023, equation 3). One-hot sequences always sum to 1, so the mean is arbitrary.
            - integrated_gradients: (x - reference) times the mean of dS/dx along the line from the reference
              (Sundararajan et al., ICML 2017, equation 1), summed over the letters of the position.
            - deeplift: the rescale rule (Shrikumar et al., ICML 2017), summed over the letters of the position.
            - gapped_kmers: of a gapped k-mer SVM, the equal shares of its letters in the weight of every gapped k-mer
              (Shrikumar et al., Bioinformatics 35:i173, 2019); see `KernelMachine.positions`.
            - mutagenesis: minus the mean change of the logit over all substitutions of the letter, see `mutagenesis`.
        reference: letter frequencies to count from, shape (1, position, letter), see `mean_reference`, or zeros. An
            unknown letter is unknown in its reference too, and has the weight 0 in all views but gradients.

    Returns:
        float32, shape (sequence, position, letter).

    Raises:
        UserError: the view is unknown, or gives no weights.
    """
    known = [name for name, each in VIEWS.items() if each.shape == "weights"]
    if view not in known:
        raise UserError(f"{view}: is not a view with a weight for every letter; choose one of {', '.join(known)}")
    explained = Explained(network)
    match view:
        case "saliency":
            return gradients(explained, signal).abs()
        case "gradient_x_input":
            return gradients(explained, signal) * signal
        case "corrected_gradient":
            gradient = gradients(explained, signal)
            return gradient - gradient.mean(dim=2, keepdim=True)
        case "gapped_kmers":
            assert isinstance(network, KernelMachine)
            return network.positions(signal)
        case "mutagenesis":
            return mean_decrease(mutagenesis(network, signal), signal)
        case _:
            return _from_reference(explained, signal, view, reference)


def observed(weights: Tensor, signal: Tensor) -> Tensor:
    """Return the weight of each sequence's own letters, shape (sequence, position); 0 where the letter is unknown.

    Args:
        weights: see `attribute`, shape (sequence, position, letter).
        signal: one-hot letters, of the same shape.
    """
    return (weights * signal).sum(dim=2)


def mean_reference(signal: Tensor) -> Tensor:
    """Return the mean letter frequencies of sequences, the same at every position, shape (1, position, letter).

    Weights then tell a letter from an average one. With zeros as the reference, each letter would also get a share of
    the difference between a sequence and nothing at all.

    Args:
        signal: one-hot letters of the training sequences, shape (sequence, position, letter).
    """
    counts = signal.sum(dim=(0, 1))
    frequencies = counts / counts.sum().clamp_min(1)
    return frequencies.expand(1, signal.shape[1], -1).contiguous()


def gradients(explained: Explained, signal: Tensor) -> Tensor:
    """Return the gradient of the logit, shape (sequence, position, letter)."""
    parts = []
    for (part,) in batches(signal):
        inputs = part.clone().requires_grad_()
        parts.append(torch.autograd.grad(explained(inputs).sum(), inputs)[0])
    return torch.cat(parts)


def _from_reference(explained: Explained, signal: Tensor, view: str, reference: Tensor) -> Tensor:
    """Return integrated gradients or DeepLIFT; sequences with the same unknown positions share a reference."""
    known = signal.sum(dim=2) > 0
    patterns, of_sequence = torch.unique(known, dim=0, return_inverse=True)
    weights = torch.empty_like(signal)
    for number, pattern in enumerate(patterns):
        blank = reference * pattern[None, :, None]
        for rows in torch.nonzero(of_sequence == number).flatten().split(SCORING_BATCH):
            if view == "integrated_gradients":
                weights[rows] = integrated_gradients(explained, signal[rows], blank, tolerance=INTEGRATION)
            else:
                weights[rows] = attribution.attribute(explained, signal[rows], blank, view)
    # The reference has a part of every letter. The change from it is due to the letter that the sequence has.
    return weights.sum(dim=2, keepdim=True) * signal


@torch.inference_mode()
def incomplete_share(
    network: Network, signal: Tensor, weights: Tensor, reference: Tensor, tolerance: float = TOLERANCE
) -> float:
    """Return the share of sequences whose weights do not add up to the change of the logit from the reference.

    Args:
        network, signal, reference: see `attribute`.
        weights: weights of a view that should add up (integrated gradients, DeepLIFT), shape (sequence, position,
            letter).
        tolerance: largest allowed difference between sum and change.
    """
    explained = Explained(network)
    known = signal.sum(dim=2, keepdim=True) > 0
    change = in_batches(lambda own, blank: explained(own) - explained(blank), signal, reference * known)
    missing = (weights.double().sum(dim=(1, 2)) - change.double()).abs()
    logger.info(
        "sums of weights miss the logit change by %.2g (median), %.2g (largest)", missing.median(), missing.max()
    )
    return float((missing > tolerance).double().mean())


@torch.no_grad()
def mutagenesis(network: Network, signal: Tensor) -> Tensor:
    """Return the change of the logit for every substitution of a single letter (in-silico mutagenesis).

    Zhou and Troyanskaya, Nature Methods 12:931, 2015. All sequences are changed at one position at a time.

    Args:
        network: a trained network.
        signal: one-hot letters, shape (sequence, position, letter).

    Returns:
        Logit with the letter minus logit of the sequence, float32, shape (sequence, position, letter); 0 for the
        sequence's own letter, and at unknown letters.
    """
    if isinstance(network, KernelMachine):
        return network.mutagenesis(signal)
    explained = Explained(network)
    sequences, positions, letters = signal.shape
    changes = torch.zeros_like(signal)
    own, known = signal.argmax(dim=2), signal.sum(dim=2) > 0
    # Enough sequences that all substitutions of a position fill a batch.
    for rows in torch.arange(sequences).split(max(1, SCORING_BATCH // (letters - 1))):
        whole = in_batches(explained, signal[rows])
        changed = signal[rows].repeat(letters - 1, 1, 1)
        before = changed[:, 0].clone()
        for position in range(positions):
            # The other letters of a position are its own plus 1, 2, ... in the circle of letters.
            others = [(own[rows, position] + step) % letters for step in range(1, letters)]
            letter = torch.cat(others)
            before.copy_(changed[:, position])
            changed[:, position] = torch.nn.functional.one_hot(letter, letters)
            change = explained(changed).unflatten(0, (letters - 1, -1)) - whole
            changed[:, position] = before
            change = change * known[rows, position]
            changes[rows, position] = changes[rows, position].scatter(1, torch.stack(others, dim=1), change.T)
    return changes


def mean_decrease(changes: Tensor, signal: Tensor) -> Tensor:
    """Return the weights of a mutagenesis map: minus the mean change over the substitutions of each letter.

    Args:
        changes: see `mutagenesis`, shape (sequence, position, letter).
        signal: one-hot letters, of the same shape.

    Returns:
        Weights, of the same shape; only a sequence's own letters have one.
    """
    return -changes.sum(dim=2, keepdim=True) / (signal.shape[2] - 1) * signal
