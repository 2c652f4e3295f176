"""``python -m pico_plugins``: the ``pico`` command."""

from .cli import main

if __name__ == "__main__":
    main(prog_name="pico")
