"""The colours of causes: the same in every figure, page and notebook."""

#: families, in Okabe-Ito colours (safe for colour-blind readers): what a cause costs and what its component takes in
#: energy look alike. Hatched: the way back, or a second of the family
WORK, WASTE, IDLE, MEMORY, LEVEL = "#009E73", "#E69F00", "#D9D9D9", "#0072B2", "#56B4E9"
DECODER, UNEVEN, CONTROL, PIPE, FIXED = "#CC79A7", "#D55E00", "#F0E442", "#999999", "#000000"
HATCH = "////"
CAUSE_STYLE = {
    "effectual": (WORK, ""), "ineffectual": (WASTE, ""), "unmapped": (IDLE, ""), "decode": (DECODER, ""),
    "sram": (LEVEL, ""), "noc": (LEVEL, HATCH), "imbalance": (UNEVEN, ""), "dispatch": (CONTROL, ""),
    "fill_drain": (PIPE, ""), "output": (DECODER, HATCH), "dram_read": (MEMORY, ""), "dram_write": (MEMORY, HATCH),
    "reconfigure": (FIXED, ""), "post": (CONTROL, HATCH), "dependency": (FIXED, HATCH),
}  # fmt: skip
#: what bounds a layer: a cause, or compute
BOUND_STYLE = {"compute": (WORK, "")} | CAUSE_STYLE
