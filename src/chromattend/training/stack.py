"""Networks of one architecture as one module, their weights stacked."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from chromattend.models.network import Network


class Stack(nn.Module):
    """Networks that take a step together: each operation is done once for all of them.

    Every parameter and buffer has a first dimension of one place a network. What is random, dropout, is the same for
    all networks, as it would be for each of them from the same seed.
    """

    def __init__(self, networks: Sequence[Network]) -> None:
        """Take over the weights of networks of one architecture."""
        super().__init__()
        parameters, buffers = stack_module_state(list(networks))
        self.count = len(networks)
        self._code = (networks[0],)  # no submodule: its own weights are not used
        self._names = [*parameters, *buffers]
        self.weights = nn.ParameterList(parameters.values())
        for number, buffer in enumerate(buffers.values()):
            self.register_buffer(f"buffer_{number}", buffer)
        self._recorded: tuple[list[torch.Size], Callable[..., Tensor]] | None = None

    def record(self, *inputs: Tensor) -> None:
        """Record what a GPU does for such inputs in training, gradients among it, and have it repeated from now on.

        To start hundreds of small operations one by one takes longer than they do (CUDA graphs).

        Args:
            inputs: of `forward`, on the GPU; for others of their shapes the record is used.
        """
        # What it is repeated for is written into its inputs, which must be nobody else's. The call puts the recorded
        # function in the place of this object's own.
        torch.cuda.make_graphed_callables(self, tuple(values.clone() for values in inputs))
        self._recorded = [values.shape for values in inputs], self.forward
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
            inputs: those of `Network.forward`, each with a first dimension of one place a network.
        """
        if self._recorded is not None and self.training:
            shapes, repeat = self._recorded
            if shapes == [values.shape for values in inputs]:
                return repeat(*inputs)
        network, tensors = self._code[0], self._tensors()
        # Lightning sets this flag of modules that it knows, without a call.
        network.train(self.training)
        if self.count == 1 and not inputs[0].is_cuda:
            # torch.vmap of one would only cost time. On a GPU it draws other numbers for dropout than a network alone
            # would, and costs no time where it is recorded.
            weights = {name: tensor[0] for name, tensor in tensors.items()}
            return functional_call(network, weights, tuple(values[0] for values in inputs))[None]
        together = torch.vmap(lambda weights, *values: functional_call(network, weights, values), randomness="same")
        return together(tensors, *inputs)
