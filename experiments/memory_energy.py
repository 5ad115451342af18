"""Why small models matter: what a word from DRAM costs beside one from SRAM and beside arithmetic.

The classic table (Horowitz, ISSCC 2014, 45 nm) against our energy table and our CACTI macros; what share of AlexNet's
energy DRAM takes on three machines; and what fetching all weights once costs from DRAM and, once they are 35 to 49
times smaller, from an SRAM that holds them. No macro of that size is tabulated (4 MiB is the largest): the SRAM is 64
(AlexNet) or 128 (VGG-16) banks of 128 KiB as EIE has them, or 2 or 4 of 4 MiB, each read alone, 64 bits a word.
What joins the banks (wires, switches) is not in the figures.
"""

import math
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from accel_sim import load_hardware, simulate
from accel_sim.energy.table import EnergyTable
from accel_sim.memories import sram_macro
from accel_sim.memories.sram import Sram
from accel_sim.results.experiment import Experiment, compared
from accel_sim.results.plots import house_style, save
from accel_sim.run.result import Result
from experiments.traffic import compulsory
from workloads import load_network

HOROWITZ = "Horowitz, ISSCC 2014, 45 nm 0.9 V (read in MIT 6.5930 notes)"
LECTURE = "the lecture's table of 32-bit energies, 45 nm (read)"
EIE = "EIE (ISCA 2016), abstract (read)"
DEEP_COMPRESSION = (
    "Deep Compression (ICLR 2016), abstract (read); the released AlexNet's README (8.9 MB without Huffman)"
)
CACTI = "CACTI 7.0 runs, 45 nm, itrs-lstp"
OURS = "this simulator: synthetic AlexNet at Deep Compression's densities (recalled)"
#: pJ of 32 bit; FP32 add: our table has no float row
DRAM, SRAM, REGISTER, FLOAT_ADD, INT_ADD, INT_MULT = 640.0, 5.0, 1.0, 0.9, 0.1, 3.1
#: KiB -> pJ of 64 bit, as recalled of the same talk
RECALLED_64B = {8: 10.0, 32: 20.0, 1024: 100.0}
#: network -> MB of 32-bit floats, MB compressed, factor, MB without Huffman coding (or None), as published
SIZES = {"alexnet": (240.0, 6.9, 35.0, 8.9), "vgg16": (552.0, 11.3, 49.0, None)}
#: KiB of a macro -> pJ of a 64-bit read, mW of leakage, in the reference's table
MACROS = {128: (32.3, 0.022), 4096: (189.0, 0.66)}
#: name -> preset and settings
MACHINES: dict[str, tuple[str, dict[str, Any]]] = {
    "systolic, plain": ("systolic", {}),
    "systolic, compressed": ("systolic", {"encodings.weights.name": "relative_index"}),
    "eie": ("eie", {}),
}
RESIDENT = "its fc layers on eie, weights already in SRAM"
WORD_BITS = 64
SHOWN = "shown, gates nothing: "


def rows(layers: str = "*") -> list[dict[str, Any]]:
    """layers: glob of AlexNet's layers that run on the machines."""
    return [*_table_rows(), *_macro_rows(), *_alexnet_rows(layers), *_size_rows(layers), *_fetch_rows()]


def _table_rows() -> list[dict[str, Any]]:
    table = EnergyTable()
    dram, sram = table.per_bit("dram", 32)[0], table.per_bit("sram", 32)[0]
    add, mult = table.arithmetic("add", 32)[0], table.arithmetic("mult", 32)[0]
    same = f"{SHOWN}our table carries the published one"
    found = [
        compared("DRAM, 32 bit (pJ)", DRAM, dram, None, "read", same, HOROWITZ),
        compared("SRAM of 8 KB, 32 bit (pJ)", SRAM, sram, None, "read", same, HOROWITZ),
        compared("register file, 32 bit (pJ)", REGISTER, table.per_bit("register", 32)[0], None, "read", same, LECTURE),
        compared("int32 multiplication (pJ)", INT_MULT, mult, None, "read", same, HOROWITZ),
        compared("int32 addition (pJ)", INT_ADD, add, None, "read", same, HOROWITZ),
    ]
    why = f"{SHOWN}the ratio of the two published energies"
    for name, other, ours in (
        ("SRAM of 8 KB", SRAM, sram), ("FP32 addition", FLOAT_ADD, FLOAT_ADD), ("int32 addition", INT_ADD, add),
    ):  # fmt: skip
        note = "; the 0.9 pJ is the published one on both sides" if name.startswith("FP32") else ""
        found.append(compared(f"DRAM / {name} (x)", DRAM / other, dram / ours, None, "read", why + note, HOROWITZ))
    return found


def _macro_rows() -> list[dict[str, Any]]:
    small, file = sram_macro.find(8192, 32).read_pj, sram_macro.find(512, 32, ports="1r1w").read_pj
    found = [
        compared(
            "CACTI 8 KiB, 32 bit (pJ)", SRAM, small, 0.1, "read", "a macro of that size, low-power cells", HOROWITZ
        ),
        compared(
            "CACTI 512 B 1R1W, 32 bit (pJ)", REGISTER, file, 0.1, "read", "size is a guess: none is given", LECTURE
        ),
        compared("DRAM / CACTI 8 KiB (x)", 120.0, DRAM / small, 0.05, "read", "EIE's factor 'from DRAM to SRAM'", EIE),
    ]
    for kib, published in RECALLED_64B.items():
        simulated = sram_macro.find(kib * 1024, 64).read_pj
        why = "cells and words of the published SRAM are not known"
        found.append(compared(f"CACTI {kib} KiB, 64 bit (pJ)", published, simulated, None, "recalled", why, HOROWITZ))
    for kib in (128, 1024, 4096):
        larger = sram_macro.find(kib * 1024, 32).read_pj
        why = f"{SHOWN}an SRAM that holds a model is no 8 KB macro"
        found.append(
            compared(f"DRAM / CACTI {kib} KiB, 32 bit (x)", DRAM / SRAM, DRAM / larger, None, "self", why, CACTI)
        )
    return found


@cache
def run(machine: str, layers: str = "*") -> Result:
    """AlexNet on one of MACHINES."""
    preset, settings = MACHINES[machine]
    return simulate(load_network("alexnet"), load_hardware(preset, settings), layers=layers)


def _alexnet_rows(layers: str) -> list[dict[str, Any]]:
    found = []
    for machine in MACHINES:
        result = run(machine, layers)
        names = list(result.layers.layer)
        for part, chosen in (("AlexNet", names), ("its fc layers", [name for name in names if name.startswith("fc")])):
            found += _energy_rows(f"{part} on {machine}", result, chosen)
    return [*found, _resident_row(run("eie", layers))]


def _resident_row(result: Result) -> dict[str, Any]:
    """EIE's own case: each fully connected layer's weights lie in its SRAM before the image comes."""
    layers = result.layers[result.layers.kind == "fc"]
    total = float(layers.energy_pj.sum()) / 1e9
    resident = total - float(layers.weight_machine_bytes.sum()) * 8 * DRAM / 32 / 1e9
    why = f"{SHOWN}without the DRAM reads of stored weights; each layer alone fits the 10 MiB of Spmat and Ptr"
    return compared(f"{RESIDENT} (mJ)", total, resident, None, "self", why, OURS)


def _energy_rows(name: str, result: Result, layers: list[str]) -> list[dict[str, Any]]:
    """DRAM, buffers and all of some layers, and DRAM's share, beside compulsory bytes x 160 pJ."""
    actions = result.actions[result.actions.layer.isin(layers)]
    by_component = actions.groupby("component").energy_pj.sum() / 1e9
    dram, total = float(by_component["dram"]), float(by_component.sum())
    sram = float(by_component[[memory.level for memory in result.machine.on_chip]].sum())
    expected = sum(size for layer, size in compulsory(result).items() if layer in layers) * 8 * DRAM / 32 / 1e9
    why = "every input, stored weight and output once, 640 pJ a word; eie reads input rows again where tiles overlap"
    return [
        compared(f"{name}: DRAM (mJ)", expected, dram, 0.05, "self", why, OURS),
        compared(f"{name}: share of DRAM", expected / (expected + total - dram), dram / total, 0.05, "self", why, OURS),
        compared(f"{name}: SRAM (mJ)", total, sram, None, "self", f"{SHOWN}ratio is to all energy", OURS),
        compared(f"{name}: all (mJ)", dram, total, None, "self", f"{SHOWN}ratio is to DRAM's energy", OURS),
    ]


def _size_rows(layers: str) -> list[dict[str, Any]]:
    found = []
    for network, (plain, small, factor, without_huffman) in SIZES.items():
        ours = float_megabytes(network)
        why = "parameters x 4 bytes; biases are not in ours"
        found += [
            compared(f"{network}: 32-bit floats (MB)", plain, ours, 0.02, "read", why, DEEP_COMPRESSION),
            compared(
                f"{network}: plain / compressed (x)",
                factor,
                plain / small,
                None,
                "read",
                f"{SHOWN}both sides are published sizes",
                DEEP_COMPRESSION,
            ),
        ]
        if without_huffman is not None and layers == "*":
            stored = int(run("systolic, compressed").layers.weight_machine_bytes.sum()) / 1e6
            why = "drawn at recalled densities, 4-bit distances; pointers counted, no Huffman coding"
            item = f"{network}: as relative index (MB)"
            found.append(compared(item, without_huffman, stored, None, "recalled", why, DEEP_COMPRESSION))
    return found


@cache
def float_megabytes(network: str) -> float:
    """All weights as 32-bit floats."""
    return 4 * sum(layer.weights for layer in load_network(network).layers if layer.has_macs) / 1e6


def sram_of(megabytes: float, macro_kib: int) -> Sram:
    """Banks of ``macro_kib`` that hold so many bytes: the next power of two."""
    banks = 1 << math.ceil(math.log2(megabytes * 1e6 / 1024 / macro_kib))
    return Sram("weights", macro_kib * banks, ("weights",), word_bits=WORD_BITS, banks=banks)


def _fetch_rows() -> list[dict[str, Any]]:
    """All weights once: mJ from DRAM, plain and compressed, and from an SRAM that holds them."""
    found, per_mb = [], 1e6 * 8 * EnergyTable().per_bit("dram", 1)[0] / 1e9
    for network, (plain, small, *_) in SIZES.items():
        name = f"{network}, all weights once"
        published = plain * 1e6 / 4 * DRAM / 1e9, small * 1e6 / 4 * DRAM / 1e9
        ours = float_megabytes(network) * per_mb, small * per_mb
        why = f"{SHOWN}size x 640 pJ a word on both sides"
        found += [
            compared(f"{name}: DRAM, 32-bit floats (mJ)", published[0], ours[0], None, "read", why, DEEP_COMPRESSION),
            compared(f"{name}: DRAM, compressed (mJ)", published[1], ours[1], None, "read", why, DEEP_COMPRESSION),
        ]
        words = small * 1e6 * 8 / WORD_BITS
        for macro_kib, (read_pj, leak_mw) in MACROS.items():
            sram = sram_of(small, macro_kib)
            which = f"{name}: SRAM of {sram.banks} x {macro_kib} KiB, compressed"
            why = f"{SHOWN}words of 64 bit x one bank's read; our macros are those runs; no wires between banks"
            spent = words * sram.price("read", WORD_BITS)[0] / 1e9
            found += [
                compared(f"{which} (mJ)", words * read_pj / 1e9, spent, None, "measured", why, CACTI),
                compared(f"{which}: leakage (mW)", sram.banks * leak_mw, sram.leakage_mw, None, "measured", why, CACTI),
            ]
    return found


GREY, BLUE, SKY = "#BBBBBB", "#0072B2", "#56B4E9"


def figure(frame: pd.DataFrame, path: Path) -> None:
    """The ladder of energies, AlexNet's energy on three machines, and all weights fetched once."""
    rows = frame.set_index("item")
    with house_style() as plt:
        fig, axes = plt.subplots(1, 3, figsize=(15, 4.8), gridspec_kw={"width_ratios": (1, 1.15, 1)})
        _ladder(axes[0], rows)
        _machines(axes[1], rows.simulated)
        _fetches(axes[2], rows.simulated)
        save(fig, path)


def _ladder(axis, rows: pd.DataFrame) -> None:
    def macro(kib: int) -> float:
        return DRAM / rows.simulated[f"DRAM / CACTI {kib} KiB, 32 bit (x)"]

    steps = [
        ("int32 add", INT_ADD, GREY), ("FP32 add", FLOAT_ADD, GREY), ("register file", REGISTER, GREY),
        ("SRAM 8 KB", SRAM, GREY), ("CACTI 8 KiB", rows.simulated["CACTI 8 KiB, 32 bit (pJ)"], SKY),
        ("CACTI 128 KiB", macro(128), SKY), ("CACTI 1 MiB", macro(1024), SKY), ("CACTI 4 MiB", macro(4096), SKY),
        ("DRAM", DRAM, BLUE),
    ]  # fmt: skip
    for place, (_, energy, colour) in enumerate(steps):
        axis.barh(place, energy, color=colour)
        less = "" if energy == DRAM else f"  (1/{DRAM / energy:,.0f})"
        axis.text(energy * 1.15, place, f"{energy:.3g}{less}", va="center", fontsize=9)
    axis.set_yticks(range(len(steps)), [name for name, *_ in steps])
    axis.set(xscale="log", xlim=(0.05, 2e4), xlabel="pJ for 32 bit (and as a part of DRAM's)")
    axis.set_title("A word, 45 nm")
    axis.grid(visible=False)


def _machines(axis, values: pd.Series) -> None:
    place = 0.0
    ticks: dict[float, str] = {}
    for part in ("AlexNet", "its fc layers"):
        for machine in MACHINES:
            name = f"{part} on {machine}"
            dram, sram, total = (values[f"{name}: {what} (mJ)"] for what in ("DRAM", "SRAM", "all"))
            bottom = 0.0
            for what, size, colour in (
                ("MACs, registers, queues", total - dram - sram, GREY), ("SRAM", sram, SKY), ("DRAM", dram, BLUE),
            ):  # fmt: skip
                axis.bar(place, size, 0.8, bottom=bottom, color=colour, label=what if not ticks else None)
                bottom += size
            axis.text(place, total, f"{100 * dram / total:.0f} %", ha="center", va="bottom", fontsize=9)
            ticks[place] = machine.replace(", ", "\n")
            place += 1
        place += 0.6
    resident = f"{values[f'{RESIDENT} (mJ)']:.2f} mJ once\nweights lie\nin SRAM"
    axis.text(place - 1.6, 2.4, resident, ha="center", va="bottom", fontsize=9, color="#555555")
    axis.set_xticks(list(ticks), list(ticks.values()), fontsize=8)
    top = axis.get_ylim()[1] * 1.2
    for middle, part in ((1, "all of AlexNet"), (4.6, "its fully connected layers")):
        axis.text(middle, top, part, ha="center", va="top", fontsize=9)
    axis.set(ylim=(0, top), ylabel="mJ an image", title="AlexNet's energy, and the share of DRAM")
    handles, labels = axis.get_legend_handles_labels()
    axis.legend(handles[::-1], labels[::-1], loc="upper right", bbox_to_anchor=(1, 0.95))


def _fetches(axis, values: pd.Series) -> None:
    for group, (network, title) in enumerate((("alexnet", "AlexNet"), ("vgg16", "VGG-16"))):
        name, (plain, small, *_) = f"{network}, all weights once", SIZES[network]
        bars = [
            (f"DRAM, {plain:g} MB", values[f"{name}: DRAM, 32-bit floats (mJ)"], BLUE),
            (f"DRAM, {small:g} MB", values[f"{name}: DRAM, compressed (mJ)"], BLUE),
        ]
        for kib, each in ((4096, "4 MiB"), (128, "128 KiB")):
            banks = sram_of(small, kib).banks
            energy = values[f"{name}: SRAM of {banks} x {kib} KiB, compressed (mJ)"]
            bars.append((f"SRAM {banks} x {each}", energy, SKY))
        for number, (label, energy, colour) in enumerate(bars):
            y = -(5.2 * group + number)
            axis.barh(y, energy, color=colour)
            less = f"  (1/{bars[0][1] / energy:,.0f})" if number else ""
            axis.text(energy * 1.15, y, f"{energy:.3g} mJ{less}", va="center", fontsize=9)
            axis.text(0.0017, y, label, va="center", ha="right", fontsize=9)
        axis.text(0.0021, -(5.2 * group) + 0.75, title, fontsize=10, fontweight="bold", va="center")
    axis.set(
        xscale="log", xlim=(0.002, 4e3), ylim=(-8.9, 1.2), yticks=[], xlabel="mJ", title="All weights fetched once"
    )
    axis.grid(visible=False)


EXPERIMENT = Experiment(
    "memory_energy", "What does DRAM cost beside SRAM and arithmetic, and why do smaller models move into SRAM?", rows,
    figure,
)  # fmt: skip
