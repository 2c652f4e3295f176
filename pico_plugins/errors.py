"""What can be wrong with a file. All are ``ValueError``: the bytes are not acceptable, the program is fine."""


class PicoError(ValueError):
    """Base of every complaint about a file's contents."""


class NotPicoError(PicoError):
    """The bytes do not start like a PICO file, or the header makes no sense."""


class UnsupportedError(PicoError):
    """A PICO file, but one that needs a newer reader, or a model that is not installed."""


class DamagedError(PicoError):
    """A checksum or a rule of the format is violated. The message names the chunk or tile."""


class TruncatedError(PicoError):
    """The file ends early; ``missing`` bytes are not there (at least). ``where`` names the chunk or tile."""

    def __init__(self, missing: int, where: str) -> None:
        super().__init__(f"image file is truncated ({missing} bytes missing), in {where}")
        self.missing, self.where = missing, where

    def __reduce__(self) -> tuple[type, tuple[int, str]]:
        return type(self), (self.missing, self.where)


class LimitError(PicoError):
    """The file declares more than the reader is willing to process. The message says how to raise the limit."""
