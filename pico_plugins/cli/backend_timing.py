"""``python -m pico_plugins.cli.backend_timing NAME FILE``: one backend, in a process that has used none before."""

import json
import sys
import time


def main(name: str, path: str) -> None:
    """Print what the first decoding cost with all that is imported and loaded for it, and a later one's seconds."""
    seconds, cpu = [], time.process_time()
    try:
        for _ in range(6):
            start = time.perf_counter()
            from ..decoder import decode

            decode(path, backend=name)
            seconds.append(time.perf_counter() - start)
            cpu = cpu if len(seconds) > 1 else time.process_time() - cpu
    except ValueError as error:  # installed, but not for this machine
        print(json.dumps({"error": str(error)}))
    else:
        print(json.dumps({"first": seconds[0], "cpu": cpu, "later": sorted(seconds[1:])[2]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
