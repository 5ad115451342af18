from typing import TypedDict, type_check_only

@type_check_only
class _BuildInfo(TypedDict):
    flags: str
    debug: bool
    source: str

def build_info() -> _BuildInfo: ...
