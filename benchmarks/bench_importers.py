"""Seconds to read a topology of 100,000 rows and a Caffe file of as many layers as its size allows: linear in both."""

import tempfile
from pathlib import Path

from timing import best, report

from workloads import load_network

ROWS, LAYERS = 100_000, 20_000
HEAD = 'name: "t" input: "data" input_shape { dim: 1 dim: 1 dim: 1 dim: 1 }\n'
CONV = (
    'layer {{ name: "c{0}" type: "Convolution" bottom: "{1}" top: "c{0}" '
    "convolution_param {{ num_output: 1 kernel_size: 1 }} }}\n"
)
RELU = 'layer {{ name: "r{0}" type: "ReLU" bottom: "c{0}" top: "c{0}" }}\n'


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        topology, prototxt = Path(folder) / "m.csv", Path(folder) / "m.prototxt"
        for rows, goal in ((ROWS // 10, 0.5), (ROWS, 5)):
            topology.write_text("h\n" + "".join(f"l{i}, 1, 1, 1, 1, 1, 1, 1,\n" for i in range(rows)))
            report(f"topology, {rows} rows", best(lambda: load_network(topology), 3), "s", goal)
        for pairs, goal in ((LAYERS // 4, 1), (LAYERS // 2, 2)):
            names = ["data", *(f"c{i}" for i in range(pairs))]
            prototxt.write_text(HEAD + "".join(CONV.format(i, names[i]) + RELU.format(i) for i in range(pairs)))
            report(f"prototxt, {2 * pairs} layers", best(lambda: load_network(prototxt), 3), "s", goal)


if __name__ == "__main__":
    main()
