"""Name -> part. One registry per kind of part; a file registers itself by one decorator line."""

import dataclasses
import difflib
import importlib
import importlib.util
import os
import pkgutil
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Generic, Protocol, TypeVar

#: how the modules of $ACCEL_SIM_PLUGINS are called
PLUGIN = "accel_sim_plugin_"
#: names listed in a refusal
MOST_NAMES = 50


class InputError(ValueError):
    """Bad input by the user: its text is one line that says what, where and what was expected (exit code 2).

    Whatever the input smuggled into it (line breaks, control characters) is escaped.
    """

    def __init__(self, text: str):
        super().__init__("".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text)))


def few(names: list[str], most: int = 5) -> str:
    """Some of the names, quoted, and dots for the rest."""
    return ", ".join(f"'{name}'" for name in names[:most]) + (", ..." if len(names) > most else "")


def unknown(kind: str, name: str, known: list[str]) -> InputError:
    """The error for a wrong name, with the nearest right one."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    more = len(known) - MOST_NAMES
    listed = ", ".join(known[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
    return InputError(f"unknown {kind} '{name}'{hint} (known: {listed})")


class Named(Protocol):
    """A class or a function: what a registry holds."""

    __module__: str
    __qualname__: str


#: what the parts of a registry are: ``type[...]`` of a protocol or base class, or the type of a function
PartT = TypeVar("PartT", bound=Named)


def lacking(part: object, *methods: str) -> str | None:
    """Why a registered class is no part: no frozen dataclass, or without something that it is asked for; None if it
    is one."""
    made = vars(part).get("__dataclass_params__") if isinstance(part, type) else None  # its own: parents have theirs
    if not isinstance(part, type) or not dataclasses.is_dataclass(part) or made is None or not made.frozen:
        return "is no frozen dataclass (register it above @dataclass(frozen=True))"
    own = {field.name for field in dataclasses.fields(part)}
    missing = {name for name in methods if name not in own and not hasattr(part, name)}
    missing |= set(getattr(part, "__abstractmethods__", ()))
    return f"has no {', '.join(sorted(missing))}" if missing else None


class Registry(Generic[PartT]):
    """Parts of one kind, found by importing every module of ``package`` (and of $ACCEL_SIM_PLUGINS) once."""

    def __init__(self, kind: str, package: str, unfit: Callable[[object], str | None] = lambda part: None):
        """unfit: why what is registered is no such part, None if it is one."""
        self.kind, self.unfit = kind, unfit
        self.package = package
        self._parts: dict[str, PartT] = {}
        self._complete = False

    def add(self, name: str) -> Callable[[PartT], PartT]:
        """Decorator: registers the decorated class or function under ``name``; a taken name is an error."""

        def register(part: PartT) -> PartT:
            if (reason := self.unfit(part)) is not None:
                raise ValueError(f"{self.kind} '{name}' {reason}")
            known = self._parts.get(name)
            if known is not None and (known.__module__, known.__qualname__) != (part.__module__, part.__qualname__):
                raise ValueError(f"{self.kind} '{name}' is registered twice")
            self._parts[name] = part
            return part

        return register

    def get(self, name: str) -> PartT:
        """The part; raises InputError with the nearest right name."""
        self._discover()
        if name not in self._parts:
            raise unknown(self.kind, name, self.names())
        return self._parts[name]

    def names(self) -> list[str]:
        """Of all registered parts, plugins' too, sorted."""
        self._discover()
        return sorted(self._parts)

    def name_of(self, part: object) -> str:
        """The name under which a part's class is registered."""
        self._discover()
        return next(name for name, known in self._parts.items() if known is type(part))

    def items(self) -> Iterator[tuple[str, PartT]]:
        """(name, part), sorted by name."""
        return ((name, self._parts[name]) for name in self.names())

    def _discover(self) -> None:
        if self._complete:
            return
        self._complete = True
        package = importlib.import_module(self.package)
        for module in pkgutil.walk_packages(package.__path__, f"{self.package}."):
            importlib.import_module(module.name)
        load_plugins()


def is_plugin(part: object) -> bool:
    """Whether a class or function comes from a file of $ACCEL_SIM_PLUGINS."""
    return str(getattr(part, "__module__", "")).startswith(PLUGIN)


def plugin_fault(error: BaseException) -> str | None:
    """An exception in one line, if a plug-in raised it or called what did: its file and line, type and text."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    own = [frame for frame in frames if str(frame.f_globals.get("__name__", "")).startswith(PLUGIN)]
    if not own:
        return None
    number = next(line for frame, line in traceback.walk_tb(error.__traceback__) if frame is own[-1])
    reason = (str(error) or "no reason given").splitlines()[0]
    return f"ACCEL_SIM_PLUGINS: {own[-1].f_code.co_filename} line {number}: {type(error).__name__}: {reason}"


def load_plugins() -> None:
    """Imports each ``*.py`` in the directories of $ACCEL_SIM_PLUGINS: a user's own parts, one file each."""
    for folder in filter(None, os.environ.get("ACCEL_SIM_PLUGINS", "").split(os.pathsep)):
        if not Path(folder).is_dir():
            raise InputError(f"ACCEL_SIM_PLUGINS: '{folder}' is no directory")
        for path in sorted(Path(folder).glob("*.py")):
            name = f"{PLUGIN}{path.stem}"
            if name in sys.modules:
                continue
            spec = importlib.util.spec_from_file_location(name, path)
            if spec is None or spec.loader is None:
                raise InputError(f"ACCEL_SIM_PLUGINS: {path} does not load: no kind of file that Python imports")
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module
            try:
                spec.loader.exec_module(module)
            except Exception as error:  # a plugin may fail in any way
                del sys.modules[name]
                reason = (str(error) or type(error).__name__).splitlines()[0]
                raise InputError(f"ACCEL_SIM_PLUGINS: {path} does not load: {type(error).__name__}: {reason}") from None
