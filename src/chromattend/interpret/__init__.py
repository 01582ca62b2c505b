"""What models look at: attention, post-hoc explanations, their faithfulness, and the check against another mark.

Here stands what is known of each method without importing torch.
"""

from dataclasses import dataclass

from chromattend.models.registry import REGISTRY, ModelSpec


@dataclass(frozen=True)
class Method:
    """A way to weigh the bins of every mark of a gene.

    Attributes:
        name: in the configuration and in files.
        title: in tables and figures.
        needs: what a network must have: `nothing` but gradients, `attention`, `relu` (rectified units, whose gradients
            the method changes) or `rules` (layers that DeepLIFT has a rule for, and only those).
        signed: whether weights below 0 speak for OFF.
        complete: whether the weights of a gene add up to the change of the logit from no reads to its reads.
    """

    name: str
    title: str
    needs: str = "nothing"
    signed: bool = True
    complete: bool = False

    def fits(self, spec: ModelSpec) -> bool:
        """Whether the method is defined for a model of the registry."""
        if spec.kind != "network":
            return False
        return {
            "nothing": True,
            "attention": bool(spec.attention),
            "relu": spec.relu,
            # Softmax weights multiply the states: DeepLIFT's rules do not cover products.
            "rules": spec.relu and not spec.attention,
        }[self.needs]


METHODS = {
    method.name: method
    for method in (
        Method("alpha", "Attention (alpha)", "attention", signed=False),
        Method("saliency", "Saliency", signed=False),
        Method("input_x_gradient", "Input x gradient"),
        Method("integrated_gradients", "Integrated gradients", complete=True),
        Method("deeplift", "DeepLIFT", "rules", complete=True),
        Method("occlusion", "Occlusion"),
        Method("deconvolution", "Deconvolution", "relu"),
        Method("guided_backprop", "Guided backprop.", "relu"),
    )
}
# Of the class and not of a gene, and so not among the methods above.
CLASS_OPTIMIZATION = "class_optimization"
# The order that faithfulness is compared with.
RANDOM = "random"
TITLES = {name: method.title for name, method in METHODS.items()} | {CLASS_OPTIMIZATION: "Class optimisation"}


def methods_of(model: str, wanted: list[str] | None = None) -> list[str]:
    """Return the methods that are defined for a model, in the order of `METHODS`.

    Args:
        model: name in the registry.
        wanted: only these, if given.
    """
    return [
        name for name, method in METHODS.items() if method.fits(REGISTRY[model]) and (wanted is None or name in wanted)
    ]
