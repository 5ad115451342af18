"""--check is worth its time: whatever single thing goes wrong in the machine, exit code 3 names the layer.

Each fault is put into one layer at one seam of the product; the reference is left alone. The network is small; its
first layer pads (so its pixels have zero points), and two lanes make slices long enough to need fillers.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from accel_sim.dataflows.asymmetric import RawProducts
from accel_sim.dataflows.broadcast.broadcast_tiles import TiledBroadcast
from accel_sim.dataflows.broadcast.columns import Columns
from accel_sim.dataflows.broadcast.scan import Scanned
from accel_sim.dataflows.folded.matrix import MatrixProducts
from accel_sim.dataflows.folded.systolic import TiledSystolic
from accel_sim.run.result import ConservationError
from workloads.encoding import BitStream, Encoded
from workloads.encoding_trial import trials
from workloads.encodings.dense import Dense

from .calls import call, tiny

LAYER = "conv"
#: hardware -> settings that cut the layer into several tiles and give it fillers
SMALL = {
    "eie": ["--set", "array.rows=2"],
    "systolic": ["--set", "memories.output_sram.capacity_kib=8", "--set", "array.rows=16"],
}
CORRECTED = ["--set", "dataflow.asymmetric=correction"]
TILED = {"eie": TiledBroadcast, "systolic": TiledSystolic}


def tiles(change: Callable[[list], list], kind: type) -> Callable:
    """The fault: the layer's tiles come as ``change`` makes them."""
    original = kind.__iter__

    def faulty(self):
        found = list(original(self))
        if self.layer.name != LAYER:
            return iter(found)
        assert len(found) > 2
        return iter(change(found))

    return lambda patch: patch.setattr(kind, "__iter__", faulty)


def computed(kind: type, name: str, change: Callable) -> Callable:
    """The fault: a cached property of the layer's is ``change(value, self)``."""
    original = kind.__dict__[name].func

    def faulty(self):
        value = original(self)
        return change(value, self) if self.layer.name == LAYER else value

    return lambda patch: patch.setattr(kind, name, property(faulty))


class Stream:
    """The stored entries of an encoded layer, read and written bit by bit without the product's own code."""

    def __init__(self, encoded: Encoded, columns: Columns):
        self.encoded, self.lanes, count = encoded, columns.lanes, int(encoded.entries.sum())
        self.bits = np.unpackbits(encoded.stream.data, bitorder="little")[: encoded.stream.bits].reshape(count, -1)
        width = self.bits.shape[1]
        weight = 1 << np.arange(width)
        self.symbols = self.bits[:, : encoded.symbol_bits] @ weight[: encoded.symbol_bits]
        self.runs = self.bits[:, encoded.symbol_bits :] @ weight[: width - encoded.symbol_bits]
        self.slices = np.repeat(np.arange(len(encoded.entries)), encoded.entries)
        self.sizes = np.abs(np.asarray(columns.codes.format.codebook)[self.symbols])

    def largest(self, usable: np.ndarray) -> int:
        """The usable entry of the largest weight: a fault there shows."""
        assert usable.any()
        return int(np.argmax(np.where(usable, self.sizes, -1)))

    def packed(self, bits: np.ndarray, entries: np.ndarray | None = None) -> Encoded:
        entries = self.encoded.entries if entries is None else entries
        stream = BitStream(np.packbits(bits.ravel(), bitorder="little"), bits.size)
        return replace(self.encoded, stream=stream, entries=entries)


def swap_lanes(encoded: Encoded, columns: Columns) -> Encoded:
    s = Stream(encoded, columns)
    per_lane = len(encoded.entries) // s.lanes
    lane = s.slices // per_lane
    bits = np.concatenate([s.bits[lane == 1], s.bits[lane == 0], s.bits[lane > 1]])
    entries = encoded.entries.reshape(s.lanes, per_lane)
    return s.packed(bits, np.ascontiguousarray(entries[[1, 0, *range(2, s.lanes)]].ravel()))


def shift_index(step: int) -> Callable[[Encoded, Columns], Encoded]:
    def change(encoded: Encoded, columns: Columns) -> Encoded:
        s = Stream(encoded, columns)
        at, width = s.largest((s.runs + step >= 0) & (s.runs + step < 16)), encoded.symbol_bits
        s.bits[at, width:] = (s.runs[at] + step) >> np.arange(s.bits.shape[1] - width) & 1
        return s.packed(s.bits)

    return change


def skip_filler(encoded: Encoded, columns: Columns) -> Encoded:
    s = Stream(encoded, columns)
    fillers = (s.symbols == 0) & (s.runs == 15)
    followed = np.append(fillers[:-1] & (s.slices[1:] == s.slices[:-1]), False)
    at = s.largest(np.append(False, followed[:-1])) - 1
    entries = encoded.entries.copy()
    entries[s.slices[at]] -= 1
    return s.packed(np.delete(s.bits, at, axis=0), entries)


def flip_symbol(encoded: Encoded, columns: Columns) -> Encoded:
    s = Stream(encoded, columns)
    s.bits[s.largest(s.symbols > 1), 0] ^= 1
    return s.packed(s.bits)


def raw_codes(values: np.ndarray, operands) -> np.ndarray:
    raw = np.ascontiguousarray(operands.inputs.values, dtype=values.dtype)
    assert (raw != values).any()
    return raw


def scan_raw_codes(scanned: Scanned, tiled: TiledBroadcast) -> Scanned:
    return replace(scanned, values=raw_codes(scanned.values, tiled.operands))


def swap_columns(weights: np.ndarray, _) -> np.ndarray:
    return np.ascontiguousarray(weights[[1, 0, *range(2, len(weights))]])


def flip_stored_bit(patch) -> None:
    original = Dense.encode

    largest = max(trial.kept.size for trial in trials())

    def faulty(self, slices):
        encoded = original(self, slices)
        if slices.kept.size <= largest:  # tried when a machine is loaded, where a fault would be refused
            return encoded
        data = encoded.stream.data.copy()
        data[0] ^= 0x80
        return replace(encoded, stream=BitStream(data, encoded.stream.bits))

    patch.setattr(Dense, "encode", faulty)


def without(place: int) -> Callable[[list], list]:
    return lambda found: [tile for number, tile in enumerate(found) if number != place % len(found)]


FAULTS = {
    **{
        f"{hardware}: {name}": tiles(change, kind)
        for hardware, kind in TILED.items()
        for name, change in {
            "drop the first tile": without(0),
            "drop a tile in the middle": without(1),
            "drop the last tile": without(-1),
            "issue a tile twice": lambda found: [*found, found[-1]],
        }.items()
    },
    "eie: swap two lanes": computed(Columns, "encoded", swap_lanes),
    "eie: an index one too large": computed(Columns, "encoded", shift_index(1)),
    "eie: an index one too small": computed(Columns, "encoded", shift_index(-1)),
    "eie: skip a filler": computed(Columns, "encoded", skip_filler),
    "eie: a bit of a stored code flips": computed(Columns, "encoded", flip_symbol),
    "eie: ignore the zero points": computed(TiledBroadcast, "scanned", scan_raw_codes),
    "systolic: swap two columns": computed(MatrixProducts, "_weights", swap_columns),
    "systolic: a bit of a stored code flips": flip_stored_bit,
    "systolic: ignore the zero points": computed(
        MatrixProducts, "_inputs", lambda values, products: raw_codes(values, products.operands)
    ),
}


@pytest.mark.parametrize("hardware", SMALL)
def test_without_a_fault_the_check_passes(hardware, here):
    assert call(*tiny(here, hardware), *SMALL[hardware], "--check", "--out", "r").code == 0


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_ends_in_exit_code_3_and_names_the_layer(fault, ends, tmp_path, monkeypatch):
    hardware = fault.split(":")[0]
    FAULTS[fault](monkeypatch)
    done = ends(3, *tiny(tmp_path, hardware), *SMALL[hardware], "--check", "--quiet", "--out", "r")
    assert f"layer '{LAYER}'" in done.line


@pytest.mark.parametrize("hardware", SMALL)
def test_a_forgotten_correction_of_raw_codes_shows(hardware, ends, tmp_path, monkeypatch):
    command = [*tiny(tmp_path, hardware), *SMALL[hardware], *CORRECTED, "--check", "--quiet", "--out"]
    assert call(*command, "good").code == 0
    computed(RawProducts, "_constants", lambda constants, _: np.zeros_like(constants))(monkeypatch)
    assert f"layer '{LAYER}'" in ends(3, *command, "r").line


@pytest.mark.parametrize("stationary", ["ws", "is"])
def test_a_dropped_fold_shows_whatever_is_stationary(stationary, ends, tmp_path, monkeypatch):
    FAULTS["systolic: drop a tile in the middle"](monkeypatch)
    settings = [*SMALL["systolic"], "--set", f"dataflow.stationary={stationary}"]
    done = ends(3, *tiny(tmp_path, "systolic"), *settings, "--check", "--quiet", "--out", "r")
    assert f"layer '{LAYER}'" in done.line


@pytest.mark.parametrize("hardware", SMALL)
def test_a_dropped_tile_makes_no_result_even_without_check(hardware, here, monkeypatch):
    FAULTS[f"{hardware}: drop the last tile"](monkeypatch)
    with pytest.raises(ConservationError, match=f"^layer '{LAYER}': "):
        call(*tiny(here, hardware), *SMALL[hardware], "--quiet", "--out", "r")
    assert not (here / "r").exists()


@pytest.mark.parametrize("hardware", SMALL)
def test_outputs_owe_nothing_to_the_reference(hardware, ends, tmp_path, monkeypatch):
    """A wrong reference fails the check: it is compared, never copied."""
    from accel_sim.run import check

    original = check.Sums.reference
    monkeypatch.setattr(check.Sums, "reference", lambda *arguments: original(*arguments) + 1)
    done = ends(3, *tiny(tmp_path, hardware), *SMALL[hardware], "--check", "--quiet", "--out", "r")
    assert f"layer '{LAYER}': 5760 of 5760 sums differ" in done.line
