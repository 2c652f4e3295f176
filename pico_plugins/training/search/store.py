"""Everything the search has found out, in one SQLite file, so that it can stop and go on at any time."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

from ...network.config import ModelConfig

_TABLES = """
CREATE TABLE IF NOT EXISTS candidate (
    name TEXT PRIMARY KEY, config TEXT NOT NULL, encoder_kmac REAL NOT NULL, decoder_kmac REAL NOT NULL);
CREATE TABLE IF NOT EXISTS timing (
    name TEXT, backend TEXT, encoder_ms REAL, decoder_ms REAL, anchor_encoder_ms REAL, anchor_decoder_ms REAL,
    PRIMARY KEY (name, backend));
CREATE TABLE IF NOT EXISTS curve (
    name TEXT, steps INTEGER, level INTEGER, bpp REAL, psnr REAL, PRIMARY KEY (name, steps, level));
"""


def config_name(config: ModelConfig) -> str:
    """A short name that depends on nothing but the configuration."""
    return hashlib.sha256(config.to_json().encode()).hexdigest()[:10]


class Store:
    """The file, and the few questions the search asks it."""

    def __init__(self, path: Path) -> None:
        self.db = sqlite3.connect(path)
        self.db.executescript(_TABLES)

    def add_candidate(self, config: ModelConfig, encoder_kmac: float, decoder_kmac: float) -> None:
        """Remember a configuration that passed the cost filter."""
        row = (config_name(config), config.to_json(), encoder_kmac, decoder_kmac)
        with self.db:
            self.db.execute("INSERT OR IGNORE INTO candidate VALUES (?, ?, ?, ?)", row)

    def add_timing(self, name: str, backend: str, milliseconds: tuple[float, float, float, float]) -> None:
        """Encoder and decoder milliseconds, and the anchor's in the same rounds."""
        with self.db:
            self.db.execute("INSERT OR REPLACE INTO timing VALUES (?, ?, ?, ?, ?, ?)", (name, backend, *milliseconds))

    def add_curve(self, name: str, steps: int, points: list[tuple[int, float, float]]) -> None:
        """(level, bits per pixel, PSNR) points after ``steps`` of training."""
        with self.db:
            rows = [(name, steps, *point) for point in points]
            self.db.executemany("INSERT OR REPLACE INTO curve VALUES (?, ?, ?, ?, ?)", rows)

    def configs(self, names: list[str] | None = None) -> dict[str, ModelConfig]:
        """All candidates, or those named."""
        rows = self.db.execute("SELECT name, config FROM candidate ORDER BY rowid").fetchall()
        return {name: ModelConfig.from_json(text) for name, text in rows if names is None or name in names}

    def untimed(self, backends: list[str]) -> list[str]:
        """Candidates that miss the timing of at least one of ``backends``, in order."""
        wanted = ",".join("?" * len(backends))
        query = f"""SELECT name FROM candidate WHERE (SELECT COUNT(*) FROM timing WHERE timing.name = candidate.name
                    AND backend IN ({wanted})) < ? ORDER BY rowid"""
        return [name for (name,) in self.db.execute(query, (*backends, len(backends)))]

    def timings(self) -> list[dict]:
        """One row a candidate and backend, its cost included."""
        cursor = self.db.execute("SELECT * FROM timing JOIN candidate USING (name) ORDER BY name, backend")
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def curves(self) -> dict[tuple[str, int], list[tuple[float, float]]]:
        """(name, steps) -> (bits per pixel, PSNR) points by level."""
        curves: dict[tuple[str, int], list[tuple[float, float]]] = {}
        for name, steps, bpp, psnr in self.db.execute(
            "SELECT name, steps, bpp, psnr FROM curve ORDER BY name, steps, level"
        ):
            curves.setdefault((name, steps), []).append((bpp, psnr))
        return curves
