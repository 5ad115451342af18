"""Requests a second of the DRAM kernel, and what command-level DRAM costs a whole simulation.

The second part runs compressed SqueezeNet with a real photograph on `eie`, flat and with DDR4 commands, both warm, in
the same process; it needs the reference data.
"""

from dataclasses import replace

import numpy as np
from timing import best, compressed_squeezenet, report

from accel_sim import load_hardware, simulate
from accel_sim.memories.dram_banked import DramBanked

REQUESTS = 100_000


def traces() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """name -> (burst number, 1 = write), as the reference traces but longer."""
    i, rng = np.arange(REQUESTS), np.random.default_rng(0)
    anywhere = rng.integers(0, 1 << 22, REQUESTS)
    return {
        "stream of reads": (i, 0 * i),
        "random reads": (anywhere, 0 * i),
        "random reads and writes, 2:1": (anywhere, (i % 3 == 2).astype(np.int64)),
        "copy, reads and writes in turn": (i // 2 + (i % 2 << 21), i % 2),
        "one bank, every row new": (2048 * (i % 4096), 0 * i),
    }


def play(memory: DramBanked, burst: np.ndarray, write: np.ndarray) -> None:
    one, none = np.ones_like(burst), np.zeros_like(burst)
    state = memory.new_state(1000)
    memory.submit_each(state, 0, np.stack([64 * burst, one, one, none, none, write], 1))
    memory.advance(state, None)


def main() -> None:
    memory = DramBanked()
    for name, (burst, write) in traces().items():
        seconds = best(lambda burst=burst, write=write: play(memory, burst, write), 3)
        report(f"DDR4, {name}", 1e6 * seconds / REQUESTS, "us/request", 2.0)
    network, flat = compressed_squeezenet(), load_hardware("eie")
    banked = replace(flat, memories=(memory, *flat.memories[1:]))
    quick, whole = best(lambda: simulate(network, flat)), best(lambda: simulate(network, banked))
    print(f"SqueezeNet on eie: flat DRAM {1e3 * quick:.1f} ms, DDR4 by commands {1e3 * whole:.1f} ms")
    report("command-level / flat DRAM, whole simulation", whole / quick, "x", 3.0)


if __name__ == "__main__":
    main()
