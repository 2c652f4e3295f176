"""``python -m pico_plugins.cli.backend_timing NAME FILE``: one backend, in a process that has used none before."""

import json
import sys
import time


def main(name: str, path: str) -> None:
    """Print seconds of the first decoding, with all that is imported and loaded for it, and of a later one."""
    seconds = []
    try:
        for _ in range(6):
            start = time.perf_counter()
            from .. import decode

            decode(path, backend=name)
            seconds.append(time.perf_counter() - start)
    except ValueError as error:  # installed, but not for this machine
        print(json.dumps({"error": str(error)}))
    else:
        print(json.dumps({"first": seconds[0], "later": sorted(seconds[1:])[2]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
