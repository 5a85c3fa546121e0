"""Quant-Noise: blocks of weights are quantized at random while a model is trained."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils import parametrize

import pqw


class _Noise(nn.Module):
    """In training, a random share of the blocks of the weight has its quantized values."""

    def __init__(self, weight: torch.Tensor, rate: float, block_size: int) -> None:
        super().__init__()
        self.rate, self.block_size = rate, block_size
        self.register_buffer("quantized", torch.zeros_like(weight), persistent=False)

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        if not self.training or self.rate == 0:
            return weight
        rows, cols = weight.shape[0], weight[0].numel()
        positions = -(-cols // self.block_size)
        chosen = torch.rand(rows, positions, device=weight.device) < self.rate
        mask = chosen.repeat_interleave(self.block_size, 1)[:, :cols].reshape(weight.shape)
        straight_through = self.quantized + (weight - weight.detach())
        return torch.where(mask, straight_through, weight)


class QuantNoise:
    """Trains a model so that it can be quantized: Fan et al., "Training with Quantization Noise for
    Extreme Model Compression" (2021).

        noise = pqw.torch.QuantNoise(model, block_size=8, rate=0.1)
        for epoch in range(10):
            noise.update()        # learns codebooks of the weights as they are
            ...                   # train
        noise.remove()

    In each forward pass in training mode, a random share of the blocks of each weight is replaced by
    its quantized values; gradients pass straight through to all weights. In evaluation mode weights
    are as they are. Parameters stay the same objects, so that optimizers keep working.

    model: all nn.Linear, Conv1d, Conv2d, Conv3d and Embedding in it get noise.
    block_size, centroids: as for codec pq.
    rate: the share of blocks, 0 to 1.
    kind: "pq" quantizes to the nearest centroids, which update() learns; "zero" sets blocks to zeros
        (the paper's proxy), and needs no update().
    """

    LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Embedding)

    def __init__(
        self,
        model: nn.Module,
        block_size: int = 8,
        rate: float = 0.1,
        centroids: int = 256,
        kind: str = "pq",
        seed: int = 0,
    ) -> None:
        if not 0 <= rate <= 1:
            raise ValueError(f"rate is {rate}; expected 0 to 1")
        if kind not in ("pq", "zero"):
            raise ValueError(f'kind is {kind!r}; expected "pq" or "zero"')
        self._kind, self._centroids, self._seed = kind, centroids, seed
        self._noises: dict[int, _Noise] = {}  # by the parameter: tied layers share one
        self._layers = [module for module in model.modules() if isinstance(module, self.LAYERS)]
        for layer in self._layers:
            weight = layer.weight
            noise = self._noises.setdefault(id(weight), _Noise(weight, rate, block_size))
            parametrize.register_parametrization(layer, "weight", noise)
        if not self._layers:
            raise ValueError("the model has no linear layer, convolution or embedding")

    def update(self) -> None:
        """Learns codebooks of the weights as they are, and quantizes the weights with them."""
        if self._kind == "zero":
            return
        layers = {id(layer.parametrizations.weight[0]): layer for layer in self._layers}
        for layer in layers.values():
            parameters = layer.parametrizations.weight
            noise, weight = parameters[0], parameters.original.detach()
            matrix = weight.reshape(len(weight), -1).float().cpu().numpy()
            quantizer = pqw.ProductQuantizer(noise.block_size, self._centroids, seed=self._seed)
            values = quantizer.fit(matrix).decode(quantizer.encode(matrix))
            noise.quantized.copy_(torch.from_numpy(values).reshape(weight.shape))

    def remove(self) -> None:
        """Takes the noise out of the model; its weights are parameters as before."""
        for layer in self._layers:
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
