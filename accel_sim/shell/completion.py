"""Shell completion, made from the parser itself: commands, options with their values, and the names a place takes."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field

#: a positional's metavar, or an option -> the kind of names it takes
NAMES = {"NETWORK": "networks", "HARDWARE": "hardware", "NAME|all": "experiments", "--part": "parts"}
#: a file can stand where one of these is part of the metavar
FILES = ("FILE", "DIR", ".yaml", ".csv", "NETWORK", "HARDWARE")


@dataclass
class Place:
    """What may stand somewhere: names, and files if ``files``."""

    names: list[str]
    files: bool


@dataclass
class Command:
    """places: of the words that are no options, the last again and again if ``more``; valued: option -> its value."""

    places: list[Place] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    valued: dict[str, Place] = field(default_factory=dict)
    more: bool = False


def words(parser: argparse.ArgumentParser, names: Callable[[str], list[str]]) -> dict[str, Command]:
    """Command -> what may follow it. names: kind -> names."""
    (commands,) = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return {name: _command(name, sub, names) for name, sub in commands.choices.items()}


def _command(name: str, sub: argparse.ArgumentParser, names: Callable[[str], list[str]]) -> Command:
    found = Command()
    for action in sub._actions:
        options = [option for option in action.option_strings if option.startswith("--")]
        kind = NAMES.get(options[0] if options else str(action.metavar), "")
        choices = list(action.choices) if action.choices else names(kind)
        if (name, action.dest) == ("show", "name"):
            choices = names("networks") + names("hardware")
        elif action.metavar == "NAME|all":
            choices = [*choices, "all"]
        files = any(each in str(action.metavar) for each in FILES) or kind == "parts" or action.dest == "name"
        place = Place(choices, files and not action.choices and kind != "experiments")
        if not action.option_strings:
            found.places.append(place)
            found.more = action.nargs == "+"
        elif action.nargs == 0:
            found.flags += options
        else:
            found.valued |= dict.fromkeys(options, place)
    return found


def script(shell: str, found: dict[str, Command]) -> str:
    """shell: bash, zsh or fish."""
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](found)


def _quoted(choices: list[str]) -> str:
    return "'" + " ".join(choices).replace("'", "'\\''") + "'"


def _choices(found: dict[str, Command]) -> str:
    """A function for bash and zsh: sets ``choices`` and ``files`` from ``typed`` (words) and ``at`` (number of the
    one to complete); ``word`` is what is there of it."""
    options, values, places = [], [], []
    for name, command in found.items():
        options.append(f"    {name}) flags={_quoted(command.flags)} valued={_quoted(list(command.valued))} ;;")
        for option, place in command.valued.items():
            values.append(f"      '{name} {option}') choices={_quoted(place.names)} files={place.files:d} ;;")
        for number, place in enumerate(command.places):
            pattern = f"'{name} '*" if command.more and number == len(command.places) - 1 else f"'{name} {number}'"
            places.append(f"      {pattern}) choices={_quoted(place.names)} files={place.files:d} ;;")
    body = "\n".join(options), "\n".join(values), "\n".join(places)
    return f"""__accel_sim_choices() {{
  local before="${{typed[at-1]}}" command="${{typed[1]}}" flags='' valued='' place=0 i
  choices='' files=0
  if (( at < 2 )); then
    choices={_quoted([*found, "--help"])}
    return
  fi
  case "$command" in
{body[0]}
    *) return ;;
  esac
  if [[ $before == '=' ]]; then before="${{typed[at-2]}}"; fi
  if [[ " $valued " == *" $before "* ]]; then
    case "$command $before" in
{body[1]}
    esac
    return
  fi
  for (( i = 2; i < at; i++ )); do
    case "${{typed[i]}}" in
      '='|':') i=$((i + 1)) ;;  # the rest of a word that the shell has split
      -*) if [[ " $valued " == *" ${{typed[i]}} "* && "${{typed[i+1]}}" != '=' ]]; then i=$((i + 1)); fi ;;
      *) place=$((place + 1)) ;;
    esac
  done
  if [[ $word != -* ]]; then
    case "$command $place" in
{body[2]}
    esac
  fi
  if [[ -z $choices && $files == 0 ]]; then choices="$flags $valued"; fi
}}
"""


def _bash(found: dict[str, Command]) -> str:
    return f"""# accel-sim completion bash > ~/.local/share/bash-completion/completions/accel-sim
{_choices(found)}
_accel_sim() {{
  local typed=("${{COMP_WORDS[@]}}") at=$COMP_CWORD word="${{COMP_WORDS[COMP_CWORD]}}" choices files
  if [[ $word == '=' ]]; then word=''; typed[at]=''; typed=("${{typed[@]:0:at}}" '=' ''); at=$((at + 1)); fi
  __accel_sim_choices
  COMPREPLY=($(compgen -W "$choices" -- "$word"))
  if (( files )); then COMPREPLY+=($(compgen -f -- "$word")); fi
}}
complete -o filenames -F _accel_sim accel-sim
"""


def _zsh(found: dict[str, Command]) -> str:
    return f"""#compdef accel-sim
# accel-sim completion zsh > a file named _accel-sim in a directory of $fpath
{_choices(found).replace("{", "{" + chr(10) + "  setopt local_options ksh_arrays", 1)}
_accel_sim() {{
  local -a typed
  local at=$((CURRENT - 1)) word="${{words[CURRENT]}}" choices files
  typed=("${{words[@]}}")
  __accel_sim_choices
  compadd -- ${{=choices}}
  if (( files )); then _files; fi
}}
if [[ ${{funcstack[1]}} == _accel-sim ]]; then _accel_sim "$@"; else compdef _accel_sim accel-sim; fi
"""


def _fish(found: dict[str, Command]) -> str:
    lines = [
        "# accel-sim completion fish > ~/.config/fish/completions/accel-sim.fish",
        "# true where a word of a command is due that is no option; the options after its number take a value",
        "function __accel_sim_at --argument-names command place",
        "    set -l typed (commandline -opc)",
        '    test (count $typed) -ge 2; and test "$typed[2]" = $command; or return 1',
        "    set -l valued $argv[3..]",
        "    set -e typed[1..2]",
        "    set -l found 0",
        "    set -l skip 0",
        "    for word in $typed",
        "        if test $skip = 1",
        "            set skip 0",
        "        else if contains -- $word $valued",
        "            set skip 1",
        "        else if not string match -q -- '-*' $word",
        "            set found (math $found + 1)",
        "        end",
        "    end",
        '    test $found -eq (string replace + "" $place); or string match -q "*+" $place',
        "end",
        "complete -c accel-sim -f",
        f"complete -c accel-sim -n __fish_use_subcommand -a {_quoted(list(found))}",
    ]
    for name, command in found.items():
        for number, place in enumerate(command.places):
            more = "+" if command.more and number == len(command.places) - 1 else ""
            test = f"__accel_sim_at {name} {number}{more} {' '.join(command.valued)}"
            names = f" -a {_quoted(place.names)}" if place.names else ""
            lines.append(f"complete -c accel-sim -n '{test}'{' -F' if place.files else ''}{names}")
        seen = f"complete -c accel-sim -n '__fish_seen_subcommand_from {name}'"
        lines += [f"{seen} -l {flag[2:]}" for flag in command.flags]
        for option, place in command.valued.items():
            names = f" -a {_quoted(place.names)}" if place.names else ""
            lines.append(f"{seen} -l {option[2:]} -r {'-F' if place.files else '-f'}{names}")
    return "\n".join(lines) + "\n"
