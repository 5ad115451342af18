"""Two nets of Chatfield et al. (BMVC 2014), medium and slow, as in the Caffe zoo.

Shapes are from memory; their MACs, weighted with the profiles of precision_profiles.csv, give the ideal speed-ups that
the reference computed from its own (see experiments/bit_serial.py).
"""

from workloads.network import Network, networks
from workloads.networks.builder import Builder


def _classifier(net: Builder) -> Network:
    net.fc("fc6", 4096)
    net.fc("fc7", 4096)
    net.fc("fc8", 1000, act=None)
    net.unit("prob", "softmax")
    return net.network()


@networks.add("vgg_m")
def vgg_m() -> Network:
    """CNN-M."""
    net = Builder("vgg_m", (3, 224, 224))
    net.conv("conv1", 96, 7, 2)
    net.unit("norm1", "lrn")
    net.pool("pool1", "max", 3, 2)
    net.conv("conv2", 256, 5, 2, pad=1)
    net.unit("norm2", "lrn")
    net.pool("pool2", "max", 3, 2)
    for number in (3, 4, 5):
        net.conv(f"conv{number}", 512, 3, pad=1)
    net.pool("pool5", "max", 3, 2)
    return _classifier(net)


@networks.add("vgg_s")
def vgg_s() -> Network:
    """CNN-S."""
    net = Builder("vgg_s", (3, 224, 224))
    net.conv("conv1", 96, 7, 2)
    net.unit("norm1", "lrn")
    net.pool("pool1", "max", 3, 3)
    net.conv("conv2", 256, 5)
    net.pool("pool2", "max", 2, 2)
    for number in (3, 4, 5):
        net.conv(f"conv{number}", 512, 3, pad=1)
    net.pool("pool5", "max", 3, 3)
    return _classifier(net)
