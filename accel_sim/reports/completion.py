"""Shell completion, made from the parser itself: commands, options, choices, and the names a position takes."""

import argparse
from collections.abc import Callable, Iterable

#: a positional's metavar -> the kind of names it takes, as in ``accel-sim list KIND``
NAMES = {"NETWORK": "networks", "HARDWARE": "hardware", "NAME|all": "experiments"}


def words(parser: argparse.ArgumentParser, names: Callable[[str], list[str]]) -> dict[str, list[str]]:
    """Command -> what may follow it, options last; "" -> the commands. names: kind -> names."""
    commands = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction)).choices
    found = {"": [*commands, "--help"]}
    for command, sub in commands.items():
        values: list[str] = []
        options: list[str] = []
        for action in sub._actions:
            options += [option for option in action.option_strings if option.startswith("--")]
            if not action.option_strings:
                values += action.choices or names(NAMES.get(str(action.metavar), ""))
        if command == "show":
            values += names("networks") + names("hardware")
        if command == "stats":
            values += names("networks")
        found[command] = [*dict.fromkeys(values), *options]
    return found


def script(shell: str, found: dict[str, list[str]]) -> str:
    """shell: bash, zsh or fish."""
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](found)


def _cases(found: dict[str, list[str]]) -> Iterable[str]:
    for command, choices in found.items():
        if command:
            yield f"    {command}) choices={_quoted(choices)} ;;"


def _quoted(choices: list[str]) -> str:
    return "'" + " ".join(choices).replace("'", "'\\''") + "'"


def _bash(found: dict[str, list[str]]) -> str:
    cases = "\n".join(_cases(found))
    return f"""# accel-sim completion bash > ~/.local/share/bash-completion/completions/accel-sim
_accel_sim() {{
  local choices={_quoted(found[""])} word="${{COMP_WORDS[COMP_CWORD]}}"
  if (( COMP_CWORD > 1 )); then
    case "${{COMP_WORDS[1]}}" in
{cases}
    *) choices='' ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$choices" -- "$word"))
  [[ $word == -* ]] || COMPREPLY+=($(compgen -f -- "$word"))
}}
complete -o filenames -F _accel_sim accel-sim
"""


def _zsh(found: dict[str, list[str]]) -> str:
    cases = "\n".join(_cases(found))
    return f"""#compdef accel-sim
# accel-sim completion zsh > a file named _accel-sim in a directory of $fpath
_accel_sim() {{
  local choices={_quoted(found[""])}
  if (( CURRENT > 2 )); then
    case "${{words[2]}}" in
{cases}
    *) choices='' ;;
    esac
  fi
  compadd -- ${{=choices}}
  (( CURRENT > 2 )) && _files
}}
compdef _accel_sim accel-sim
"""


def _fish(found: dict[str, list[str]]) -> str:
    lines = ["# accel-sim completion fish > ~/.config/fish/completions/accel-sim.fish"]
    lines.append(f"complete -c accel-sim -f -n __fish_use_subcommand -a {_quoted(found[''])}")
    for command, choices in found.items():
        if not command:
            continue
        seen = f"-n '__fish_seen_subcommand_from {command}'"
        lines.append(f"complete -c accel-sim {seen} -a {_quoted([w for w in choices if not w.startswith('--')])}")
        lines += [f"complete -c accel-sim {seen} -l {word[2:]}" for word in choices if word.startswith("--")]
    return "\n".join(lines) + "\n"
