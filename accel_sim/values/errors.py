"""What a run may raise beside an InputError."""


class CheckError(Exception):
    """A checked run computed something else than the reference (exit code 3); its text names the layer."""
