"""Names that can be used, kind by kind; what holds them is imported when it is asked for."""

KINDS = (
    "networks", "hardware", "macs", "dataflows", "encodings", "formats", "memories", "interconnects", "experiments",
)  # fmt: skip


def names_of(kind: str) -> list[str]:
    """Names of one kind of KINDS."""
    if kind == "networks":
        from workloads.network import networks

        return networks.names()
    if kind == "hardware":
        from accel_sim.machine.config import presets

        return presets()
    if kind == "experiments":
        from accel_sim.results.experiment import experiments

        return sorted(experiments())
    if kind == "encodings":
        from workloads.encoding import encodings

        return encodings.names()
    if kind == "formats":
        from workloads.format import formats

        return formats.names()
    from accel_sim import parts

    return getattr(parts, kind).names()
