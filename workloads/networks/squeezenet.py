"""SqueezeNet 1.0 and 1.1 (Iandola et al., 2016); 1.0 with the padding of the released prototxt (conv10 pad 1)."""

from workloads.network import Network, networks
from workloads.networks.builder import Builder


def _fire(net: Builder, index: int, squeeze: int, expand: int) -> None:
    stem = f"fire{index}"
    source = net.conv(f"{stem}/squeeze1x1", squeeze, 1)
    small = net.conv(f"{stem}/expand1x1", expand, 1, at=source)
    large = net.conv(f"{stem}/expand3x3", expand, 3, pad=1, at=source)
    net.concat(f"{stem}/concat", (small, large))


def _squeezenet(name: str, stem: tuple[int, int], pools: tuple[int, ...], last_pad: int, size: int) -> Network:
    """stem: (filters, kernel) of conv1; pools: max pooling before these fire modules."""
    net = Builder(name, (3, size, size), profile=name)
    net.conv("conv1", stem[0], stem[1], 2)
    for index in range(2, 10):
        squeeze = 16 * (index // 2)  # 16 more every second module; each expand has 4 times as many
        if index in pools:
            net.pool(f"pool{index - 1}", "max", 3, 2)
        _fire(net, index, squeeze, 4 * squeeze)
    net.conv("conv10", 1000, 1, pad=last_pad)
    net.global_pool("pool10")
    return net.network()


@networks.add("squeezenet1_0")
def squeezenet1_0() -> Network:
    """96 filters of 7 x 7 first, pools after conv1, fire4 and fire8."""
    return _squeezenet("squeezenet1_0", (96, 7), (2, 5, 9), 1, 227)


@networks.add("squeezenet1_1")
def squeezenet1_1() -> Network:
    """64 filters of 3 x 3 first, pools after conv1, fire3 and fire5."""
    return _squeezenet("squeezenet1_1", (64, 3), (2, 4, 6), 0, 227)
