"""LeNet-300-100 and Caffe's LeNet-5 (20-50-500-10) for 28x28 digits, the small networks of Deep Compression."""

from workloads.network import Network, networks
from workloads.networks.builder import Builder

DIGIT = (1, 28, 28)


@networks.add("lenet_300_100")
def lenet_300_100() -> Network:
    """Three fully connected layers."""
    net = Builder("lenet_300_100", DIGIT, profile="lenet_300_100")
    net.fc("fc1", 300)
    net.fc("fc2", 100)
    net.fc("fc3", 10, act=None)
    net.unit("prob", "softmax")
    return net.network()


@networks.add("lenet5")
def lenet5() -> Network:
    """Caffe's lenet.prototxt: its convolutions have no ReLU, only the first inner product has one."""
    net = Builder("lenet5", DIGIT, profile="lenet5")
    net.conv("conv1", 20, 5, act=None)
    net.pool("pool1", "max", 2, 2)
    net.conv("conv2", 50, 5, act=None)
    net.pool("pool2", "max", 2, 2)
    net.fc("fc1", 500)
    net.fc("fc2", 10, act=None)
    net.unit("prob", "softmax")
    return net.network()
