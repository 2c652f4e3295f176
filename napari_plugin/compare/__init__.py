"""The widget "PICO: compress and compare"."""
