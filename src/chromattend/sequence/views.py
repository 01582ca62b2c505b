"""Views of the Deep Motif Dashboard and later ones: what each shows, which networks it fits, and what it costs.

This module describes the views without importing torch.
"""

from dataclasses import dataclass

from chromattend.models.registry import REGISTRY, ModelSpec

# The route to motifs that pages name the motif by: the cheapest view, and as good as any other where measured.
RECOMMENDED = "corrected_gradient"
# The same for a gapped k-mer SVM, and its route from the list of gapped k-mers with the largest weights.
KERNEL_VIEW = "gapped_kmers"
TOP = "top_gapped_kmers"
# The route of the first convolution's filters, which is no view of a sequence.
FILTERS = "filters"
# Kinds of temporal outputs, see `chromattend.sequence.temporal`: the sentence says what the network sees.
WHOLE, PREFIX = "whole", "prefix"
TEMPORAL_KINDS = {
    WHOLE: "As published: the convolution sees the whole sequence, the LSTM only its first or last positions.",
    PREFIX: "The network sees only the first or last letters of the sequence.",
}


@dataclass(frozen=True)
class View:
    """One way to look at a network and a sequence.

    Attributes:
        name: name in the configuration and in files.
        title: name in tables and figures.
        description: one sentence for the pages.
        shape: `weights` for every letter of a sequence, `outputs` along the sequence, or `class`: no sequence at all.
        needs: requirement on the model: `gradient` (a network), `rules` (a network with only layers that DeepLIFT has a
            rule for), `kernel` (a gapped k-mer SVM), or `nothing`.
        signed: whether a negative weight is evidence against binding.
        complete: whether the weights of a sequence add up to the change of the logit from the reference.
        cost: forward or backward passes for a sequence of 101 letters, roughly; for `class`, in all.
    """

    name: str
    title: str
    description: str
    shape: str = "weights"
    needs: str = "gradient"
    signed: bool = True
    complete: bool = False
    cost: int = 1

    def fits(self, spec: ModelSpec) -> bool:
        """Return whether the view is defined for a model of the registry."""
        if spec.track != "sequence" or not spec.explained:
            return False
        if spec.kind != "network":
            return self.needs in ("nothing", "kernel")
        return self.needs in ("nothing", "gradient") or (self.needs == "rules" and spec.relu and not spec.attention)


VIEWS = {
    view.name: view
    for view in (
        View(
            "saliency",
            "Saliency",
            "Size of the logit's gradient at each letter of the sequence, without its sign.",
            signed=False,
        ),
        View(
            "gradient_x_input",
            "Gradient x input",
            "Gradient of the logit at each letter of the sequence: the saliency map of the Deep Motif Dashboard.",
        ),
        View(
            "corrected_gradient",
            "Corrected gradient",
            "Gradient at each letter minus its mean over all letters, which one-hot sequences leave undefined.",
        ),
        View(
            "integrated_gradients",
            "Integrated gradients",
            "Gradient averaged on the way from mean letter frequencies to the sequence; weights add up to the logit.",
            complete=True,
            cost=60,
        ),
        View(
            "deeplift",
            "DeepLIFT",
            "Change of the logit from mean letter frequencies, shared among the letters layer by layer.",
            needs="rules",
            complete=True,
            cost=2,
        ),
        View(
            KERNEL_VIEW,
            "Gapped k-mers",
            "Shares of each letter in the weights of the gapped k-mers that it is part of; they add up to the logit.",
            needs="kernel",
            complete=True,
        ),
        View(
            "mutagenesis",
            "In-silico mutagenesis",
            "Mean decrease of the logit when a letter is replaced by each of the others.",
            needs="nothing",
            cost=303,
        ),
        View(
            "temporal",
            "Temporal outputs",
            "Logit of the sequence as it grows letter by letter, from its start and from its end.",
            shape="outputs",
            cost=202,
        ),
        View(
            "class_optimisation",
            "Class optimisation",
            "The input that the network considers the most typical of bound sequences; it explains no one sequence.",
            shape="class",
            cost=1000,
        ),
    )
}
TITLES = {name: view.title for name, view in VIEWS.items()}


def recommended(model: str) -> str:
    """Return the view that pages name the motif of a model by."""
    return KERNEL_VIEW if REGISTRY[model].kernel else RECOMMENDED


def views_of(model: str, wanted: list[str] | None = None, shape: str | None = None) -> list[str]:
    """Return the views that are defined for a model, in the order of `VIEWS`.

    Args:
        model: name in the registry.
        wanted: restrict the views to these, if given.
        shape: restrict the views to those of one shape, see `View`.
    """
    return [
        name
        for name, view in VIEWS.items()
        if view.fits(REGISTRY[model]) and (wanted is None or name in wanted) and shape in (None, view.shape)
    ]
