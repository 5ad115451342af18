"""Floor 0: compiled kernels. Arrays in, arrays and numbers out; no classes, no callbacks, GIL released."""

import hashlib
from pathlib import Path

try:
    from cython_core._build import build_info
except ModuleNotFoundError as error:  # a checkout that was never built, or one that shadows an installed copy
    raise ModuleNotFoundError(
        f"accel_sim's kernels are not compiled in {Path(__file__).parent}: run 'make install' "
        f"(or 'pip install -e .') in the checkout"
    ) from error

__all__ = ["build_info", "source_hash"]


def source_hash() -> str:
    """Digest of the kernel sources beside this file; differs from ``build_info()['source']`` if the build is stale."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.p[xy][dx]")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]
