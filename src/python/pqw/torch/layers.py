"""Layers of PyTorch that compute with the codes of an archive."""

from __future__ import annotations

from typing import Any, NoReturn

import torch
from torch import nn
from torch.nn import functional as F

import pqw


class Shared:
    """A layer of pqw. Copies share it, as it never changes; it cannot be pickled."""

    __slots__ = ("layer",)

    def __init__(self, layer: Any) -> None:
        self.layer = layer

    def __copy__(self) -> Shared:
        return self

    def __deepcopy__(self, memo: object) -> Shared:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a served layer cannot be pickled: its codes are laid out for this processor. Save "
            "model.state_dict(), and call pqw.torch.serve again where the model is loaded")


class Served(nn.Module):
    """The base of served layers: checks inputs, and says what does not work."""

    def __init__(self, layer: Any, original: nn.Module, tensor: pqw.Tensor) -> None:
        super().__init__()
        self._shared = Shared(layer)
        self._tensor = tensor.name
        self._repr = original.extra_repr()
        self.training = False

    def extra_repr(self) -> str:
        return f"{self._repr}, from the codes of {self._tensor}"

    def __getattr__(self, name: str) -> Any:
        if name == "weight":
            raise AttributeError(
                f"{self._tensor} is served from codes: there is no dense weight. "
                "pqw.open(path)[name].decode() gives its values")
        return super().__getattr__(name)

    def __prepare_scriptable__(self) -> NoReturn:
        raise RuntimeError(
            f"torch.jit cannot compile {self._tensor}, which is served from codes: fill the model "
            "with pqw.torch.load_into and compile that")

    def _check(self, x: torch.Tensor) -> None:
        """Raises RuntimeError for what cannot be served."""
        if x.requires_grad and torch.is_grad_enabled():
            raise RuntimeError(
                f"{self._tensor} is served from codes, which have no gradients: run the model "
                "under torch.no_grad(), or train it with pqw.torch.trainable")
        if torch._C._get_tracing_state():
            raise RuntimeError(
                f"{self._tensor} is served from codes and cannot be traced or exported: fill the "
                "model with pqw.torch.load_into and export that; `pqw export` makes a small ONNX "
                "file from its archive")
        if x.device.type != "cpu":
            raise RuntimeError(f"{self._tensor} is served on the CPU; the input is on {x.device}")

    def _input(self, x: torch.Tensor) -> Any:
        """The input as a float32 array of numpy."""
        self._check(x)
        if not x.is_floating_point():
            raise RuntimeError(f"{self._tensor}: the input has type {x.dtype}, expected floats")
        return x.detach().float().numpy()


class ServedLinear(Served):
    """nn.Linear from codes: x is [..., in_features]."""

    def __init__(self, original: nn.Module, tensor: pqw.Tensor, **options: Any) -> None:
        super().__init__(pqw.Linear(tensor, **options), original, tensor)
        self.in_features, self.out_features = original.in_features, original.out_features
        self.bias = original.bias

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        y = torch.from_numpy(self._shared.layer(self._input(input)))
        if input.dtype != torch.float32:
            y = y.to(input.dtype)
        return y if self.bias is None else y.add_(self.bias)


def _symmetric_padding(conv: nn.Module) -> tuple[int, ...] | None:
    """The zeros on each side of each axis; None if the sides differ."""
    if not isinstance(conv.padding, str):
        return tuple(conv.padding)
    if conv.padding == "valid":
        return (0,) * len(conv.kernel_size)
    total = [d * (k - 1) for d, k in zip(conv.dilation, conv.kernel_size)]
    return None if any(n % 2 for n in total) else tuple(n // 2 for n in total)


class ServedConv(Served):
    """nn.Conv1d, Conv2d, Conv3d from codes: x is [batch, channels, ...] or [channels, ...]."""

    def __init__(self, original: nn.Module, tensor: pqw.Tensor, **options: Any) -> None:
        padding: Any = _symmetric_padding(original)
        self_padding = None
        if padding is None or original.padding_mode != "zeros":
            mode = "constant" if original.padding_mode == "zeros" else original.padding_mode
            padding, self_padding = 0, (original._reversed_padding_repeated_twice, mode)
        layer = {1: pqw.Conv1d, 2: pqw.Conv2d, 3: pqw.Conv3d}[len(original.kernel_size)]
        self._finish(
            layer(tensor, stride=original.stride, padding=padding, dilation=original.dilation,
                  groups=original.groups, **options), original, tensor, self_padding)

    def _finish(
        self, layer: Any, original: nn.Module, tensor: pqw.Tensor, padding: Any
    ) -> None:
        super(ServedConv, self).__init__(layer, original, tensor)
        self._padding, self._n_axes = padding, len(original.kernel_size)
        self.bias = original.bias

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        padded = input if self._padding is None else F.pad(input, *self._padding)
        y = torch.from_numpy(self._shared.layer(self._input(padded))).to(input.dtype)
        return y if self.bias is None else y.add_(self.bias.view(-1, *[1] * self._n_axes))


class ServedConvTranspose(ServedConv):
    """nn.ConvTranspose1d and ConvTranspose2d from codes."""

    def __init__(self, original: nn.Module, tensor: pqw.Tensor, **options: Any) -> None:
        layer = {1: pqw.ConvTranspose1d, 2: pqw.ConvTranspose2d}[len(original.kernel_size)]
        self._finish(
            layer(tensor, stride=original.stride, padding=original.padding,
                  output_padding=original.output_padding, dilation=original.dilation, **options),
            original, tensor, None)

    def forward(self, input: torch.Tensor, output_size: Any = None) -> torch.Tensor:
        if output_size is not None:
            raise RuntimeError(f"{self._tensor} is served from codes, which does not support "
                               "output_size; set output_padding when the layer is made")
        return super().forward(input)


class ServedEmbedding(Served):
    """nn.Embedding from codes: indices of any shape."""

    def __init__(self, original: nn.Module, tensor: pqw.Tensor) -> None:
        super().__init__(pqw.Embedding(tensor), original, tensor)
        self.num_embeddings, self.embedding_dim = original.num_embeddings, original.embedding_dim
        # Has the type of the vectors, which changes with model.to(dtype).
        self.register_buffer("_like", torch.empty(0, dtype=original.weight.dtype), persistent=False)

    def _indices(self, indices: torch.Tensor) -> Any:
        self._check(indices)
        return indices.numpy()

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(self._shared.layer(self._indices(input))).to(self._like.dtype)


class ServedEmbeddingBag(ServedEmbedding):
    """nn.EmbeddingBag from codes, for sums and means."""

    def __init__(self, original: nn.Module, tensor: pqw.Tensor) -> None:
        super().__init__(original, tensor)
        self._mode, self._has_last = original.mode, original.include_last_offset

    def forward(
        self, input: torch.Tensor, offsets: Any = None, per_sample_weights: Any = None
    ) -> torch.Tensor:
        if per_sample_weights is not None:
            raise RuntimeError(f"{self._tensor} is served from codes, which does not support "
                               "per_sample_weights")
        if input.dim() == 2:
            offsets = torch.arange(input.size(0)) * input.size(1)
        elif offsets is None:
            raise ValueError("offsets has to be a tensor if the indices have one dimension")
        elif self._has_last:
            input, offsets = input[:offsets[-1]], offsets[:-1]  # the last one ends the last bag
        bags = self._shared.layer.bags(self._indices(input.reshape(-1)), offsets.numpy(),
                                       mode=self._mode)
        return torch.from_numpy(bags).to(self._like.dtype)
