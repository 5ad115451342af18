"""What components did: (component, action, width in bits) -> count. Energy is priced from these alone."""

from collections import Counter

#: (component, action, width in bits)
Action = tuple[str, str, int]


class Actions(Counter[Action]):
    """A Counter with integer counts; ``a + b`` would drop zero rows, ``update`` adds in place and keeps them."""

    def times(self, n: int) -> "Actions":
        """The same actions n times."""
        return Actions({key: count * n for key, count in self.items()})
