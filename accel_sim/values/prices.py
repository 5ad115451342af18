"""What a part that prices its own actions sees of a machine's energy table."""

from typing import Protocol


class Prices(Protocol):
    """Energies of operations, each with its source."""

    def per_bit(self, operation: str, bits: int) -> tuple[float, str]:
        """(pJ, source) of an operation on so many bits, from its price for one."""
