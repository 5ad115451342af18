"""What the stages of a run hand each other: tiles, actions, causes, places in memory. It knows no part of a machine."""
