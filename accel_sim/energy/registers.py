"""Small storage of a PE: a register is priced by the bits that are clocked, a file of words by its size and ports."""

from functools import cache

from accel_sim.memories.register_file import RegisterFile

#: components that are registers, or files of them where the machine says so
REGISTERS = ("register", "queue", "accumulator", "codebook")
#: CACTI's table has no larger macro that reads and writes at once
TWO_PORT_BYTES = 4096


def price(action: str, bits: int, words: int, clocked: tuple[float, str], logic_scale: float) -> tuple[float, str]:
    """(pJ, source) of an access of ``bits``. words: of the file, 1 = a single register; clocked: (pJ, source) of
    flip-flops for so many bits that are clocked once; logic_scale: of flip-flops, not of macros."""
    if words == 1:
        energy, source = clocked
        if action == "read":
            return 0.0, "a register's output is there without an access: its flip-flops cost what clocks them"
        return energy * logic_scale, source if logic_scale == 1 else f"{source}; x {logic_scale:.4g}, scaled logic"
    file = register_file(words, bits)
    energy, source = file.price(action, bits)
    if file.of_flip_flops and logic_scale != 1:
        return energy * logic_scale, f"{source}; x {logic_scale:.4g}, scaled logic"
    return energy, source


@cache
def register_file(words: int, bits: int) -> RegisterFile:
    """Of 45 nm; an array of flip-flops up to a size, beyond it CACTI's macros, with one port for both when large."""
    size = words * bits / 8
    return RegisterFile("file", size, ("outputs",), word_bits=bits, ports="1r1w" if size <= TWO_PORT_BYTES else "1rw")
