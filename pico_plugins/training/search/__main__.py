"""``python -m pico_plugins.training.search``."""

from .cli import main

main()
