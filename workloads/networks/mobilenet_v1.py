"""MobileNet v1 (Howard et al., 2017): pairs of a 3x3 depthwise and a 1x1 convolution, at four widths and resolutions.

`mobilenet_v1` is width 1.0 at 224x224 with 1000 classes, `mobilenet_v1_1.0_224` the same under its long name.
The other variants are those of the TFLite release, whose classifier has 1001 classes (class 0 = background).
A stride-2 layer pads one pixel on every side; TFLite pads only bottom and right, a mirror image with the same counts.
"""

from workloads.network import Network, networks
from workloads.networks.builder import Builder

#: (filters of the 1x1 convolution, stride of the 3x3 depthwise convolution before it)
PAIRS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))
WIDTHS = ("0.25", "0.5", "0.75", "1.0")
RESOLUTIONS = (128, 160, 192, 224)


def _mobilenet_v1(name: str, width: float, resolution: int, classes: int) -> Network:
    net = Builder(name, (3, resolution, resolution), profile=name.removesuffix("_1.0_224"))
    style = {"bias": False, "bn": True, "act": "relu6"}
    channels = int(32 * width)
    net.conv("Conv2d_0", channels, 3, 2, pad=1, **style)
    for index, (filters, stride) in enumerate(PAIRS, 1):
        net.conv(f"Conv2d_{index}_depthwise", channels, 3, stride, pad=1, groups=channels, **style)
        channels = int(filters * width)
        net.conv(f"Conv2d_{index}_pointwise", channels, 1, **style)
    net.global_pool("AvgPool_1a")
    net.fc("Logits", classes, act=None)
    net.unit("Predictions", "softmax")
    return net.network()


def _register(name: str, width: float, resolution: int, classes: int) -> None:
    @networks.add(name)
    def mobilenet_v1() -> Network:
        return _mobilenet_v1(name, width, resolution, classes)


_register("mobilenet_v1", 1.0, 224, 1000)
for _width in WIDTHS:
    for _resolution in RESOLUTIONS:
        _classes = 1000 if (_width, _resolution) == ("1.0", 224) else 1001
        _register(f"mobilenet_v1_{_width}_{_resolution}", float(_width), _resolution, _classes)
