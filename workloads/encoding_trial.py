"""Whether a registered encoding keeps its promises, tried on a few small slices when a machine is loaded."""

from collections.abc import Iterator
from functools import cache

import numpy as np

from workloads.encoding import Encoded, Encoding, Slices
from workloads.registry import plugin_fault
from workloads.stored import Bits, PartsError, checked_bits, encoded_as_counted

#: with zeros on both sides, empty, full
TRIAL = np.array([[0, 3, 0, 0, 15, 1, 0], [0] * 7, [5] * 7], dtype=np.uint32)
#: (slices, codes of each, bits of a code) of random ones
SHAPES = ((2, 1, 4), (3, 12, 8), (3, 16, 5))


@cache
def trials() -> tuple[Slices, ...]:
    """Slices that every encoding must give back: TRIAL, and random ones of half zeros."""
    found, rng = [Slices.of(TRIAL, (TRIAL != 0).astype(np.uint8), 4)], np.random.Generator(np.random.PCG64(7))
    for count, length, bits in SHAPES:
        symbols = rng.integers(0, 1 << bits, (count, length), np.uint32) * rng.integers(0, 2, (count, 1), np.uint32)
        symbols *= rng.integers(0, 2, (count, length), np.uint32)
        found.append(Slices.of(symbols, (symbols != 0).astype(np.uint8), bits))
    return tuple(found)


def fault(encoding: Encoding) -> str | None:
    """Why a registered encoding cannot be used: what it makes of ``trials``; None if it gives them back.

    An exception in a plug-in's own code is left to who can say where (registry.plugin_fault).
    """
    try:
        return next((why for trial in trials() for why in _faults(encoding, trial)), None)
    except PartsError as error:
        return f"encode: {error}"
    except Exception as error:  # a plug-in may return anything
        if plugin_fault(error) is not None:
            raise
        return f"{type(error).__name__}: {error}".splitlines()[0]


def _faults(encoding: Encoding, trial: Slices) -> Iterator[str]:
    """Of slices together, and of each alone."""
    entries = encoding.entries(trial)
    if not isinstance(entries, np.ndarray) or entries.dtype.kind not in "iu" or entries.shape != (len(trial),):
        yield "entries: expected [slices] integers, the stored entries of each slice"
    coder = encoding.fitted((trial,))
    bits = checked_bits(coder, trial, entries)
    yield from _not_fixed(coder, bits, entries)
    encoded = encoded_as_counted(coder, trial, entries, bits)
    decoder = encoding.with_table(coder.table(trial.symbol_bits), trial.symbol_bits)
    if not np.array_equal(_made(decoder, encoded, trial), trial.symbols):
        yield "decodes to other codes than were encoded"
    for number in range(len(trial)):
        one = slice(number, number + 1)
        alone = Slices.of(trial.symbols[one], trial.kept[one], trial.symbol_bits)
        encoded_as_counted(coder, alone, entries[one], {part: each[one] for part, each in bits.items()})
    if coder.plain and encoded.stream.bits != trial.kept.size * trial.symbol_bits:
        yield "plain: expected nothing but the codes, one behind the other"


def _not_fixed(coder: Encoding, bits: Bits, entries: np.ndarray) -> Iterator[str]:
    """Parts that are declared to have a fixed size, and have not."""
    for part in coder.parts:
        found = bits[part.name]
        if part.fixed == "slice" and (found != found[0]).any():
            yield f"part '{part.name}' is not of one size in slices of one length: it is not fixed by 'slice'"
        if part.fixed == "entry" and (found * entries.max() != found.max() * entries.astype(np.int64)).any():
            yield f"part '{part.name}' does not grow with the number of entries: it is not fixed by 'entry'"


def _made(decoder: Encoding, encoded: Encoded, trial: Slices) -> np.ndarray:
    decoded, made = decoder.decode(encoded), np.zeros_like(trial.symbols)
    slices = np.repeat(np.arange(len(trial)), decoded.entries)[decoded.kept]
    made[slices, decoded.positions[decoded.kept]] = decoded.symbols[decoded.kept]
    return made
