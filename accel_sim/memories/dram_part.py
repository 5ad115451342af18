"""DRAM parts: timings, geometry and currents, shipped as tables or given by the user, each figure with its source."""

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources

from workloads.registry import InputError, unknown

TABLES = "accel_sim.tables.dram"
#: powers of two, so that an address splits into bits
GEOMETRY = ("ranks", "bank_groups", "banks_per_group", "rows", "columns", "device_bits", "bus_bits", "burst_length")
#: memory clocks
CLOCKS = (
    "burst_clocks", "CL", "CWL", "tRCDRD", "tRCDWR", "tRP", "tRAS", "tRRD_S", "tRRD_L", "tFAW", "tCCD_S", "tCCD_L",
    "tWTR_S", "tWTR_L", "tWR", "tRTP", "tRTW", "tRTRS", "tRFC", "tREFI",
)  # fmt: skip
#: nanoseconds, volts, milliamperes of one device
ANALOG = ("tCK_ns", "VDD_v", "IDD0_ma", "IDD2N_ma", "IDD3N_ma", "IDD4R_ma", "IDD4W_ma", "IDD5_ma")
PARAMETERS = (*GEOMETRY, *CLOCKS, *ANALOG)
#: no whole number of a part is larger: times and addresses are int64
MOST = 1 << 24
#: the mask that keeps the banks a controller looks at has this many bits
MAX_BANKS = 64


def names() -> list[str]:
    """The shipped parts."""
    files = resources.files(TABLES).iterdir()
    return sorted(path.name.removesuffix(".csv") for path in files if path.name.endswith(".csv"))


def find(part: str | Mapping[str, object]) -> "DramPart":
    """A shipped part by name, or a user's own: a mapping of parameters over those of ``base`` (a name), if it has one.

    Raises InputError for an unknown name or parameter, a missing one, or a value no part can have.
    """
    if isinstance(part, str):
        if part not in names():
            raise unknown("DRAM part", part, names())
        text = resources.files(TABLES).joinpath(f"{part}.csv").read_text(encoding="utf-8")
        rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
        values = {row["parameter"]: _number(row["value"]) for row in rows}
        return DramPart(part, values, {row["parameter"]: row["source"] for row in rows})
    own = dict(part)
    base = own.pop("base", None)
    if not isinstance(base, str | None):
        raise InputError(f"DRAM part: base={base!r} must be the name of a part (one of {', '.join(names())})")
    values, sources = ({}, {}) if base is None else (dict(find(base).values), dict(find(base).sources))
    if "tRCD" in own:  # one figure for both where a part does not tell them apart
        own |= {key: own["tRCD"] for key in ("tRCDRD", "tRCDWR") if key not in own}
        del own["tRCD"]
    for key, value in own.items():
        if key not in PARAMETERS:
            raise unknown("DRAM parameter", str(key), list(PARAMETERS))
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise InputError(f"DRAM part: {key}={value!r} must be a number")
        values[key], sources[key] = value, "given by the user"
    return DramPart("own" if base is None else f"{base} with own {', '.join(own) or 'name'}", values, sources)


def _number(text: str) -> int | float:
    return float(text) if "." in text else int(text)


@dataclass(frozen=True)
class DramPart:
    """One channel of a part. values, sources: by parameter of PARAMETERS; columns are as wide as the bus."""

    name: str
    values: Mapping[str, int | float]
    sources: Mapping[str, str]

    def __post_init__(self) -> None:
        missing = [key for key in PARAMETERS if key not in self.values]
        if missing:
            raise InputError(f"DRAM part '{self.name}': {', '.join(missing)} missing; give them, or a base")
        for key in (*GEOMETRY, *CLOCKS):
            least = int(key not in ("tRTW", "tRTRS"))
            if not least <= self[key] <= MOST or self[key] != int(self[key]):
                raise InputError(
                    f"DRAM part '{self.name}': {key}={self[key]} must be a whole number, {least} to {MOST}"
                )
        for key in GEOMETRY:
            if int(self[key]) & (int(self[key]) - 1):
                raise InputError(f"DRAM part '{self.name}': {key}={self[key]} must be a power of two")
        for key in ANALOG:
            if not 0 < self[key] < 1e6:
                raise InputError(f"DRAM part '{self.name}': {key}={self[key]} must be positive")
        for low, high, why in (
            ("burst_length", "columns", "a row holds whole bursts"),
            ("device_bits", "bus_bits", "a bus has whole devices"),
            ("CWL", "CL", "a rank turns round from writing to reading"),
            ("IDD3N_ma", "IDD4R_ma", "a read takes more than standby"),
            ("IDD3N_ma", "IDD4W_ma", "a write takes more than standby"),
            ("IDD3N_ma", "IDD5_ma", "a refresh takes more than standby"),
        ):
            if self[low] > self[high]:
                raise InputError(f"DRAM part '{self.name}': {low}={self[low]} is above {high}={self[high]}: {why}")
        if self["bus_bits"] * self["burst_length"] % 8:
            raise InputError(f"DRAM part '{self.name}': a burst must be whole bytes")
        need = self.refresh_and_access
        if self["tREFI"] < need:
            raise InputError(
                f"DRAM part '{self.name}': tREFI={self['tREFI']} must be at least {need}: a refresh "
                f"(tRFC={self['tRFC']}) and an access of every rank, or refreshes fill the time"
            )
        banks = self["ranks"] * self["bank_groups"] * self["banks_per_group"]
        if banks > MAX_BANKS:
            raise InputError(f"DRAM part '{self.name}': {banks} banks on a channel, at most {MAX_BANKS}; use channels")

    def __getitem__(self, key: str) -> int | float:
        return self.values[key]

    @property
    def burst_bytes(self) -> int:
        """Bytes of one RD or WR on one channel."""
        return int(self["bus_bits"] * self["burst_length"]) // 8

    @property
    def channel_bytes(self) -> int:
        """Capacity of one channel."""
        banks = self["ranks"] * self["bank_groups"] * self["banks_per_group"]
        return int(banks * self["rows"] * self["columns"] * self["bus_bits"]) // 8

    @property
    def refresh_and_access(self) -> int:
        """Clocks in which a rank is surely refreshed and makes an access: a row opened, used and closed, and REF; and
        a clock of the command bus for each of the four commands of every rank. Less could keep bursts waiting for
        ever, as refreshes go first."""
        g = self.gaps
        used = max(g["ras"], g["rcd_wr"] + g["write_to_pre"], g["rcd_rd"] + g["rtp"])
        return g["rfc"] + used + g["rp"] + 4 * int(self["ranks"])

    @cached_property
    def gaps(self) -> dict[str, int]:
        """The least clocks between commands, as ``cython_core.dram`` names them."""
        v = {key: int(self[key]) for key in CLOCKS}
        burst, CL, CWL = v["burst_clocks"], v["CL"], v["CWL"]
        return {
            "rcd_rd": v["tRCDRD"], "rcd_wr": v["tRCDWR"], "rp": v["tRP"], "ras": v["tRAS"],
            "rc": v["tRAS"] + v["tRP"], "rrd_s": v["tRRD_S"], "rrd_l": max(v["tRRD_L"], v["tRRD_S"]),
            "faw": v["tFAW"], "ccd_s": max(burst, v["tCCD_S"]), "ccd_l": max(burst, v["tCCD_L"], v["tCCD_S"]),
            "rtp": v["tRTP"], "rfc": v["tRFC"], "refi": v["tREFI"],
            "read_done": CL + burst, "write_done": CWL + burst, "read_to_write": CL + burst + v["tRTW"] - CWL,
            "write_to_read_s": CWL + burst + v["tWTR_S"], "write_to_read_l": CWL + burst + v["tWTR_L"],
            "write_to_pre": CWL + burst + v["tWR"],
            "other_rr": burst + v["tRTRS"], "other_rw": CL + burst + v["tRTRS"] - CWL,
            "other_wr": max(burst, CWL + burst + v["tRTRS"] - CL), "other_ww": burst,
        }  # fmt: skip

    @cached_property
    def energies(self) -> dict[str, tuple[float, str]]:
        """action -> (pJ, source), by the currents of all devices of a rank (as DRAMsim3 computes it): V x mA x ns = pJ.

        act_pre: an ACT and its PRE; rd, wr: a burst; ref: a refresh of the rank; background_open and
        background_precharged: one clock of a rank with a row open and with none. I/O and termination are not in it.
        """
        v = self.values
        devices = v["bus_bits"] / v["device_bits"]
        unit = v["VDD_v"] * v["tCK_ns"] * devices
        RAS, RP, burst = v["tRAS"], v["tRP"], v["burst_clocks"]
        idle, active = v["IDD2N_ma"], v["IDD3N_ma"]
        forms = {
            "act_pre": (
                v["IDD0_ma"] * (RAS + RP) - active * RAS - idle * RP,
                "VDD (IDD0 tRC - IDD3N tRAS - IDD2N tRP)", ("IDD0_ma", "IDD3N_ma", "IDD2N_ma", "tRAS", "tRP"),
            ),
            "rd": ((v["IDD4R_ma"] - active) * burst, "VDD (IDD4R - IDD3N) burst", ("IDD4R_ma", "IDD3N_ma")),
            "wr": ((v["IDD4W_ma"] - active) * burst, "VDD (IDD4W - IDD3N) burst", ("IDD4W_ma", "IDD3N_ma")),
            "ref": ((v["IDD5_ma"] - active) * v["tRFC"], "VDD (IDD5 - IDD3N) tRFC", ("IDD5_ma", "IDD3N_ma", "tRFC")),
            "background_open": (active, "VDD IDD3N a clock", ("IDD3N_ma",)),
            "background_precharged": (idle, "VDD IDD2N a clock", ("IDD2N_ma",)),
        }  # fmt: skip
        found = {}
        for action, (charge, form, used) in forms.items():
            sources = "; ".join(dict.fromkeys(self.sources[key] for key in ("VDD_v", "tCK_ns", *used)))
            found[action] = max(0.0, charge) * unit, f"{form} x {devices:g} devices of {self.name}: {sources}"
        return found
