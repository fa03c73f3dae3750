"""PyTorch on the CPU as the benchmarks' opponent: the same network, batch size and Adam in float32, the data in memory,
gradients accumulated by backward and applied every accum_iters micro-batches."""
import os
import sys

# The wheel is linked with CUDA's libraries, which are not there: functions that nobody calls are not looked for.
sys.setdlopenflags(os.RTLD_LAZY)

import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from rounds import Data, Loop, Order, serve  # noqa: E402


def make_model(layers, shape):
    """Without the last softmax: crossentropy takes logits."""
    stack, (height, width, channels) = [], shape
    features = None
    for index, layer in enumerate(layers):
        match layer["type"]:
            case "conv2d":
                same = layer.get("padding") == "same"
                size = layer["kernel_size"]
                stack.append(nn.Conv2d(channels, layer["filters"], size, padding="same" if same else 0))
                channels = layer["filters"]
                height, width = (height, width) if same else (height - size + 1, width - size + 1)
            case "max_pooling2d":
                size = layer.get("pool_size", 2)
                stack.append(nn.MaxPool2d(size))
                height, width = height // size, width // size
            case "global_average_pooling2d":
                stack += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
                features = channels
            case "flatten":
                stack.append(nn.Flatten())
                features = height * width * channels
            case "dense":
                stack.append(nn.Linear(features, layer["units"]))
                features = layer["units"]
            case "activation":
                pass
            case "dropout":
                stack.append(nn.Dropout(layer["rate"]))
            case "batch_normalization":
                stack.append(nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01))
            case other:
                raise ValueError(f"no layer {other}")
        activation = layer.get("activation")
        if activation == "relu":
            stack.append(nn.ReLU(inplace=True))
        elif activation is not None and not (activation == "softmax" and index == len(layers) - 1):
            raise ValueError(f"no activation {activation}")
    return nn.Sequential(*stack)


def prepare(request):
    """Forms are words: channels-last, fused (one kernel for Adam's update), compiled (torch.compile), one-thread."""
    network, form = request["network"], request["form"].split("+")
    k = network["accumIters"]
    threads = 1 if "one-thread" in form else len(os.sched_getaffinity(0))
    layout = torch.channels_last if "channels-last" in form else torch.contiguous_format
    data = Data(network["data"])
    x = torch.from_numpy(data.x).permute(0, 3, 1, 2).contiguous(memory_format=layout)
    y = torch.from_numpy(data.y.argmax(1))
    model = make_model(network["layers"], data.x.shape[1:]).to(memory_format=layout).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001, eps=1e-7, fused="fused" in form)

    def loss_of(images, labels):
        return F.cross_entropy(model(images), labels) / k

    if "compiled" in form:
        loss_of = torch.compile(loss_of)

    def step(indices):
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        for row in torch.from_numpy(indices).long():
            images = x.index_select(0, row).contiguous(memory_format=layout)
            loss = loss_of(images, y.index_select(0, row))
            loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.detach() * k

    return Loop(step, k, Order(len(data.x), network["batchSize"]))


serve({"torch": torch.__version__}, prepare)
