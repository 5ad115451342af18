"""Inception v3 (Szegedy et al., 2015) for 299x299 images without the training-time classifier; torchvision's names."""

from workloads.network import Network, networks
from workloads.networks.builder import Builder

#: branch -> its steps (filters, kernel); two kernels in a step run side by side on the same input
Branches = dict[str, tuple[tuple, ...]]


def _grid35() -> Branches:
    return {
        "branch1x1": ((64, 1),),
        "branch5x5": ((48, 1), (64, 5)),
        "branch3x3dbl": ((64, 1), (96, 3), (96, 3)),
    }


def _grid17(width: int) -> Branches:
    return {
        "branch1x1": ((192, 1),),
        "branch7x7": ((width, 1), (width, (1, 7)), (192, (7, 1))),
        "branch7x7dbl": ((width, 1), (width, (7, 1)), (width, (1, 7)), (width, (7, 1)), (192, (1, 7))),
    }


def _grid8() -> Branches:
    return {
        "branch1x1": ((320, 1),),
        "branch3x3": ((384, 1), (384, (1, 3), (3, 1))),
        "branch3x3dbl": ((448, 1), (384, 3), (384, (1, 3), (3, 1))),
    }


TO_17: Branches = {"branch3x3": ((384, 3),), "branch3x3dbl": ((64, 1), (96, 3), (96, 3))}
TO_8: Branches = {
    "branch3x3": ((192, 1), (320, 3)),
    "branch7x7x3": ((192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3)),
}

#: module -> (branches, filters after the average pool; None: it halves the map, by stride 2 and a max pool)
MODULES = {
    "Mixed_5b": (_grid35(), 32),
    "Mixed_5c": (_grid35(), 64),
    "Mixed_5d": (_grid35(), 64),
    "Mixed_6a": (TO_17, None),
    "Mixed_6b": (_grid17(128), 192),
    "Mixed_6c": (_grid17(160), 192),
    "Mixed_6d": (_grid17(160), 192),
    "Mixed_6e": (_grid17(192), 192),
    "Mixed_7a": (TO_8, None),
    "Mixed_7b": (_grid8(), 192),
    "Mixed_7c": (_grid8(), 192),
}


def _conv(net: Builder, name: str, filters: int, kernel: int | tuple[int, int], stride=1, *, keep=True, at=None) -> str:
    """keep: pad so that the map keeps its size."""
    R, S = (kernel, kernel) if isinstance(kernel, int) else kernel
    pad = (R // 2, S // 2) if keep else 0
    return net.conv(name, filters, (R, S), stride, pad=pad, bias=False, bn=True, at=at)


def _branch(net: Builder, stem: str, source: str, steps: tuple[tuple, ...], halve: bool) -> list[str]:
    outputs = [source]
    for index, (filters, *kernels) in enumerate(steps, 1):
        strided = halve and index == len(steps)
        number = f"_{index}" if len(steps) > 1 else ""
        letters = "ab" if len(kernels) > 1 else ("",)
        at = outputs[0]
        outputs = [
            _conv(net, f"{stem}{number}{letter}", filters, kernel, 2 if strided else 1, keep=not strided, at=at)
            for letter, kernel in zip(letters, kernels, strict=True)
        ]
    return outputs


def _module(net: Builder, name: str, branches: Branches, pooled: int | None) -> None:
    source = net.last
    outputs = []
    for branch, steps in branches.items():
        outputs += _branch(net, f"{name}.{branch}", source, steps, halve=pooled is None)
    if pooled is None:
        outputs.append(net.pool(f"{name}.pool", "max", 3, 2, ceil=False, at=source))
    else:
        net.pool(f"{name}.pool", "avg", 3, pad=1, ceil=False, at=source)
        outputs.append(_conv(net, f"{name}.branch_pool", pooled, 1))
    net.concat(f"{name}.concat", outputs)


@networks.add("inception_v3")
def inception_v3() -> Network:
    """Of 299 x 299 pictures."""
    net = Builder("inception_v3", (3, 299, 299))
    _conv(net, "Conv2d_1a_3x3", 32, 3, 2, keep=False)
    _conv(net, "Conv2d_2a_3x3", 32, 3, keep=False)
    _conv(net, "Conv2d_2b_3x3", 64, 3)
    net.pool("maxpool1", "max", 3, 2, ceil=False)
    _conv(net, "Conv2d_3b_1x1", 80, 1)
    _conv(net, "Conv2d_4a_3x3", 192, 3, keep=False)
    net.pool("maxpool2", "max", 3, 2, ceil=False)
    for name, (branches, pooled) in MODULES.items():
        _module(net, name, branches, pooled)
    net.global_pool("avgpool")
    net.fc("fc", 1000, act=None)
    net.unit("prob", "softmax")
    return net.network()
