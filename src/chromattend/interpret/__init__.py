"""Interpretation of models: attention, post-hoc explanations, their faithfulness, and validation by another mark.

This module describes each method without importing torch.
"""

from dataclasses import dataclass

from chromattend.models.registry import REGISTRY, ModelSpec


@dataclass(frozen=True)
class Method:
    """A method that weights the bins of every mark of a gene.

    Attributes:
        name: name in the configuration and in files.
        title: name in tables and figures.
        needs: requirement on the network: `nothing` but gradients, `attention`, `relu` (rectified units, whose
            gradients the method changes) or `rules` (only layers that DeepLIFT has a rule for).
        signed: whether negative weights are evidence for OFF.
        complete: whether the weights of a gene add up to the change of the logit from no reads to its reads.
    """

    name: str
    title: str
    needs: str = "nothing"
    signed: bool = True
    complete: bool = False

    def fits(self, spec: ModelSpec) -> bool:
        """Return whether the method is defined for a model of the registry."""
        if spec.kind != "network":
            return False
        return {
            "nothing": True,
            "attention": bool(spec.attention),
            "relu": spec.relu,
            # Attention multiplies states by softmax weights; DeepLIFT has no rule for products.
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
# Explains a class, not a gene, so it is not one of the methods above.
CLASS_OPTIMIZATION = "class_optimization"
# Correlation with a network's logits, below which influences of its last layer, fitted again, say little of it.
LEAST_AGREEMENT = 0.9
# The order of bins that faithfulness is compared with.
RANDOM = "random"
TITLES = {name: method.title for name, method in METHODS.items()} | {CLASS_OPTIMIZATION: "Class optimisation"}


def methods_of(model: str, wanted: list[str] | None = None) -> list[str]:
    """Return the methods that are defined for a model, in the order of `METHODS`.

    Args:
        model: name in the registry.
        wanted: restrict the methods to these, if given.
    """
    return [
        name for name, method in METHODS.items() if method.fits(REGISTRY[model]) and (wanted is None or name in wanted)
    ]
