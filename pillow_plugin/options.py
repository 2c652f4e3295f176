"""Defaults of the plugin. ``Image.open`` takes no options, so what decoding needs can only be set here."""

from __future__ import annotations

from dataclasses import dataclass, fields

from pico_plugins.quality import check_quality, check_realism


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
        """Change some options, or none of them if one is wrong.

        Raises ``TypeError`` for a name that is none, ``ValueError`` for a value out of range.
        """
        names = {field.name for field in fields(self)}
        for name, value in options.items():
            if name not in names:
                msg = f"unknown option {name!r}; there are {', '.join(sorted(names))}"
                raise TypeError(msg)
            if value is not None or name == "quality":  # None is the default of the others
                _CHECKS[name](value)
        for name, value in options.items():
            setattr(self, name, value)


def _check_threads(threads: int) -> None:
    from pico_plugins.pipeline import thread_count

    thread_count(threads)


def _check_backend(backend: str) -> None:
    from pico_plugins.backends import resolve

    resolve(backend)


_CHECKS = {"quality": check_quality, "realism": check_realism, "threads": _check_threads, "backend": _check_backend}

OPTIONS = Options()
"""The options in force, for the whole process."""
