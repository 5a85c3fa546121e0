"""Product quantization of arrays, in the manner of nanopq and scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pqw import _native
from pqw.compression import Setting, _flat


class ProductQuantizer:
    """Cuts rows into blocks of `block_size` columns and learns centroids for the blocks by k-means.

    pq = ProductQuantizer(block_size=8).fit(W)  # W: [rows, cols]
    codes = pq.encode(W)                        # [rows, n_blocks], uint8 or uint16
    W_hat = pq.decode(codes)                    # float32 [rows, cols]

    Codes and values are those of `pqw quantize --codec pq` with the same settings. One codebook
    serves all columns; `groups` gives each of that many runs of columns its own, as in nanopq with
    groups = cols / block_size. Decoded values have the gain of pqw, which makes up for the lost
    amplitude: gain="least_squares" or "none" has the smaller error.

    block_size: columns per block; the last block of a row may be padded.
    n_centroids: centroids per codebook, 2..65536.
    settings: those of the codec pq (docs/options.md): seed, groups, effort, iterations, gain, ...
        row_scales, additive and lambda are refused.

    After fit(): n_centroids is the number found, which is less if there are fewer distinct blocks;
    codebooks are the centroids as decoded, float32 [groups, n_centroids, block_size].
    """

    def __init__(self, block_size: int = 4, n_centroids: int = 256, **settings: Setting) -> None:
        self.block_size = block_size
        self.n_centroids = n_centroids
        self.settings = settings
        self._learned: NDArray[np.float32] | None = None  # before the gain: codes belong to these
        self._gained: NDArray[np.float32] | None = None
        self._cols = 0

    def fit(self, W: ArrayLike) -> ProductQuantizer:
        """Learns the codebooks from W, floats [rows, cols]. Returns the quantizer itself.

        Raises ValueError for other shapes, NaN or infinity, and wrong settings.
        """
        weights = np.asarray(W)
        pairs = [("block_size", str(self.block_size)), ("centroids", str(self.n_centroids))]
        self._learned, self._gained = _native.pq_fit(weights, pairs + _flat(self.settings))
        self._cols = weights.shape[1]
        self.block_size = self._learned.shape[2]
        self.n_centroids = self._learned.shape[1]
        return self

    def encode(self, X: ArrayLike) -> NDArray[Any]:
        """The nearest centroids of the blocks of X, floats [rows, cols].

        Returns codes [rows, n_blocks], uint8 for up to 256 centroids, else uint16.
        """
        vectors = np.asarray(X)
        if self._learned is None:
            raise ValueError("the quantizer has no codebooks; call fit first")
        if vectors.ndim != 2 or vectors.shape[1] != self._cols:
            raise ValueError(
                f"X has shape {list(vectors.shape)}; expected [rows, {self._cols}]"
            )
        codes = _native.pq_encode(vectors, self._learned)
        return codes.astype(np.uint8) if self.n_centroids <= 256 else codes

    def decode(self, codes: ArrayLike) -> NDArray[np.float32]:
        """The centroids of codes [rows, n_blocks], as float32 [rows, cols]."""
        return _native.pq_decode(np.asarray(codes), self.codebooks, self._cols)

    @property
    def codebooks(self) -> NDArray[np.float32]:
        """float32 [groups, n_centroids, block_size]. Raises ValueError before fit."""
        if self._gained is None:
            raise ValueError("the quantizer has no codebooks; call fit first")
        return self._gained

    def __repr__(self) -> str:
        return f"<pqw.ProductQuantizer block_size={self.block_size} n_centroids={self.n_centroids}>"
