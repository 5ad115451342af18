"""Build of the compiled kernels; everything declarative stands in pyproject.toml.

Environment: ACCEL_SIM_NATIVE=1 compiles for this machine only, ACCEL_SIM_DEBUG=1 switches bounds and
initialisation checks on, ACCEL_SIM_ANNOTATE=1 writes Cython's HTML beside the generated C.
"""

import hashlib
import os
import shutil
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

HERE = Path(__file__).parent
DEBUG = os.environ.get("ACCEL_SIM_DEBUG") == "1"
NATIVE = os.environ.get("ACCEL_SIM_NATIVE") == "1"
FLAGS = ["/O2"] if sys.platform == "win32" else ["-O3", "-g0"] + (["-march=native"] if NATIVE else [])
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "wraparound": False,
    "initializedcheck": DEBUG,
    "nonecheck": DEBUG,
    "cdivision": True,
    "embedsignature": True,
    "freethreading_compatible": True,
}


def source_hash() -> str:
    """The same digest as cython_core.source_hash(): a stale build is found by comparing the two."""
    digest = hashlib.sha256()
    for path in sorted((HERE / "cython_core").glob("*.p[xy][dx]")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


class BuildKernels(build_ext):
    """Says in one sentence what is missing when there is no C compiler."""

    def build_extensions(self):
        """SystemExit if there is no C compiler."""
        self.force = True  # flags are not part of a time stamp: never keep an object made with others
        compiler = getattr(self.compiler, "compiler", None)
        if compiler and shutil.which(compiler[0]) is None:
            raise SystemExit(
                f"accel_sim needs a C compiler (gcc or clang) to build its kernels; '{compiler[0]}' was not found"
            )
        super().build_extensions()


def extensions() -> list[Extension]:
    """One for each .pyx."""
    build = f'"flags={" ".join(FLAGS)} debug={int(DEBUG)} source={source_hash()}"'
    # a change of flags or of any kernel must reach the compiler, hence the define on every extension
    return [
        Extension(
            f"cython_core.{path.stem}",
            [str(path.relative_to(HERE))],
            extra_compile_args=FLAGS,
            define_macros=[("ACCEL_SIM_BUILD", build)],
        )
        for path in sorted((HERE / "cython_core").glob("*.pyx"))
    ]


setup(
    ext_modules=cythonize(
        extensions(),
        build_dir="build/cython-debug" if DEBUG else "build/cython",
        compiler_directives=DIRECTIVES,
        annotate=os.environ.get("ACCEL_SIM_ANNOTATE") == "1",
    ),
    cmdclass={"build_ext": BuildKernels},
)
