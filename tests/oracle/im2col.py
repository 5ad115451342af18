"""Convolutions as matrix-vector products, written out in loops."""

from itertools import product


def columns(x, layer: dict) -> list[list[list[int]]]:
    """x: [N][C][H][W] values less the zero point -> [pixels][groups][K] in N, E, F and C, R, S order; padding 0."""
    G, per_group = layer["G"], layer["C"] // layer["G"]
    found = []
    for n, e, f in product(range(layer["N"]), range(layer["E"]), range(layer["F"])):
        pixel = []
        for g in range(G):
            vector = []
            for c, r, s in product(range(per_group), range(layer["R"]), range(layer["S"])):
                h = e * layer["stride"][0] - layer["padding"][0] + r * layer["dilation"][0]
                w = f * layer["stride"][1] - layer["padding"][2] + s * layer["dilation"][1]
                inside = 0 <= h < layer["H"] and 0 <= w < layer["W"]
                vector.append(int(x[n][g * per_group + c][h][w]) if inside else 0)
            pixel.append(vector)
        found.append(pixel)
    return found
