"""Post-hoc explanations of any network, all of one shape: a weight for every bin of every mark of a gene.

A network is explained behind its transform: as a function from what its layers see to the logit of ON. There, no reads
at all are the baseline that differences start from.
"""

import warnings

import numpy as np
import torch
from captum import attr
from torch import Tensor, nn

from chromattend.errors import UserError
from chromattend.interpret import METHODS
from chromattend.interpret.integrated_gradients import integrated_gradients
from chromattend.models.attention import Attention
from chromattend.models.network import SCORING_BATCH, Network

# Captum says each time that it sets its hooks, and removes them; DeepLIFT's max-unpooling adds each value once.
warnings.filterwarnings("ignore", "Setting .*hooks", UserWarning)
warnings.filterwarnings("ignore", "max_unpooling2d_forward_out does not have a deterministic", UserWarning)
# Parts the seeds of networks without training from all others.
CONTROL = 0x0C0


class Explained(nn.Module):
    """The mean logit of a network's replicates as a function of transformed signal."""

    def __init__(self, network: Network) -> None:
        """Share the network's weights."""
        super().__init__()
        self.replicates = network.replicates
        self.eval()

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits, shape (gene,), of inputs with shape (gene, bin, mark)."""
        return torch.stack([replicate(inputs) for replicate in self.replicates]).mean(dim=0)

    def attend(self, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return attention to the bins, shape (gene, bin, mark), and to the marks, (gene, mark) or None."""
        found: list[Attention] = [replicate.attend(inputs) for replicate in self.replicates]  # type: ignore[operator]
        alpha = torch.stack([part.alpha for part in found]).mean(dim=0)
        betas = [part.beta for part in found if part.beta is not None]
        return alpha.expand_as(inputs), torch.stack(betas).mean(dim=0) if betas else None


def randomised(network: Network, seed: int = 1, number: int = 1) -> Network:
    """Return a network of the same shape and transform whose weights were never trained (Adebayo et al., NeurIPS 2018).

    What an explanation of it looks like owes nothing to what was learned.

    Args:
        network: a trained network.
        seed: of the study.
        number: one of several such networks. None of them is what a training from the same seed starts with.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(np.random.SeedSequence([seed, number, CONTROL]).generate_state(1)[0]))
        other = Network(network.input_spec, network.options, len(network.replicates))
    other.transform = network.transform
    return other.eval()


def attribute(
    explained: Explained,
    inputs: Tensor,
    baseline: Tensor,
    method: str,
    *,
    window: int = 5,
) -> Tensor:
    """Weigh every bin of every mark of some genes by one method.

    Args:
        explained: the network, which must have what the method needs (see `chromattend.interpret.Method`).
        inputs: transformed signal, shape (gene, bin, mark).
        baseline: what stands for no reads, shape (1, bin, mark).
        method: one of `chromattend.interpret.METHODS`:

            - alpha: attention (Singh et al., NIPS 2017, equation 3).
            - saliency: |dS/dx| (Simonyan et al., arXiv 1312.6034, section 3).
            - input_x_gradient: (x - baseline) dS/dx (Shrikumar et al., arXiv 1605.01713).
            - integrated_gradients: its mean along the line from the baseline (Sundararajan et al., ICML 2017,
              equation 1); see `integrated_gradients`.
            - deeplift: the rescale rule (Shrikumar et al., ICML 2017).
            - occlusion: by how much the logit falls when a window of one mark is set to the baseline (Zeiler and
              Fergus, ECCV 2014), shared alike by its bins.
            - deconvolution (Zeiler and Fergus), guided_backprop (Springenberg et al., ICLR 2015 workshop).
        window: width of what is occluded (bins); windows lie side by side.

    Returns:
        Weights, float32, shape (gene, bin, mark).

    Raises:
        UserError: there is no such method.
    """
    if method not in METHODS:
        raise UserError(f"{method}: is not a method; choose one of {', '.join(METHODS)}")
    parts = [
        _attribute(explained, part.clone().requires_grad_(), baseline, method, window)
        for part in inputs.split(SCORING_BATCH)
    ]
    return torch.cat(parts).detach()


def _attribute(explained: Explained, inputs: Tensor, baseline: Tensor, method: str, window: int) -> Tensor:
    match method:
        case "alpha":
            with torch.inference_mode():
                return explained.attend(inputs)[0]
        case "saliency":
            return attr.Saliency(explained).attribute(inputs)
        case "input_x_gradient":
            # Counted from the baseline, as the sums of the other methods are.
            return attr.Saliency(explained).attribute(inputs, abs=False) * (inputs.detach() - baseline)
        case "integrated_gradients":
            return integrated_gradients(explained, inputs, baseline)
        case "deeplift":
            return attr.DeepLift(explained).attribute(inputs, baseline.expand_as(inputs).contiguous())
        case "occlusion":
            with torch.inference_mode():
                found = attr.Occlusion(explained).attribute(
                    inputs,
                    sliding_window_shapes=(window, 1),
                    strides=(window, 1),
                    baselines=baseline,
                    perturbations_per_eval=max(1, SCORING_BATCH // len(inputs)),
                )
            # The last window can be narrower.
            starts = torch.arange(inputs.shape[1]) // window * window
            return found / (inputs.shape[1] - starts).clamp_max(window)[:, None]
        case "deconvolution":
            return attr.Deconvolution(explained).attribute(inputs)
        case _:
            return attr.GuidedBackprop(explained).attribute(inputs)
