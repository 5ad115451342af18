"""What every encoding promises: the codes come back, and each bit of the stream is accounted for."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accel_sim import simulate
from workloads import InputError
from workloads.encoding import encodings, stream

from . import samples

#: every registered encoding as presets have it, and each number among its fields at 1 and 2
PARTS = {name: samples.default(part) for name, part in encodings.items()}
PARTS |= {
    f"{name} {field}={value}": replace(part, **{field: value})
    for name, part in list(PARTS.items())
    for field, held in vars(part).items()
    if type(held) is int
    for value in (1, 2)
}


@st.composite
def slices(draw) -> tuple[np.ndarray, int]:
    """(symbols [slices, length] uint32, their width): any density, runs longer than an index, nothing at all."""
    count, length, width = draw(st.integers(0, 6)), draw(st.integers(0, 80)), draw(st.integers(1, 16))
    density = draw(st.sampled_from([0.0, 0.02, 0.1, 0.5, 1.0]))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    values = rng.integers(1, 1 << width, (count, length), dtype=np.uint32)
    return np.where(rng.random((count, length)) < density, values, 0).astype(np.uint32), width


def dense(decoded, shape: tuple[int, int]) -> np.ndarray:
    """The codes that stored entries stand for; what is no weight counts for nothing."""
    out = np.zeros(shape, dtype=np.uint32)
    places = np.repeat(np.arange(shape[0]), decoded.entries)[decoded.kept], decoded.positions[decoded.kept]
    out[places] = decoded.symbols[decoded.kept]
    return out


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
@given(data=slices())
def test_codes_come_back_and_every_bit_is_counted(part, data):
    symbols, width = data
    kept = (symbols != 0).astype(np.uint8)
    before = symbols.copy(), kept.copy()
    entries, encoded = part.entries(kept), part.encode(symbols, kept, width)
    assert (entries.dtype, entries.shape) == (np.int32, (len(symbols),))
    assert np.array_equal(entries, encoded.entries)
    assert (entries >= kept.sum(axis=1)).all()
    assert (encoded.length, encoded.symbol_bits, encoded.data.dtype) == (symbols.shape[1], width, np.uint8)
    assert part.entry_bits(width) >= width
    assert len(encoded.data) == -(-int(entries.sum()) * part.entry_bits(width) // 8)
    decoded = part.decode(encoded)
    assert len(decoded.symbols) == len(decoded.positions) == len(decoded.kept) == entries.sum()
    if part.entries(np.zeros((1, 2), np.uint8))[0] == 0:  # stores no zero but for fillers
        assert decoded.kept.sum() == kept.sum()
    assert np.array_equal(decoded.entries, entries)
    for positions in np.split(decoded.positions, np.cumsum(entries)[:-1]):
        assert (np.diff(positions) > 0).all()
        assert ((positions >= 0) & (positions < symbols.shape[1])).all()
    assert np.array_equal(dense(decoded, symbols.shape), symbols)
    assert np.array_equal(symbols, before[0])
    assert np.array_equal(kept, before[1])


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
@given(data=slices())
def test_a_slice_is_the_same_alone_and_among_others(part, data):
    symbols, width = data
    kept = (symbols != 0).astype(np.uint8)
    together = part.entries(kept)
    for number in range(len(symbols)):
        alone = part.encode(symbols[number : number + 1], kept[number : number + 1], width)
        assert alone.entries.tolist() == [together[number]]


def test_a_weight_that_looks_like_a_filler_is_not_encoded():
    """Symbol 0 behind the largest run is a filler; a table whose entry 0 is a weight has no zeros to leave out."""
    from workloads.encodings.relative_index import RelativeIndex

    part, symbols = RelativeIndex(index_bits=1), np.array([[0, 0, 5]], np.uint32)
    with pytest.raises(ValueError, match=r"^a kept symbol is 0 behind a run of the largest index"):
        part.encode(symbols, np.array([[0, 1, 1]], np.uint8), 4)
    assert part.decode(part.encode(symbols, np.ones((1, 3), np.uint8), 4)).kept.all()
    found = part.decode(part.encode(symbols, np.array([[0, 0, 1]], np.uint8), 4))
    assert (found.symbols.tolist(), found.kept.tolist()) == ([0, 5], [False, True])


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_a_stream_of_another_length_than_its_entries_is_none(part, monkeypatch):
    symbols, kept = np.arange(1, 13, dtype=np.uint32).reshape(3, 4), np.ones((3, 4), np.uint8)
    assert np.array_equal(stream(part, symbols, kept, 7).data, part.encode(symbols, kept, 7).data)
    encode = type(part).encode

    def longer(self, *given):
        encoded = encode(self, *given)
        return replace(encoded, data=np.append(encoded.data, np.uint8(0)))

    monkeypatch.setattr(type(part), "encode", longer)
    with pytest.raises(ValueError, match=r": a stream of \d+ bytes, its entries take \d+ bits$"):
        stream(part, symbols, kept, 7)


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_a_stream_that_is_too_short_is_refused(part):
    symbols = np.arange(1, 13, dtype=np.uint32).reshape(3, 4)
    encoded = part.encode(symbols, np.ones((3, 4), np.uint8), 7)
    with pytest.raises(ValueError, match="is too short for"):
        part.decode(replace(encoded, data=encoded.data[:-1]))


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_it_is_frozen(part):
    assert part.__dataclass_params__.frozen
    assert part == replace(part)


MACHINES = {
    f"{name} in {preset}": machine
    for name in encodings.names()
    for preset, machine in samples.machines("weights", name).items()
}


def test_every_encoding_has_a_machine():
    running = {title.split()[0] for title, m in MACHINES.items() if samples.takes(m, samples.LAYERS["conv"])}
    assert running == set(encodings.names())


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
@pytest.mark.parametrize("name", ["pointwise", "grouped", "fc_batch"])
def test_a_machine_computes_with_it_or_refuses_it(machine, name):
    """A machine whose lanes share rows unevenly reads the same weights, whatever their encoding."""
    network, x, w = samples.given(samples.LAYERS[name], "codebook")
    try:
        result = simulate(network, machine, check=True)
    except InputError as refusal:
        assert str(refusal).startswith("dataflow '")
        return
    assert np.array_equal(result.sums[name], samples.convolution(samples.LAYERS[name], x, w).sums)


@pytest.mark.parametrize("name", encodings.names())
@pytest.mark.parametrize("preset", samples.presets())
def test_each_preset_takes_each_encoding_or_says_why_not(preset, name):
    from accel_sim.machine.config import load_hardware

    machine = load_hardware(preset, {"encodings.weights": {"name": name}})
    network, x, w = samples.given(samples.LAYERS["pointwise"])
    try:
        result = simulate(network, machine, check=True)
    except InputError as refusal:
        assert str(refusal).startswith("dataflow '")
        return
    assert np.array_equal(result.sums["pointwise"], samples.convolution(samples.LAYERS["pointwise"], x, w).sums)
