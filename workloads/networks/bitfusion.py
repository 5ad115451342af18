"""Networks of few bits with which Bit Fusion was measured (Sharma et al., ISCA 2018; hsharma35/bitfusion, benchmarks).

Shapes and widths as there (AlexNet, SVHN, CIFAR-10, LeNet-5 and LSTM also in bitfusion_layer_cycles.csv of the
reference). WRPN networks are twice as wide as the usual ones. Recurrent networks are the matrix product of one step.
Where the source pools is a ReLU here too: it says nothing of activations, and unsigned codes need one.
"""

from workloads.network import Network, networks
from workloads.networks.builder import Builder

PICTURE = (3, 32, 32)


def _same(net: Builder, bits: tuple[int, int], **other: tuple[int, int]) -> Network:
    """The network with one width for all layers with MACs but ``other``, and the softmax that all of ours end with."""
    net.unit("prob", "softmax")
    names = [layer.name for layer in net.layers if layer.kind in ("conv", "fc")]
    return net.network({name: other.get(name, bits) for name in names})


@networks.add("alexnet_wrpn2x")
def alexnet_wrpn2x() -> Network:
    """Two halves that meet before conv3 and fc1; 4 bits, first and last layers 8."""
    net = Builder("alexnet_wrpn2x", (3, 227, 227))
    for half in "ab":
        net.conv(f"conv1_{half}", 96, 11, 4, at="input")
        net.pool(f"pool1_{half}", "max", 2, 2, ceil=False)
        net.conv(f"conv2_{half}", 256, 5, pad=2)
        net.pool(f"pool2_{half}", "max", 2, 2, ceil=False)
    net.concat("concat2", ["pool2_a", "pool2_b"])
    for half in "ab":
        net.conv(f"conv3_{half}", 384, 3, pad=1, at="concat2")
        net.conv(f"conv4_{half}", 384, 3, pad=1)
        net.conv(f"conv5_{half}", 256, 3, pad=1)
        net.pool(f"pool5_{half}", "max", 2, 2, ceil=False)
    net.concat("concat5", ["pool5_a", "pool5_b"])
    net.fc("fc1", 8192)
    net.fc("fc2", 8192)
    net.fc("fc3", 1000, act=None)
    return _same(net, (4, 4), conv1_a=(8, 8), conv1_b=(8, 8), fc3=(8, 8))


@networks.add("resnet18_wrpn2x")
def resnet18_wrpn2x() -> Network:
    """As the source has it: blocks of a 1x1 and a 3x3 convolution without shortcuts, one addition a stage; no
    classifier."""
    net = Builder("resnet18_wrpn2x", (3, 224, 224))
    net.conv("conv1_a", 128, 7, 2, pad="same")
    net.pool("pool1_a", "max", 2, 2, ceil=False)
    for stage, width in enumerate((128, 256, 512, 1024), 2):
        for block in (1, 2):
            net.conv(f"conv{stage}_{block}_a", width, 1, 2 if stage > 2 and block == 1 else 1)
            net.conv(f"conv{stage}_{block}_b", width, 3, pad=1)
        net.add(f"add{stage}", [f"conv{stage}_2_a", f"conv{stage}_2_b"], act="relu")
    net.global_pool("pool5")
    return _same(net, (4, 4), conv1_a=(8, 8))


def _six_convolutions(name: str, width: int) -> Builder:
    """Three pairs of 3x3 convolutions, each pair twice as wide as the one before, and three layers of 1024."""
    net = Builder(name, PICTURE)
    for place in range(6):
        net.conv(f"conv{place}", width << place // 2, 3, pad=1)
        if place % 2:
            net.pool(f"pool{place}", "max", 2, 2)
    net.fc("fc6", 1024)
    net.fc("fc7", 1024)
    net.fc("fc8", 10, act=None)
    return net


@networks.add("svhn")
def svhn() -> Network:
    """QNN for SVHN: 1 bit, the picture 8."""
    return _same(_six_convolutions("svhn", 64), (1, 1), conv0=(8, 1))


@networks.add("cifar10")
def cifar10() -> Network:
    """QNN for CIFAR-10: 2 bits, the first layer 8."""
    return _same(_six_convolutions("cifar10", 128), (2, 2), conv0=(8, 8))


@networks.add("lenet5_twn")
def lenet5_twn() -> Network:
    """LeNet-5 of ternary weight networks (32-64-512-10 on 32x32, unlike Caffe's `lenet5`): 2 bits."""
    net = Builder("lenet5_twn", (1, 32, 32))
    net.conv("conv0", 32, 5, pad=2)
    net.pool("pool0", "max", 2, 2)
    net.conv("conv1", 64, 5, pad=2)
    net.pool("pool1", "max", 2, 2)
    net.fc("fc1", 512)
    net.fc("fc2", 10, act=None)
    return _same(net, (2, 2))


@networks.add("vgg7")
def vgg7() -> Network:
    """VGG-7 as two branches from the picture on, whose last maps are added; 2 bits. The released file lets the second
    branch read what the first has pooled, which makes maps of different sizes to add, and a network too small by a
    third for the time it reports (0.3528 ms); two equal branches make that time."""
    net = Builder("vgg7", PICTURE)
    for branch in "ab":
        source = "input"
        for stage, width in enumerate((128, 256, 512), 1):
            net.conv(f"conv{stage}_{branch}", width, 3, pad=1, at=source)
            source = net.pool(f"pool{stage}_{branch}", "max", 2, 2)
    net.add("add3", ["pool3_a", "pool3_b"], act="relu")
    net.fc("fc1", 1024, act=None)
    return _same(net, (2, 2))


@networks.add("rnn")
def rnn() -> Network:
    """One step of a recurrent layer of 2048 hidden units: [x, h] of 4096 to 4096; 4 bits."""
    net = Builder("rnn", (4096, 1, 1))
    net.fc("matmul", 4096, act=None)
    return _same(net, (4, 4))


@networks.add("lstm")
def lstm() -> Network:
    """One step of an LSTM of 900 hidden units as the source has it: 3600 to 3600; 4 bits."""
    net = Builder("lstm", (3600, 1, 1))
    net.fc("matmul", 3600, act=None)
    return _same(net, (4, 4))
