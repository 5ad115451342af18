"""Random small layers with random codes, and how to run one layer on a machine."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from accel_sim.machine.config import load_hardware
from accel_sim.run.session import Session
from accel_sim.run.simulate import run_layer
from workloads.formats.codes import Codes, NumberFormat
from workloads.layer import Layer
from workloads.network import Network
from workloads.operands import MacOperands

CALM = {"memories.dram.bandwidth_gb_s": 64}


@dataclass
class Case:
    layer: Layer
    operands: MacOperands

    @property
    def shape(self) -> dict:
        """The layer's letters for the oracles."""
        names = ("N", "G", "C", "H", "W", "M", "R", "S", "E", "F", "stride", "padding", "dilation")
        return {name: getattr(self.layer, name) for name in names}

    def inputs(self) -> list:
        return self.operands.inputs.integers().tolist()

    def weights(self, what="integers") -> list:
        """[M][K] integers, or which are kept."""
        values = getattr(self.operands.weights, what)()
        return values.reshape(self.layer.M, self.layer.K).tolist()

    @property
    def network(self) -> Network:
        """The layer alone; its input is stored in the format of the operands."""
        formats = {"input": self.operands.inputs.format}
        return Network("case", (self.layer,), self.layer.input_shape[1:], formats=formats).with_batch(self.layer.N)

    def run(self, preset: str, settings: dict, check: bool = True):
        machine = load_hardware(preset, CALM | settings)
        return run_layer(self.layer, self.operands, Session.start(self.network, machine), check=check)


@st.composite
def cases(draw, rows=12, codebook=None):
    """A convolution, depthwise, grouped or fully connected layer with sparse codes of some format."""
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    filters = groups * draw(st.integers(1, max(1, rows // groups)))
    if draw(st.booleans()):
        layer = Layer(name="fc", kind="fc", C=draw(st.integers(1, 9)), M=filters, N=draw(st.integers(1, 2)))
    else:
        channels = groups * draw(st.integers(1, 3))
        layer = Layer(
            name="conv", kind="depthwise" if channels == groups > 1 else "conv", G=groups, C=channels, M=filters,
            H=draw(st.integers(3, 4)), W=draw(st.integers(3, 4)), R=draw(st.integers(1, 2)), S=draw(st.integers(1, 2)),
            N=draw(st.integers(1, 2)), stride=(draw(st.integers(1, 2)), draw(st.integers(1, 2))),
            dilation=(draw(st.integers(1, 2)), 1), padding=tuple(draw(st.integers(0, 1)) for _ in range(4)),
        )  # fmt: skip
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    zero = draw(st.sampled_from([0, 0, 128]))
    sparse = draw(st.sampled_from([0.2, 0.5, 1.0]))
    x = np.where(rng.random(layer.input_shape) < sparse, rng.integers(0, 256, layer.input_shape), zero).astype(np.uint8)
    density = draw(st.sampled_from([0.1, 0.4, 1.0]))
    w = np.where(rng.random(layer.weight_shape) < density, rng.integers(1, 16, layer.weight_shape), 0).astype(np.uint8)
    if draw(st.booleans()) if codebook is None else codebook:
        book = (0, *rng.integers(-3, 4, 15).tolist())  # some kept weights stand for 0
        weights = Codes(w, NumberFormat(4, False, codebook=book))
    else:
        weights = Codes(w.astype(np.int8) - np.int8(draw(st.sampled_from([0, 7]))), NumberFormat(5, True))
    return Case(layer, MacOperands(Codes(x, NumberFormat(8, False, zero_point=zero)), weights))
