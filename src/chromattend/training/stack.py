"""Networks of one architecture as one module with stacked weights."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from chromattend.models.network import Network


class Stack(nn.Module):
    """Networks that take a step together: each operation runs once for all of them.

    The first dimension of every parameter and buffer is the network. Dropout is the same for all networks, as if each
    were trained alone from the same seed.
    """

    def __init__(self, networks: Sequence[Network]) -> None:
        """Stack the weights of networks of one architecture."""
        super().__init__()
        parameters, buffers = stack_module_state(list(networks))
        self.count = len(networks)
        self._code = (networks[0],)  # in a tuple, so that it is not a submodule: its own weights are not used
        self._names = [*parameters, *buffers]
        self.weights = nn.ParameterList(parameters.values())
        for number, buffer in enumerate(buffers.values()):
            self.register_buffer(f"buffer_{number}", buffer)
        self._captured: tuple[list[torch.Size], Callable[..., Tensor]] | None = None

    def capture(self, *inputs: Tensor) -> None:
        """Capture the GPU's operations for a training step and its gradients as CUDA graphs, which later steps replay.

        Launching hundreds of small operations one by one takes longer than running them.

        Args:
            inputs: inputs of `forward`, on the GPU; the graphs are used for all inputs of the same shapes.
        """
        # A replay overwrites the captured inputs, so they are copies. make_graphed_callables replaces this object's
        # `forward` by the captured function.
        torch.cuda.make_graphed_callables(self, tuple(values.clone() for values in inputs))
        self._captured = [values.shape for values in inputs], self.forward
        del self.forward

    def _tensors(self) -> dict[str, Tensor]:
        return dict(zip(self._names, [*self.weights, *self.buffers()], strict=True))

    def states(self) -> list[dict[str, Tensor]]:
        """Return a copy of each network's state, on the CPU."""
        tensors = {name: tensor.detach().cpu() for name, tensor in self._tensors().items()}
        return [{name: tensor[number].clone() for name, tensor in tensors.items()} for number in range(self.count)]

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return the outputs of every network on its own inputs, shape (network, gene).

        Args:
            inputs: inputs of `Network.forward`, each with the network as first dimension.
        """
        if self._captured is not None and self.training:
            shapes, replay = self._captured
            if shapes == [values.shape for values in inputs]:
                return replay(*inputs)
        network, tensors = self._code[0], self._tensors()
        # Lightning sets the `training` flag of the modules that it knows directly, without calling `train`.
        network.train(self.training)
        if self.count == 1 and not inputs[0].is_cuda:
            # torch.vmap over one network would only cost time. On a GPU it is used for one network too: it draws other
            # dropout numbers than a network alone would, and costs no time in a captured graph.
            weights = {name: tensor[0] for name, tensor in tensors.items()}
            return functional_call(network, weights, tuple(values[0] for values in inputs))[None]
        together = torch.vmap(lambda weights, *values: functional_call(network, weights, values), randomness="same")
        return together(tensors, *inputs)
