"""AlexNet (Krizhevsky et al., 2012) as in Caffe's bvlc_alexnet: 227x227 input, norm before pool, two groups or none."""

from workloads.network import Network, networks
from workloads.networks.builder import Builder


def _alexnet(name: str, groups: int) -> Network:
    """groups: of conv2, conv4 and conv5 (2 = the halves the two GPUs held)."""
    net = Builder(name, (3, 227, 227), profile="alexnet")
    net.conv("conv1", 96, 11, 4)
    net.unit("norm1", "lrn")
    net.pool("pool1", "max", 3, 2)
    net.conv("conv2", 256, 5, pad=2, groups=groups)
    net.unit("norm2", "lrn")
    net.pool("pool2", "max", 3, 2)
    net.conv("conv3", 384, 3, pad=1)
    net.conv("conv4", 384, 3, pad=1, groups=groups)
    net.conv("conv5", 256, 3, pad=1, groups=groups)
    net.pool("pool5", "max", 3, 2)
    net.fc("fc6", 4096)
    net.fc("fc7", 4096)
    net.fc("fc8", 1000, act=None)
    net.unit("prob", "softmax")
    return net.network()


@networks.add("alexnet")
def alexnet() -> Network:
    """Two groups in conv2, conv4 and conv5, as trained on two GPUs."""
    return _alexnet("alexnet", 2)


@networks.add("alexnet_ungrouped")
def alexnet_ungrouped() -> Network:
    """The same layers in one group."""
    return _alexnet("alexnet_ungrouped", 1)
