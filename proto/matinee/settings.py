"""The command line of a room, made from typed configuration: one frozen class a command.

The text under each field is its help; each field is a flag and, as `MATINEE_<FIELD>`, an environment variable; fields
marked `CliPositionalArg` are positional. Rooms import this module; the client needs none of it.
"""

import inspect
import textwrap
from argparse import Action, ArgumentParser
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, CliApp, CliSettingsSource, SettingsConfigDict, SettingsError
from rich.console import Console

from matinee.command import DONE, WRONG_USAGE, Result, finish, say


class Command(BaseSettings):
    """One command: its docstring is the help, its fields are the flags, `run` does the work."""

    model_config = SettingsConfigDict(
        frozen=True,
        env_prefix="MATINEE_",
        env_prefix_target="all",
        use_attribute_docstrings=True,
        cli_kebab_case=True,
        cli_implicit_flags="toggle",
        cli_avoid_json=True,
        cli_hide_none_type=True,
        cli_exit_on_error=True,
        cli_enforce_required=True,
    )

    examples: ClassVar[str] = ""
    """Lines that a person can copy; they end the help."""

    as_json: bool = Field(default=False, validation_alias="json")
    """Print the result as one JSON document on standard output."""

    def run(self) -> Result | None:
        """Do the work; what it returns is what `--json` prints, None where it has printed that already."""
        raise NotImplementedError

    def show(self, result: Result, console: Console) -> None:
        """Print the result for people, on standard output."""


class Group:
    """Commands under one verb, such as those of `matinee store`."""

    def __init__(self, summary: str, commands: "Commands") -> None:
        self.summary = summary
        self.commands = commands


Commands = Mapping[str, type[Command] | Group]


def progress_console() -> Console:
    """Where progress bars and remarks go: standard error, so that standard output carries the result alone."""
    return Console(stderr=True)


def main(commands: Commands, arguments: Sequence[str], program: str = "matinee") -> int:
    """Parse `arguments` (the verb first) into the verb's command and run it; the exit status."""
    verb, *rest = arguments or ["--help"]
    if verb not in commands:
        return _overview(commands, verb, program)
    chosen, program = commands[verb], f"{program} {verb}"
    if isinstance(chosen, Group):
        return main(chosen.commands, rest, program)
    command = _parse(chosen, rest, program)
    if command is None:
        return WRONG_USAGE
    return finish(command.run, command.as_json, lambda result: command.show(result, Console()))


def _overview(commands: Commands, verb: str, program: str) -> int:
    if verb not in ("-h", "--help"):
        say(f"{program}: no command {verb!r}; there are {', '.join(commands)}")
        return WRONG_USAGE
    print(f"usage: {program} COMMAND …\n")
    for name, command in commands.items():
        summary = command.summary if isinstance(command, Group) else inspect.getdoc(command) or ""
        print(f"  {name:<15} {summary.splitlines()[0]}")
    print(f"\n{program} COMMAND --help explains one.")
    return DONE


def _add_argument(parser: ArgumentParser, *flags: str, **options: Any) -> Action:
    """Every flag but -h with two dashes, `--k` too: pydantic-settings gives those of one letter only one."""
    doubled = (flag if flag in ("-h", "--help") or flag[:2] == "--" else flag.replace("-", "--") for flag in flags)
    return parser.add_argument(*doubled, **options)


def _parse(kind: type[Command], arguments: Sequence[str], program: str) -> Command | None:
    """The command that the arguments describe, or None after one sentence on what is wrong with them."""
    source = CliSettingsSource[type[Command]](kind, cli_prog_name=program, add_argument_method=_add_argument)
    source.root_parser.description = inspect.getdoc(kind)  # type: ignore[attr-defined]  # argparse's, typed as object
    source.root_parser.epilog = textwrap.dedent(kind.examples)  # type: ignore[attr-defined]  # the same
    try:
        return CliApp.run(kind, cli_args=list(arguments), cli_settings_source=source)
    except ValidationError as error:
        first = error.errors()[0]
        # Without the position in a list, which is no part of the flag.
        where = "-".join(part for part in first["loc"] if isinstance(part, str)).replace("_", "-")
        flag = f"--{where} is {first['input']!r}: " if where else ""
        say(f"{program}: {flag}{first['msg']}; see {program} --help")
    except SettingsError as error:
        say(f"{program}: {error}; see {program} --help")
    return None
