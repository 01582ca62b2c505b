"""Influence functions of a network's last layer: the training examples behind a prediction.

Koh and Liang, ICML 2017. An influence function tells how a prediction would change if the network were trained without
one training example. It is defined at an optimum of the loss, which a network that was stopped early has not reached.
So all layers but the last are kept as they are, and the last one is fitted again to its optimum. There the influence is
defined, and a training of this layer without the example can confirm it. What the example has taught the other layers
is left out. So a training of the whole network without the example is not comparable: its last layer would read other
features.
"""

import logging
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
import xarray as xr
from scipy import linalg, special
from torch import Tensor, nn

from chromattend.errors import UserError
from chromattend.interpret import LEAST_AGREEMENT
from chromattend.models.network import Network, batches

logger = logging.getLogger(__name__)

MEASURES = ("influence", "similarity")
COLUMNS = ["example", "rank", "train_example", "label", "effect", *MEASURES, "agreement"]
# Penalties that are tried in this order, as shares of the mean curvature of the loss without a penalty.
SHARES = 10.0 ** np.arange(1, -6.5, -0.5)
# Largest difference between a network's logits and those computed from its last layer, as a share of the largest logit.
ROUNDING = 1e-3
# Newton's steps end when the next one would lower the loss of an example by less.
TOLERANCE = 1e-18
MOST_STEPS = 200
# Explained examples whose influences are in memory at once, each with a value per training example.
BLOCK = 64


class Features(NamedTuple):
    """Input of a replicate's last linear layer, and the layer's weights.

    Attributes:
        values: float64, shape (example, feature). The last feature is the constant 1 of the bias. Where the output is a
            mean over several calls of the layer, such as those of two strands, it is the same mean of its inputs.
        weights: weights of the features, float64, shape (feature,). `values @ weights` are the replicate's outputs.
    """

    values: np.ndarray
    weights: np.ndarray


def last_layer_features(network: Network, signal: Tensor, *context: Tensor) -> list[Features]:
    """Return the input of the last linear layer of each replicate.

    The last layer is the linear layer that is called last. Several outputs, as DeepChrome's two, become one by the
    weights that the network gives them.

    Args:
        network: a network in evaluation mode.
        signal, context: see `Network.outputs`.

    Raises:
        UserError: a replicate has no linear layer, or its output is not a linear function of its last one.
    """
    device, model = network.transform.mean.device, network.input_spec.model
    parts: list[list[Tensor]] = [[] for _ in network.replicates]
    layers: list[nn.Linear] = []
    weights: list[Tensor] = []
    for batch, *rest in batches(signal, *context):
        with torch.no_grad():
            inputs = network.transform(batch.to(device))
        others = [values.to(device) for values in rest]
        for number, replicate in enumerate(network.replicates):
            if len(layers) == number:
                layers.append(_last_linear(replicate, model, inputs[:1], *(values[:1] for values in others)))
            values, direction, outputs = _captured(replicate, layers[number], inputs, *others)
            if len(weights) == number:
                weights.append(_weights(layers[number], direction))
            difference = (values @ weights[number] - outputs).abs().max()
            if not difference <= ROUNDING * outputs.abs().max().clamp_min(1):
                raise UserError(
                    f"{model}: its output is not a linear function of its last linear layer, so the layer has no "
                    "influence functions; end the network with a linear layer"
                )
            parts[number].append(values.cpu())
    return [
        Features(torch.cat(part).numpy(), weight.cpu().numpy()) for part, weight in zip(parts, weights, strict=True)
    ]


def _last_linear(replicate: nn.Module, model: str, *inputs: Tensor) -> nn.Linear:
    called: list[nn.Linear] = []
    hooks = [
        module.register_forward_hook(lambda module, *_: called.append(module))
        for module in replicate.modules()
        if isinstance(module, nn.Linear)
    ]
    try:
        with torch.no_grad():
            replicate(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    if not called:
        raise UserError(f"{model}: has no linear layer, whose influence functions are defined; end it with one")
    return called[-1]


def _captured(replicate: nn.Module, layer: nn.Linear, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the layer's input, shape (example, feature), the weight of its outputs, and the replicate's output.

    Gradients tell which rows of the layer belong to an example, and with which weights: the gradient of the sum of all
    outputs is the weight, and that of a sum in which the k-th output counts k times is k times the weight.
    """
    calls: list[tuple[Tensor, Tensor]] = []

    def capture(_: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> Tensor:
        # The graph begins here, so that no gradient of the other layers is prepared.
        leaf = output.detach().requires_grad_()
        calls.append((given[0].detach(), leaf))
        return leaf

    hook = layer.register_forward_hook(capture)
    try:
        with torch.enable_grad():
            outputs = replicate(*inputs)
    finally:
        hook.remove()
    leaves = [leaf for _, leaf in calls]
    number = torch.arange(1, len(outputs) + 1, device=outputs.device)
    once, numbered = (
        torch.cat([gradient.flatten(0, -2).double() for gradient in gradients])
        for gradients in (
            torch.autograd.grad(outputs.sum(), leaves, retain_graph=True, materialize_grads=True),
            torch.autograd.grad((number * outputs).sum(), leaves, materialize_grads=True),
        )
    )
    rows = torch.cat([given.flatten(0, -2).double() for given, _ in calls])
    size = once.square().sum(dim=1)
    used = size > 0
    owner = ((once * numbered).sum(dim=1)[used] / size[used]).round().long() - 1
    direction = once[used][owner == 0].sum(dim=0)
    share = once[used] @ direction / direction.square().sum()
    values = torch.zeros(len(outputs), rows.shape[1] + 1, dtype=torch.float64, device=rows.device)
    values.index_add_(0, owner, share[:, None] * nn.functional.pad(rows[used], (0, 1), value=1.0))
    return values, direction, outputs.detach().double()


def _weights(layer: nn.Linear, direction: Tensor) -> Tensor:
    bias = torch.zeros_like(layer.weight[:, 0]) if layer.bias is None else layer.bias
    return direction @ torch.cat([layer.weight, bias[:, None]], dim=1).detach().double()


@dataclass(frozen=True)
class LastLayer:
    """A last layer at the optimum of its loss.

    The loss is the sum of the examples' losses l(y, x w), cross-entropy, or half the squared error in a regression, and
    of penalty / 2 times the squared norm of the weights without the bias.

    Attributes:
        weights: w, shape (feature,); the last one is the bias.
        factor: lower triangular L of the Cholesky factorisation H = L L' of the loss's Hessian, (feature, feature).
        penalty: see above.
        classifies: whether the outputs are logits.
    """

    weights: np.ndarray
    factor: np.ndarray
    penalty: float
    classifies: bool = True

    @classmethod
    def fit(
        cls, features: Features, target: np.ndarray, penalty: float | None = None, *, classifies: bool = True
    ) -> "LastLayer":
        """Fit the layer by Newton's method, from the network's own weights.

        Args:
            features: see `last_layer_features`, of the training examples.
            target: labels, or values of a regression, shape (example,).
            penalty: None chooses it among `SHARES` times the mean curvature of the loss along a weight at P = 0.5. A
                lower penalty is taken as long as the outputs for the training examples come nearer to the network's own
                (standard deviation of the difference; class weights cause a constant difference). The fitted layer
                explains the network only as far as it resembles it: without a penalty, examples that the network
                separates would have infinite weights, which the network, stopped early, is far from.
            classifies: whether targets are labels.
        """
        values, target, weights = features.values, np.asarray(target, dtype=np.float64), features.weights
        if penalty is not None:
            return _newton(cls(weights, np.empty(0), float(penalty), classifies), values, target)
        curvature = len(values) * float(values[:, :-1].var(axis=0).mean()) * (0.25 if classifies else 1.0)
        # Constant features have no curvature: any penalty keeps their weights at 0.
        scale, own = curvature or 1.0, values @ weights
        best, least = None, np.inf
        for share in SHARES:
            layer = _newton(cls(weights, np.empty(0), float(share * scale), classifies), values, target)
            difference = float((values @ layer.weights - own).std())
            if best is not None and difference >= least:
                break
            best, least = layer, difference
            # The optimum of one penalty is near that of the next.
            weights = layer.weights
        assert best is not None
        return best

    def outputs(self, values: np.ndarray) -> np.ndarray:
        """Return logits or predicted values, shape (example,), of features."""
        return values @ self.weights

    def whitened(self, values: np.ndarray) -> np.ndarray:
        """Return L^-1 x', shape (feature, example); products of its columns are x H^-1 z'."""
        return linalg.solve_triangular(self.factor, values.T, lower=True, check_finite=False)

    def pull(self, whitened: np.ndarray, values: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Return (y - p) / (1 - p (1 - p) x H^-1 x') of training examples, see `influence`, shape (example,).

        Args:
            whitened: see `whitened`, of the training examples.
            values, target: their features and targets.
        """
        outputs = self.outputs(values)
        predicted, curvature = _predicted(outputs, self.classifies)
        leverage = curvature * np.square(whitened).sum(axis=0)
        # Below 1 but for rounding.
        return (target - predicted) / np.maximum(1 - leverage, np.finfo(float).eps)


def _predicted(outputs: np.ndarray, classifies: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the predicted targets and the second derivatives of the losses by the outputs."""
    if not classifies:
        return outputs, np.ones_like(outputs)
    return special.expit(outputs), special.expit(outputs) * special.expit(-outputs)


def _newton(start: LastLayer, values: np.ndarray, target: np.ndarray) -> LastLayer:
    penalised = np.full(values.shape[1], start.penalty)
    penalised[-1] = 0.0

    def loss(weights: np.ndarray) -> float:
        outputs = values @ weights
        errors = np.logaddexp(0, outputs) - target * outputs if start.classifies else 0.5 * (outputs - target) ** 2
        return float(errors.sum() + 0.5 * (penalised * weights**2).sum())

    weights, value = start.weights, loss(start.weights)
    for _ in range(MOST_STEPS):
        predicted, curvature = _predicted(values @ weights, start.classifies)
        gradient = values.T @ (predicted - target) + penalised * weights
        hessian = values.T @ (curvature[:, None] * values)
        # Where every output is saturated, the bias alone has no curvature.
        hessian[np.diag_indices_from(hessian)] += penalised + np.finfo(float).eps * (1 + hessian.diagonal())
        factor = linalg.cholesky(hessian, lower=True, check_finite=False)
        step = linalg.cho_solve((factor, True), gradient, check_finite=False)
        decrease = 0.5 * float(gradient @ step)
        if decrease <= TOLERANCE * len(values):
            break
        # A full step can overshoot far from the optimum; half of the predicted decrease is not asked for.
        length = 1.0
        while (reached := loss(weights - length * step)) > value - 0.2 * length * decrease and length > 1e-9:
            length /= 2
        if reached >= value:
            break  # the loss cannot be lowered beyond its rounding
        weights, value = weights - length * step, reached
    return LastLayer(weights, factor, start.penalty, start.classifies)


def influence(layer: LastLayer, train: np.ndarray, target: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return how much each training example raises the output of other examples.

    It is the output with the training example minus the output of a layer fitted without it. The optimum without
    example i is approximated by one step of Newton's method from the optimum with it. The Hessian without the example
    is H - h x x', whose inverse Sherman and Morrison's formula gives exactly, so with error y - p and h = p (1 - p)

        influence of i on t = x_t H^-1 x_i' (y_i - p_i) / (1 - h_i x_i H^-1 x_i').

    Koh and Liang's formula lacks the denominator (1 minus the leverage; Pregibon, Annals of Statistics 9:705, 1981). In
    a regression, h = 1, and the formula is exact.

    Args:
        layer: the layer, fitted to the training examples.
        train, target: features and targets of the training examples.
        values: features of the other examples.

    Returns:
        float64, shape (example, training example).
    """
    whitened = layer.whitened(train)
    return layer.whitened(values).T @ whitened * layer.pull(whitened, train, np.asarray(target, dtype=np.float64))


def influential(network: Network, dataset: xr.Dataset, explained: xr.Dataset, number: int = 5) -> pd.DataFrame:
    """Find the training examples that support and oppose each prediction most.

    A replicate's layers are its own, so the influence on the network's logit is the mean over the replicates. It
    includes the slope of the calibration, which is held fixed.

    Args:
        network: a trained network; of any track, also of a regression or with a context.
        dataset: dataset of the network's training. Its examples of the part `train` are used as they are there, without
            the random strands and negatives of the training.
        explained: dataset of the predictions to explain.
        number: largest number of supporting examples, and of opposing ones.

    Returns:
        For each explained example at most 2 `number` rows. example and train_example are names, the first column of
        `InputSpec.examples`; its other columns follow, for the training example with `train_` before their names. rank
        is from 1, supporting examples first, on each side the strongest first. label is the training example's, or its
        value in a regression. effect is `supports` if the training example moves the logit towards the predicted side
        of 0, otherwise `opposes`. influence is that on the logit, see `influence`; above 0, the training example raises
        it. similarity is the cosine of both examples' features in the product x H^-1 z', which the influence is
        proportional to (mean over the replicates). agreement, the same in all rows, is the correlation of the logits of
        the fitted layers with the network's own over the explained examples.

    Raises:
        UserError: the data do not fit the network; the training part or the data to explain are empty; or the network
            does not end with a linear layer.
    """
    spec = network.input_spec
    part = dataset["split"]
    train = dataset.isel({part.dims[0]: np.flatnonzero(part.values == "train")})
    if not len(train["split"]):
        raise UserError(f"{spec.model}: no {spec.noun} is in the train part; give the dataset of the training")
    if not len(explained["split"]):
        raise UserError(f"{spec.model}: there is no {spec.noun} to explain; choose some")
    network.eval()
    target, slope = spec.target(train).astype(np.float64), float(network.calibration[0])
    learned = last_layer_features(network, *network.arrays(train))
    others = last_layer_features(network, *network.arrays(explained))
    layers: list[LastLayer] = []
    pairs, pulls = [], []
    while learned:
        features, other = learned.pop(0), others[len(layers)]
        layer = LastLayer.fit(features, target, classifies=spec.task == "classification")
        whitened = layer.whitened(features.values)
        pulls.append(slope / len(network.replicates) * layer.pull(whitened, features.values, target))
        pairs.append((layer.whitened(other.values), whitened))
        layers.append(layer)
    own = np.mean([other.values @ other.weights for other in others], axis=0)
    fitted = np.mean([layer.outputs(other.values) for layer, other in zip(layers, others, strict=True)], axis=0)
    agreement = _correlation(own, fitted)
    if not agreement >= LEAST_AGREEMENT:
        logger.warning(
            "%s: the logits of its last layer, fitted again, have a correlation of %.3f with its own over the %d "
            "explained %ss; its influences say little of this network",
            *(spec.model, agreement, len(own), spec.noun),
        )
    logits = slope * own + float(network.calibration[1])
    direction = np.where(logits > 0, 1.0, -1.0)
    rows = _strongest(pairs, pulls, direction, number)
    chosen = {"example": rows.pop("example"), "train_example": rows.pop("train_example")}
    explained_row, row = chosen.values()
    table = pd.DataFrame(
        rows
        | {
            "label": target[row].astype(int) if spec.task == "classification" else target[row],
            "effect": np.where(rows["influence"] * direction[explained_row] > 0, "supports", "opposes"),
            "agreement": agreement,
        }
    )
    columns = list(COLUMNS)
    for (key, place), data in zip(chosen.items(), (explained, train), strict=True):
        (_, names), *others = spec.examples(data).items()
        table[key] = np.asarray(names)[place]
        for other, values in others:
            table[name := other if key == "example" else f"train_{other}"] = np.asarray(values)[place]
            columns.insert(columns.index(key) + 1, name)
    return table[columns]


def _strongest(
    pairs: list[tuple[np.ndarray, np.ndarray]], pulls: list[np.ndarray], direction: np.ndarray, number: int
) -> dict[str, np.ndarray]:
    """Return the strongest influences of each explained example: columns with rows instead of names.

    Only a block of explained examples has all its influences in memory.

    Args:
        pairs: for each replicate, whitened features of the explained and of the training examples.
        pulls: for each replicate, factors of the training examples.
        direction: 1 or -1 by explained example, the side of its prediction.
        number: number of examples on each side.
    """
    columns: dict[str, list[np.ndarray]] = {key: [] for key in ("example", "rank", "train_example", *MEASURES)}
    number = min(number, len(pulls[0]))
    for start in range(0, len(direction), BLOCK):
        block = slice(start, start + BLOCK)
        total = sum(one[:, block].T @ other * pull for (one, other), pull in zip(pairs, pulls, strict=True))
        signed = np.asarray(total) * direction[block, None]
        for row, values in enumerate(signed):
            top = np.argpartition(values, [number - 1, len(values) - number])
            chosen = np.concatenate([_ordered(-values, top[-number:]), _ordered(values, top[:number])])
            # The few examples of a side can be fewer than asked for, and then belong to the other one.
            side = np.repeat([1.0, -1.0], number)
            chosen = chosen[values[chosen] * side > 0]
            explained = start + row
            columns["example"].append(np.full(len(chosen), explained))
            columns["rank"].append(np.arange(1, len(chosen) + 1))
            columns["train_example"].append(chosen)
            columns["influence"].append(values[chosen] * direction[explained])
            columns["similarity"].append(
                np.mean([_cosines(one[:, explained], other[:, chosen]) for one, other in pairs], axis=0)
            )
    return {key: np.concatenate(parts) for key, parts in columns.items()}


def _ordered(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return rows by ascending value; rows of equal value by their number."""
    return rows[np.lexsort((rows, values[rows]))]


def _cosines(vector: np.ndarray, others: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(vector) * np.linalg.norm(others, axis=0)
    return vector @ others / np.maximum(norms, np.finfo(float).tiny)


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Return Pearson's r, NaN if one of both is constant."""
    first, second = first - first.mean(), second - second.mean()
    norm = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float(first @ second) / norm if norm > 0 else float("nan")
