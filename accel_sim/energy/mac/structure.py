"""What an array of 4096 multipliers of 2 x 2 bits is made of: counts and widths, from its style and sharing alone.

Taxonomy of Ibrahim et al., TCAS-I 2022 (KULeuven-MICAS/PSMA-benchmark): L2 joins 4 x 4 multipliers, L3 joins 4 x 4 of
those, L4 joins 4 x 4 of those. Style FU: every multiplier works in all modes; SWU: only those of one L2 diagonal. BG:
the level that shifts and adds bit groups (L2, L3), or BS = in time. Sharing of a level: IS = inputs shared, 16 outputs
apart; HS = 4 outputs; OS = one output; NO (SWU) = not summed.
"""

import math
from dataclasses import dataclass
from functools import cached_property

from workloads.registry import unknown

LEVELS = ("L2", "L3", "L4")
#: outputs that a level of 4 x 4 keeps apart, and the operand words of its two sides
OUTPUTS = {"IS": 16, "NO": 16, "HS": 4, "OS": 1}
SIDES = {"IS": (4, 4), "NO": (4, 4), "HS": (16, 4), "OS": (16, 16)}
#: units of each level in the array
UNITS = {"L2": 256, "L3": 16, "L4": 1}
STYLES = {"FU": ("L2", "L3", "BS"), "SWU": ("L2",)}
#: bits of accumulator beyond the product and its reduction
HEADROOM = 4
MODES = ((8, 8), (8, 4), (8, 2), (4, 4), (2, 2))


@dataclass(frozen=True)
class Level:
    """One level in one mode. adder_bits: bits of all adders that work; depth: adders passed in a row before it."""

    adder_bits: float
    depth: int


@dataclass(frozen=True)
class Structure:
    """sharing: of (L4, L3, L2), as in the benchmark's tables. ValueError names what does not exist."""

    style: str
    bg: str
    sharing: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.style not in STYLES:
            raise ValueError(str(unknown("style", self.style, list(STYLES))))
        if self.bg not in STYLES[self.style]:
            raise ValueError(str(unknown(f"bg of style {self.style}", self.bg, list(STYLES[self.style]))))
        if len(self.sharing) != 3 or not set(self.sharing) <= set(OUTPUTS):
            raise ValueError(f"sharing={self.sharing!r} must be three of {', '.join(OUTPUTS)} (L4, L3, L2)")

    @property
    def name(self) -> str:
        """As FU L2 IS/OS/OS."""
        return f"{self.style} {self.bg} {'/'.join(self.sharing)}"

    @property
    def kind(self) -> tuple[str, str, str, str]:
        """(style, level of the bit groups, their sharing, that of L2): what decides the adder trees."""
        return self.style, self.bg, self.group, self.shared["L2"]

    @property
    def kind_text(self) -> str:
        """``kind`` in words."""
        groups = f"bit groups {self.group} at {self.bg}" if self.bg in LEVELS else "bit groups in time"
        return f"style {self.style}, {groups}, L2 {self.shared['L2']}"

    @cached_property
    def shared(self) -> dict[str, str]:
        """Level of the array -> how it is shared."""
        return dict(zip(LEVELS, reversed(self.sharing), strict=True))

    @property
    def group(self) -> str:
        """Sharing of the level that joins bit groups; of L2 where time does it."""
        return self.shared[self.bg if self.bg in LEVELS else "L2"]

    @cached_property
    def spatial(self) -> tuple[str, ...]:
        """Sharing of the levels that only share or sum."""
        return tuple(kind for level, kind in self.shared.items() if level != self.bg)

    @property
    def outputs(self) -> int:
        """Sums of full-width products that leave the array."""
        count = 1
        for kind in self.spatial:
            count *= OUTPUTS[kind]
        return count

    @property
    def depth(self) -> int:
        """log2 of the products that a full-width sum joins."""
        return sum(4 - (OUTPUTS[kind].bit_length() - 1) for kind in self.spatial)

    @property
    def outer_depth(self) -> int:
        """Of it, what levels beyond the innermost sum."""
        return self.depth - (4 - (OUTPUTS[self.shared["L2"]].bit_length() - 1) if self.bg == "BS" else 0)

    @property
    def stages(self) -> int:
        """Levels of adders between the registers beyond those that fit a short path, as a fast clock sees them."""
        return 0 if self.bg == "BS" or self.group == "NO" else max(0, self.depth - 3)

    def cycles(self, a_bits: int, w_bits: int) -> int:
        """Of a product of these widths."""
        return (a_bits // 2) * (w_bits // 2) if self.bg == "BS" else 1

    def products(self, a_bits: int, w_bits: int) -> int:
        """Of a bit group in one cycle."""
        if self.bg == "BS":
            return 1
        return 8 // max(a_bits, w_bits) if self.style == "SWU" else (8 // a_bits) * (8 // w_bits)

    def macs_per_cycle(self, a_bits: int, w_bits: int) -> float:
        """Of the whole array."""
        if self.bg == "BS":
            return 4096 / self.cycles(a_bits, w_bits)
        return 256 * self.products(a_bits, w_bits)

    def active(self, a_bits: int, w_bits: int) -> float:
        """Share of the multipliers that work."""
        return self.products(a_bits, w_bits) * a_bits * w_bits / 64 if self.style == "SWU" else 1.0

    def joined(self, a_bits: int, w_bits: int) -> float:
        """log2 of the multipliers that a bit group's sum joins."""
        if self.bg == "BS":
            return 0.0
        return math.log2(16 * self.active(a_bits, w_bits) / self.live(a_bits, w_bits))

    def live(self, a_bits: int, w_bits: int) -> int:
        """Sums that a bit group hands out."""
        products = self.products(a_bits, w_bits)
        if self.group in ("IS", "NO"):
            return products
        return min(products, 8 // a_bits) if self.group == "HS" else 1

    def output_bits(self, a_bits: int, w_bits: int) -> int:
        """Register bits of all sums in a mode."""
        sums = self.live(a_bits, w_bits)
        joined = (self.products(a_bits, w_bits) // sums - 1).bit_length()
        if self.bg == "BS":
            a_bits = w_bits = 8  # one width for all precisions: the sum grows in time
        return self.outputs * sums * (a_bits + w_bits + joined + self.depth + HEADROOM)

    @cached_property
    def group_inputs(self) -> tuple[int, int]:
        """(trees that join bit groups, bits of each of their 16 inputs); (0, 0) where time joins them."""
        if self.bg == "BS":
            return 0, 0
        inner = [OUTPUTS[kind] for level, kind in self.shared.items() if level < self.bg]
        summed = sum(4 - (outputs.bit_length() - 1) for outputs in inner)
        return UNITS[self.bg] * math.prod(inner), 4 + summed

    @property
    def pipe_bits(self) -> int:
        """Register bits between the sums of L2 and what joins them in time."""
        outputs = OUTPUTS[self.shared["L2"]]
        return UNITS["L2"] * outputs * (8 - (outputs.bit_length() - 1)) if self.bg == "BS" else 0

    @property
    def built_output_bits(self) -> int:
        """Of the mode that needs most."""
        return max(self.output_bits(*mode) for mode in MODES)

    @property
    def input_bits(self) -> int:
        """Operand bits that enter: shared words times the bits of a bit group's sides."""
        sides = [1, 1]
        for kind in self.spatial:
            sides = [side * words for side, words in zip(sides, SIDES[kind], strict=True)]
        if self.bg == "BS":
            return 2 * sum(sides)
        wide = {"IS": (8, 8), "NO": (8, 8), "HS": (32, 8), "OS": (32, 32)}[self.group]
        bits = (8, 8) if self.style == "SWU" else wide
        return sides[0] * bits[0] + sides[1] * bits[1]

    def levels(self, a_bits: int, w_bits: int) -> dict[str, Level]:
        """Adders at work, from the multipliers outwards."""
        streams, width, depth, found = 1, 4.0, 0, {}
        for level, kind in self.shared.items():
            grouped = level == self.bg
            kept = self.live(a_bits, w_bits) if grouped else OUTPUTS[kind]
            rise = 4 - (OUTPUTS[kind].bit_length() - 1)
            joined = 16 * (self.active(a_bits, w_bits) if grouped else 1) - kept
            after = width + (a_bits + w_bits - 4 + 0.0 if grouped else rise)
            found[level] = Level(UNITS[level] * streams * joined * (width + after) / 2, depth)
            depth += (4 if grouped else rise) if joined else 0
            streams, width = streams * kept, after
        return found
