"""The commands that need no extra; each is imported when it is called."""

hiddenimports = [f"pico_plugins.cli.{name}" for name in ("encode", "decode", "info")]
