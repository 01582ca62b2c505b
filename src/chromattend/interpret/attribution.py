"""Post-hoc explanations of any network, all of one shape: a weight for every bin of every mark of a gene.

Explanations start after a network's transform: the network is a function from transformed signal to the logit of ON.
Differences are counted from the reference, the transformed signal without reads.
"""

import warnings

import numpy as np
import torch
from torch import Tensor, nn

from chromattend.errors import UserError
from chromattend.interpret import METHODS
from chromattend.interpret.integrated_gradients import integrated_gradients
from chromattend.models.attention import Attention
from chromattend.models.network import SCORING_BATCH, Network

# Captum warns each time that it sets hooks, but removes them. DeepLIFT's max-unpooling adds each value only once.
warnings.filterwarnings("ignore", "Setting .*hooks", UserWarning)
warnings.filterwarnings("ignore", "max_unpooling2d_forward_out does not have a deterministic", UserWarning)
# Keeps the seeds of untrained controls apart from training seeds.
CONTROL = 0x0C0


class Explained(nn.Module):
    """Logit of a network as a function of transformed signal."""

    def __init__(self, network: Network) -> None:
        """Share the network's weights."""
        super().__init__()
        self.network = network
        self.eval()

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits, shape (gene,), for inputs of shape (gene, bin, mark)."""
        return self.network.calibrated(self.mean_output(inputs))

    def mean_output(self, inputs: Tensor) -> Tensor:
        """Return the mean output of the replicates, shape (gene,)."""
        return torch.stack([replicate(inputs) for replicate in self.network.replicates]).mean(dim=0)

    def attend(self, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return attention over the bins, shape (gene, bin, mark), and over the marks, shape (gene, mark) or None."""
        attention: list[Attention] = [replicate.attend(inputs) for replicate in self.network.replicates]  # type: ignore[operator]
        alpha = torch.stack([replicate.alpha for replicate in attention]).mean(dim=0)
        betas = [replicate.beta for replicate in attention if replicate.beta is not None]
        return alpha.expand_as(inputs), torch.stack(betas).mean(dim=0) if betas else None


def randomised(network: Network, seed: int = 1, number: int = 1) -> Network:
    """Return a network of the same shape and transform whose weights were never trained (Adebayo et al., NeurIPS 2018).

    Its explanations show only the architecture and the data, not learning.

    Args:
        network: a trained network.
        seed: seed of the study.
        number: number of the untrained network. None has the initial weights of a training from the same seed.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(np.random.SeedSequence([seed, number, CONTROL]).generate_state(1)[0]))
        return network.untrained()


def attribute(
    explained: Explained,
    inputs: Tensor,
    reference: Tensor,
    method: str,
    *,
    window: int = 5,
) -> Tensor:
    """Return the weight of every bin of every mark of some genes by one method.

    Args:
        explained: the network, which must have what the method needs (see `chromattend.interpret.Method`).
        inputs: transformed signal, shape (gene, bin, mark).
        reference: transformed signal without reads, shape (1, bin, mark).
        method: one of `chromattend.interpret.METHODS`:

            - alpha: attention (Singh et al., NIPS 2017, equation 3).
            - saliency: |dS/dx| (Simonyan et al., arXiv 1312.6034, section 3).
            - input_x_gradient: (x - reference) dS/dx (Shrikumar et al., arXiv 1605.01713).
            - integrated_gradients: (x - reference) times the mean of dS/dx along the line from the reference
              (Sundararajan et al., ICML 2017, equation 1); see `integrated_gradients`.
            - deeplift: the rescale rule (Shrikumar et al., ICML 2017).
            - occlusion: decrease of the logit when a window of one mark is set to the reference (Zeiler and Fergus,
              ECCV 2014), shared equally by its bins.
            - deconvolution (Zeiler and Fergus), guided_backprop (Springenberg et al., ICLR 2015 workshop).
        window: width of the occluded window (bins); windows do not overlap.

    Returns:
        Weights, float32, shape (gene, bin, mark).

    Raises:
        UserError: the method is unknown.
    """
    if method not in METHODS:
        raise UserError(f"{method}: is not a method; choose one of {', '.join(METHODS)}")
    parts = [
        _attribute(explained, part.clone().requires_grad_(), reference, method, window)
        for part in inputs.split(SCORING_BATCH)
    ]
    return torch.cat(parts).detach()


def _attribute(explained: Explained, inputs: Tensor, reference: Tensor, method: str, window: int) -> Tensor:
    from captum import attr  # slow to import, and some jobs may explain nothing

    match method:
        case "alpha":
            with torch.inference_mode():
                return explained.attend(inputs)[0]
        case "saliency":
            return attr.Saliency(explained).attribute(inputs)
        case "input_x_gradient":
            # Differences from the reference, as in the sums of the other methods.
            return attr.Saliency(explained).attribute(inputs, abs=False) * (inputs.detach() - reference)
        case "integrated_gradients":
            return integrated_gradients(explained, inputs, reference)
        case "deeplift":
            return attr.DeepLift(explained).attribute(inputs, reference.expand_as(inputs).contiguous())
        case "occlusion":
            with torch.inference_mode():
                decrease = attr.Occlusion(explained).attribute(
                    inputs,
                    sliding_window_shapes=(window, 1),
                    strides=(window, 1),
                    baselines=reference,
                    perturbations_per_eval=max(1, SCORING_BATCH // len(inputs)),
                )
            # The last window can be narrower.
            starts = torch.arange(inputs.shape[1]) // window * window
            return decrease / (inputs.shape[1] - starts).clamp_max(window)[:, None]
        case "deconvolution":
            return attr.Deconvolution(explained).attribute(inputs)
        case _:
            return attr.GuidedBackprop(explained).attribute(inputs)
