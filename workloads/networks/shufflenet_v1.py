"""ShuffleNet v1 (Zhang et al., 2017), width 1x, with 1, 2, 3, 4 or 8 groups; `shufflenet_v1` has 3."""

from workloads.network import Network, networks
from workloads.networks.builder import Builder

#: groups -> output channels of stage 2 (the paper's Table 1); they double at stages 3 and 4
CHANNELS = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}
#: stage -> units after its first, which has stride 2
REPEATS = {2: 3, 3: 7, 4: 3}


def _unit(net: Builder, stem: str, channels: int, groups: int, *, halve: bool, first: bool) -> None:
    """halve: stride 2, joined with the average-pooled input; first: its first 1x1 is not grouped (24 inputs only)."""
    source = net.last
    style = {"bias": False, "bn": True}
    width = channels // 4  # of the bottleneck, whatever the filters of the last 1x1
    filters = channels - net.shapes[source][0] if halve else channels
    net.conv(f"{stem}.gconv1", width, 1, groups=1 if first else groups, **style)
    if groups > 1:
        net.shuffle(f"{stem}.shuffle", groups)
    net.conv(f"{stem}.dwconv", width, 3, 2 if halve else 1, pad=1, groups=width, act=None, **style)
    # ReLU comes after the join; the pooled input of a concat is not negative, so there it can come before
    deep = net.conv(f"{stem}.gconv2", filters, 1, groups=groups, act="relu" if halve else None, **style)
    if halve:
        pooled = net.pool(f"{stem}.avgpool", "avg", 3, 2, pad=1, ceil=False, at=source)
        net.concat(f"{stem}.concat", (pooled, deep))
    else:
        net.add(f"{stem}.add", (source, deep), act="relu")


def _shufflenet_v1(name: str, groups: int) -> Network:
    net = Builder(name, (3, 224, 224))
    net.conv("conv1", 24, 3, 2, pad=1, bias=False, bn=True)
    net.pool("maxpool", "max", 3, 2, pad=1, ceil=False)
    for stage, repeats in REPEATS.items():
        channels = CHANNELS[groups] * 2 ** (stage - 2)
        for index in range(repeats + 1):
            halve = index == 0
            _unit(net, f"stage{stage}.{index}", channels, groups, halve=halve, first=halve and stage == 2)
    net.global_pool("globalpool")
    net.fc("fc", 1000, act=None)
    net.unit("prob", "softmax")
    return net.network()


def _register(name: str, groups: int) -> None:
    @networks.add(name)
    def shufflenet_v1() -> Network:
        return _shufflenet_v1(name, groups)


_register("shufflenet_v1", 3)
for _groups in CHANNELS:
    _register(f"shufflenet_v1_g{_groups}", _groups)
