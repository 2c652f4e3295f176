"""The ``pico`` command. One module for each subcommand, imported when it is called."""

from __future__ import annotations

import importlib

import click

from .. import __version__

_COMMANDS = ("encode", "decode", "info", "demo", "bench", "export")


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        return importlib.import_module(f".{name}", __name__).command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="pico-plugins")
def main() -> None:
    """Learned image compression: photos to .pico files and back."""
