"""Banked memory as its definition: sets of words, one set a bank."""


def conflicts(steps: list[list[int]], per_word: int, banks: int, ports: int) -> tuple[list[int], int]:
    """(cycles of each step, words accessed in all); a negative address is no access."""
    cycles, total = [], 0
    for step in steps:
        words = {address // per_word for address in step if address >= 0}
        queues = [[word for word in words if word % banks == bank] for bank in range(banks)]
        clock = 0
        while any(queues):  # a bank serves as many words in a cycle as it has ports
            queues = [queue[ports:] for queue in queues]
            clock += 1
        cycles.append(clock)
        total += len(words)
    return cycles, total
