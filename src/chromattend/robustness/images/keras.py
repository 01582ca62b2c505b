"""Reader of the published weights of the networks for MNIST: Keras files (.h5) of EvadeML-Zoo."""

from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor

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
    # Kernel and bias of each layer.
    parameters = list(classifier.parameters())
    wanted = [_keras_shape(one) for one in parameters]
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
        for one, array in zip(parameters, arrays, strict=True):
            # From (height, width, input, output) or (input, output).
            axes = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[array.ndim]
            one.copy_(torch.from_numpy(np.ascontiguousarray(array.transpose(axes), dtype=np.float32)))
    return classifier.ready()


def _keras_shape(parameter: Tensor) -> tuple[int, ...]:
    """Return the shape that a kernel or bias has in Keras."""
    axes = {4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}[parameter.ndim]
    return tuple(parameter.shape[axis] for axis in axes)


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
