"""Reader of the published weights of the networks for MNIST: Keras files (.h5) of EvadeML-Zoo."""

from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor, nn

from chromattend.errors import UserError
from chromattend.robustness.images.classifier import Classifier
from chromattend.robustness.images.networks import NETWORKS


def load_keras(path: str | Path, name: str) -> Classifier:
    """Return a classifier with published weights.

    A file of Keras 2 has its layers in the group `model_weights`, one of Keras 1 at the top. Kernels have the axes
    (height, width, input, output) or (input, output).

    Args:
        path: the file.
        name: name of the network in the registry.

    Raises:
        UserError: published weights of the network are not read; the file is not HDF5 or has no layers; or it has
            other layers than the network.
    """
    spec = NETWORKS[name]
    if not spec.weights or spec.shape is None or spec.classes is None:
        known = " and ".join(each.name for each in NETWORKS.values() if each.weights)
        raise UserError(f"{name}: published weights are read for {known} alone; set weights to null to train")
    arrays = _read_layers(path)
    classifier = Classifier(name, spec.shape, spec.classes)
    layers = [layer for layer in classifier.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    wanted = [shape for layer in layers for shape in (_keras_shape(layer.weight), tuple(layer.bias.shape))]
    given = [array.shape for array in arrays]
    if given != wanted:
        place = next((n for n, pair in enumerate(zip(given, wanted, strict=False)) if pair[0] != pair[1]), None)
        what = (
            f"{len(given)} arrays of weights in place of {len(wanted)}"
            if place is None
            else f"the shape {given[place]} in place of {wanted[place]} in layer {place // 2 + 1}"
        )
        raise UserError(
            f"{path}: has {what}, so its weights are not of the network {name}; give the network's own file"
        )
    with torch.no_grad():
        for layer, kernel, bias in zip(layers, arrays[::2], arrays[1::2], strict=True):
            axes = (3, 2, 0, 1) if kernel.ndim == 4 else (1, 0)
            layer.weight.copy_(torch.from_numpy(np.ascontiguousarray(kernel.transpose(axes), dtype=np.float32)))
            layer.bias.copy_(torch.from_numpy(bias.astype(np.float32)))
    return classifier.ready()


def _keras_shape(weight: Tensor) -> tuple[int, ...]:
    """Return the shape of a layer's kernel in Keras."""
    return tuple(weight.shape[axis] for axis in ((2, 3, 1, 0) if weight.ndim == 4 else (1, 0)))


def _read_layers(path: str | Path) -> list[np.ndarray]:
    """Return the arrays of a file: kernel and bias of each layer, in the order of the layers."""
    if not Path(path).is_file():
        raise UserError(f"{path}: is not a file; correct the path of the weights")
    try:
        with h5py.File(path) as file:
            root = file.get("model_weights", file)
            if "layer_names" not in root.attrs:
                raise UserError(f"{path}: has no layers, so it is not a Keras file of weights; give one (.h5)")
            return [
                np.asarray(root[_text(layer)][_text(array)])
                for layer in root.attrs["layer_names"]
                for array in root[_text(layer)].attrs["weight_names"]
            ]
    except (OSError, KeyError) as error:
        reason = str(error).strip("'\"")
        raise UserError(f"{path}: is not a readable Keras file ({reason}); download the weights again") from None


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)
