"""ResNet (He et al., 2015): 18, 50, 101 and 152 layers, and version 1.5 of ResNet-50; torchvision's names."""

from workloads.network import Network, networks
from workloads.networks.builder import Builder

WIDTHS = (64, 128, 256, 512)


def _block(net: Builder, stem: str, steps: tuple[tuple[int, int], ...], stride: int, strided: int) -> None:
    """steps: (filters, kernel) of each convolution; the one of index ``strided`` has the stride."""
    source = shortcut = net.last
    for index, (filters, kernel) in enumerate(steps):
        step = stride if index == strided else 1
        act = None if index == len(steps) - 1 else "relu"
        net.conv(f"{stem}.conv{index + 1}", filters, kernel, step, pad=kernel // 2, bias=False, bn=True, act=act)
    deep = net.last
    if net.shapes[source] != net.shapes[deep]:
        shortcut = net.conv(f"{stem}.downsample", filters, 1, stride, bias=False, bn=True, act=None, at=source)
    net.add(f"{stem}.add", (deep, shortcut), act="relu")


def _resnet(name: str, depths: tuple[int, ...], *, bottleneck: bool = True, caffe: bool = True) -> Network:
    """depths: blocks in each stage; bottleneck: 1x1, 3x3, 1x1 with four times the filters, else 3x3, 3x3.

    caffe: as the authors' release: a bottleneck's stride is in its first 1x1, maxpool has no padding and rounds up.
    Otherwise as in Torch: the stride is in the 3x3, maxpool has padding 1 and rounds down.
    """
    net = Builder(name, (3, 224, 224))
    net.conv("conv1", 64, 7, 2, pad=3, bias=False, bn=True)
    net.pool("maxpool", "max", 3, 2, pad=0 if caffe else 1, ceil=caffe)
    for stage, (depth, width) in enumerate(zip(depths, WIDTHS, strict=True), 1):
        steps = ((width, 1), (width, 3), (4 * width, 1)) if bottleneck else ((width, 3), (width, 3))
        for index in range(depth):
            stride = 2 if stage > 1 and index == 0 else 1
            _block(net, f"layer{stage}.{index}", steps, stride, strided=1 if bottleneck and not caffe else 0)
    net.global_pool("avgpool")
    net.fc("fc", 1000, act=None)
    net.unit("prob", "softmax")
    return net.network()


@networks.add("resnet18")
def resnet18() -> Network:
    """Basic blocks."""
    return _resnet("resnet18", (2, 2, 2, 2), bottleneck=False, caffe=False)


@networks.add("resnet50")
def resnet50() -> Network:
    """Bottlenecks whose 1 x 1 convolution has the stride."""
    return _resnet("resnet50", (3, 4, 6, 3))


@networks.add("resnet50_v1_5")
def resnet50_v1_5() -> Network:
    """Bottlenecks whose 3 x 3 convolution has the stride."""
    return _resnet("resnet50_v1_5", (3, 4, 6, 3), caffe=False)


@networks.add("resnet101")
def resnet101() -> Network:
    """As ``resnet50``, with 23 blocks in its third stage."""
    return _resnet("resnet101", (3, 4, 23, 3))


@networks.add("resnet152")
def resnet152() -> Network:
    """As ``resnet50``, with 8 and 36 blocks in its second and third stages."""
    return _resnet("resnet152", (3, 8, 36, 3))
