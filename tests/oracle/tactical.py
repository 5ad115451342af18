"""Weights scheduled ahead, written as the rule is told: look at every place in turn, and take what may move there."""


def schedule(weights, offsets):
    """weights: [filters][steps][lanes] numbers; offsets: (steps ahead, lanes aside). Returns [step][filter][lane] of
    (step, lane) or None."""
    filters, steps, lanes = len(weights), len(weights[0]), len(weights[0][0])
    left = {
        (f, t, lane) for f in range(filters) for t in range(steps) for lane in range(lanes) if weights[f][t][lane] != 0
    }
    found, head = [], 0
    while left:
        while not any(t == head for _, t, _ in left):
            head += 1
        places = [[None] * lanes for _ in range(filters)]
        for f in range(filters):
            own = [lane for lane in range(lanes) if (f, head, lane) in left]
            for lane in own:
                left.remove((f, head, lane))
                places[f][lane] = (head, lane)
            for lane in range(lanes):
                if lane in own:
                    continue
                for ahead, aside in offsets:
                    candidate = (f, head + ahead, (lane + aside) % lanes)
                    if candidate in left:
                        left.remove(candidate)
                        places[f][lane] = candidate[1:]
                        break
        found.append(places)
        head += 1
    return found


def slowest(places, costs):
    """Cycles of one step of a window: the most that a filter's lanes take. costs: [step][lane]."""
    return max(1, max(costs[t][lane] if at else 0 for row in places for at in row for t, lane in [at or (0, 0)]))
