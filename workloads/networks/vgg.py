"""VGG-16 and VGG-19 (Simonyan and Zisserman, 2014), configurations D and E: five blocks of 3x3 convolutions."""

from workloads.network import Network, networks
from workloads.networks.builder import Builder

WIDTHS = (64, 128, 256, 512, 512)


def _vgg(name: str, depths: tuple[int, ...], profile: str | None = None) -> Network:
    """depths: convolutions in each block."""
    net = Builder(name, (3, 224, 224), profile=profile)
    for block, (depth, width) in enumerate(zip(depths, WIDTHS, strict=True), 1):
        for index in range(1, depth + 1):
            net.conv(f"conv{block}_{index}", width, 3, pad=1)
        net.pool(f"pool{block}", "max", 2, 2)
    net.fc("fc6", 4096)
    net.fc("fc7", 4096)
    net.fc("fc8", 1000, act=None)
    net.unit("prob", "softmax")
    return net.network()


@networks.add("vgg16")
def vgg16() -> Network:
    """Configuration D."""
    return _vgg("vgg16", (2, 2, 3, 3, 3), profile="vgg16")


@networks.add("vgg19")
def vgg19() -> Network:
    """Configuration E."""
    return _vgg("vgg19", (2, 2, 4, 4, 4))
