"""The ``pico`` command. One module for each subcommand, imported when it is called."""

from __future__ import annotations

import importlib

import click

from .. import __version__
from .failures import failures_in_one_line, printing_anything

_COMMANDS = ("encode", "decode", "info", "demo", "bench", "export")


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        return importlib.import_module(f".{name}", __name__).command

    def invoke(self, ctx: click.Context) -> object:
        printing_anything()
        with failures_in_one_line():
            return super().invoke(ctx)


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="pico-plugins")
def main() -> None:
    """Learned image compression: photos to .pico files and back.

    Exit codes: 0 all good, 1 something failed, 2 wrong usage, 130 interrupted.
    """
