"""Defaults of the plugin. ``Image.open`` takes no options, so what decoding needs can only be set here."""

from __future__ import annotations

from dataclasses import dataclass, fields

from pico_plugins.quality import check_quality


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
            _CHECKS[name](value)
        for name, value in options.items():
            setattr(self, name, value)


def _check_realism(realism: float | None) -> None:
    if realism is not None and not 0 <= realism <= 1:
        msg = f"realism must be from 0 to 1, not {realism!r}"
        raise ValueError(msg)


def _check_threads(threads: int | None) -> None:
    if threads is not None and threads < 1:
        msg = f"threads must be at least 1, not {threads!r}"
        raise ValueError(msg)


def _check_backend(backend: str | None) -> None:
    if backend is not None:
        from pico_plugins.backends import resolve

        resolve(backend)


_CHECKS = {"quality": check_quality, "realism": _check_realism, "threads": _check_threads, "backend": _check_backend}

OPTIONS = Options()
"""The options in force, for the whole process."""
