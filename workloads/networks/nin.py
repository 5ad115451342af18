"""NiN for ImageNet (Lin et al., 2013) as in the Caffe zoo.

Shapes are from memory; their MACs, weighted with the profiles of precision_profiles.csv, give the ideal speed-ups that
the reference computed from its own (see experiments/bit_serial.py).
"""

from workloads.network import Network, networks
from workloads.networks.builder import Builder


@networks.add("nin")
def nin() -> Network:
    """A convolution and two of 1 x 1 in each of four blocks."""
    net = Builder("nin", (3, 224, 224))
    for block, (filters, kernel, fields) in enumerate(
        ((96, 11, {"stride": 4}), (256, 5, {"pad": 2}), (384, 3, {"pad": 1}), (1024, 3, {"pad": 1})), 1
    ):
        net.conv(f"conv{block}", filters, kernel, **fields)
        net.conv(f"cccp{2 * block - 1}", filters, 1)
        net.conv(f"cccp{2 * block}", 1000 if block == 4 else filters, 1)
        if block < 4:
            net.pool(f"pool{block}", "max", 3, 2)
    net.global_pool("pool4")
    net.unit("prob", "softmax")
    return net.network()
