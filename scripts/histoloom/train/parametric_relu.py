"""PReLU with one slope, faster on CPUs: torch's own backward takes a fifth of a small network's step there."""

import torch
from jaxtyping import Float
from torch import nn
from torch.nn import functional


class OneSlopeFunction(torch.autograd.Function):
    """Leaky ReLU whose slope is learnt; its gradient is summed in float32, whatever the values are in."""

    @staticmethod
    def forward(
        context: torch.autograd.function.FunctionCtx, values: torch.Tensor, slope: Float[torch.Tensor, " 1"]
    ) -> torch.Tensor:
        """Values where positive, slope times them elsewhere."""
        context.save_for_backward(values, slope)
        return functional.leaky_relu(values, float(slope))

    @staticmethod
    def backward(context: torch.autograd.function.FunctionCtx, gradient: torch.Tensor) -> tuple:
        """Gradients of values and slope."""
        values, slope = context.saved_tensors
        of_values = torch.ops.aten.leaky_relu_backward(gradient, values, float(slope), False)
        of_slope = (values.clamp(max=0) * gradient).sum(dtype=torch.float32)
        return of_values, of_slope.view(1)


class OneSlopePReLU(nn.PReLU):
    """nn.PReLU of one parameter, with the same weights and up to rounding the same values.

    Source: He et al. 2015, "Delving deep into rectifiers".
    """

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Leaky ReLU by the learnt slope."""
        return OneSlopeFunction.apply(values, self.weight)


def with_fast_activations(network: nn.Module, device: torch.device) -> nn.Module:
    """Let a network's PReLUs of one slope compute as above, on a CPU."""
    if device.type == "cpu":
        for module in network.modules():
            if type(module) is nn.PReLU and module.num_parameters == 1:
                module.__class__ = OneSlopePReLU
    return network
