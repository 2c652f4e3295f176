"""Defaults of the plugin. ``Image.open`` takes no options, so what decoding needs can only be set here."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass
class Options:
    """``quality``: of saving, 1 ... 100. ``realism``: of loading, 0 faithful ... 1 perceptual; None: as the file says.

    ``threads``: tiles worked on at once; None: one for each CPU. ``backend``: a name from ``pico_plugins.backends``.
    """

    quality: float = 75
    realism: float | None = None
    threads: int | None = None
    backend: str | None = None

    def update(self, **options: object) -> None:
        """Change some options. Raises ``TypeError`` for a name that is none."""
        names = {field.name for field in fields(self)}
        for name, value in options.items():
            if name not in names:
                msg = f"unknown option {name!r}; there are {', '.join(sorted(names))}"
                raise TypeError(msg)
            setattr(self, name, value)


OPTIONS = Options()
"""The options in force, for the whole process."""
