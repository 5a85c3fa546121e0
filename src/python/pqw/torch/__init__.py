"""Archives in PyTorch: make and load them, serve from the codes, train the codebooks.

    import pqw.torch

    pqw.torch.compress(model, "model.h5")         # as pqw.compress
    pqw.torch.load_into(model, "model.h5")        # decoded weights, as load_state_dict
    print(pqw.torch.serve(model, "model.h5"))     # layers multiply from the codes
    print(pqw.torch.trainable(model, "model.h5")) # parameters are codebooks; codes stay
    pqw.torch.save(model, "tuned.h5")             # the same codes, the trained codebooks

Importing pqw does not import PyTorch; importing pqw.torch does.
"""
from pqw.torch.compress import compress
from pqw.torch.load import load_into
from pqw.torch.quant_noise import QuantNoise
from pqw.torch.report import Layer, Report
from pqw.torch.save import save
from pqw.torch.schedule import layer_by_layer
from pqw.torch.serve import serve
from pqw.torch.trainable import PqWeight, trainable

__all__ = ["Layer", "PqWeight", "QuantNoise", "Report", "compress", "layer_by_layer", "load_into",
           "save", "serve", "trainable"]
