"""GoogLeNet (Szegedy et al., 2014) as in Caffe's bvlc_googlenet, without and with the two training-time classifiers."""

from workloads.network import Network, networks
from workloads.networks.builder import Builder

#: the paper's Table 1: filters of 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection
INCEPTIONS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
POOL_AFTER = {"3b": "pool3/3x3_s2", "4e": "pool4/3x3_s2"}
CLASSIFIER_AFTER = {"4a": "loss1", "4d": "loss2"}


def _inception(net: Builder, stem: str, widths: tuple[int, ...]) -> str:
    source = net.last
    one, reduce3, three, reduce5, five, project = widths
    branches = [net.conv(f"{stem}/1x1", one, 1, at=source)]
    net.conv(f"{stem}/3x3_reduce", reduce3, 1, at=source)
    branches.append(net.conv(f"{stem}/3x3", three, 3, pad=1))
    net.conv(f"{stem}/5x5_reduce", reduce5, 1, at=source)
    branches.append(net.conv(f"{stem}/5x5", five, 5, pad=2))
    net.pool(f"{stem}/pool", "max", 3, pad=1, at=source)
    branches.append(net.conv(f"{stem}/pool_proj", project, 1))
    return net.concat(f"{stem}/output", branches)


def _classifier(net: Builder, stem: str) -> None:
    net.pool(f"{stem}/ave_pool", "avg", 5, 3)
    net.conv(f"{stem}/conv", 128, 1)
    net.fc(f"{stem}/fc", 1024)
    net.fc(f"{stem}/classifier", 1000, act=None)
    net.unit(f"{stem}/prob", "softmax")


def _googlenet(name: str, aux: bool) -> Network:
    net = Builder(name, (3, 224, 224))
    net.conv("conv1/7x7_s2", 64, 7, 2, pad=3)
    net.pool("pool1/3x3_s2", "max", 3, 2)
    net.unit("pool1/norm1", "lrn")
    net.conv("conv2/3x3_reduce", 64, 1)
    net.conv("conv2/3x3", 192, 3, pad=1)
    net.unit("conv2/norm2", "lrn")
    net.pool("pool2/3x3_s2", "max", 3, 2)
    for module, widths in INCEPTIONS.items():
        output = _inception(net, f"inception_{module}", widths)
        if aux and module in CLASSIFIER_AFTER:
            _classifier(net, CLASSIFIER_AFTER[module])
            net.last = output
        if module in POOL_AFTER:
            net.pool(POOL_AFTER[module], "max", 3, 2)
    net.global_pool("pool5/7x7_s1")
    net.fc("loss3/classifier", 1000, act=None)
    net.unit("prob", "softmax")
    return net.network()


@networks.add("googlenet")
def googlenet() -> Network:
    """Without the classifiers that only training uses."""
    return _googlenet("googlenet", aux=False)


@networks.add("googlenet_aux")
def googlenet_aux() -> Network:
    """With both auxiliary classifiers."""
    return _googlenet("googlenet_aux", aux=True)
