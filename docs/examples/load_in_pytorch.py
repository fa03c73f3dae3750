"""The network of keras-recipe.json in PyTorch, with the weights of a job: load_in_pytorch.py weights.safetensors [probabilities.csv]"""

import sys
from collections import OrderedDict

import numpy as np
import torch
from torch import nn

from exported_weights import read_safetensors, read_validation_digits


class ChannelsLast(nn.Module):
    """A job's flatten goes through the channels of a pixel first."""

    def forward(self, x_NCHW):
        return x_NCHW.permute(0, 2, 3, 1)


model = nn.Sequential(
    OrderedDict(
        conv2d_1=nn.Conv2d(1, 16, 3, padding="same", bias=False),
        batch_normalization_1=nn.BatchNorm2d(16, eps=1e-3),
        activation_1=nn.ReLU(),
        max_pooling2d_1=nn.MaxPool2d(2),
        channels_last=ChannelsLast(),
        flatten_1=nn.Flatten(),
        dense_1=nn.Linear(4 * 4 * 16, 10),
        softmax=nn.Softmax(dim=1),
    )
)
NAMES = {"kernel": "weight", "bias": "bias", "gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}


def converted(name, value):
    layer, weight = name.split("/")
    if weight == "kernel":
        # [height, width, in, out] → [out, in, height, width]; [in, out] → [out, in]
        value = value.transpose(3, 2, 0, 1) if value.ndim == 4 else value.T
    return f"{layer}.{NAMES[weight]}", torch.from_numpy(value.copy())


weights = dict(converted(*each) for each in read_safetensors(sys.argv[1]).items())
missing, unexpected = model.load_state_dict(weights, strict=False)
# PyTorch counts batches, for a momentum that it may be told to do without
assert not unexpected and all(name.endswith("num_batches_tracked") for name in missing), (missing, unexpected)
model.eval()
images_NHWC, classes = read_validation_digits()
with torch.no_grad():
    probabilities = model(torch.from_numpy(images_NHWC).permute(0, 3, 1, 2)).numpy()
print(f"accuracy {np.mean(probabilities.argmax(1) == classes):.4f}")
if len(sys.argv) > 2:
    np.savetxt(sys.argv[2], probabilities)
