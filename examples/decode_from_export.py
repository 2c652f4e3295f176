"""Decode a .pico file with nothing but an exported folder: ``pico export --target onnx -o FOLDER``.

    python decode_from_export.py FOLDER photo.pico photo.png

Needs numpy, onnxruntime, safetensors and Pillow, not pico_plugins: docs/format.md in 200 lines, to port from.
"""

import json
import os
import struct
import sys
import zlib
from bisect import bisect_right
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # its wheels send some from the moment of being imported
import onnxruntime

HEAD = struct.Struct("<BBBBBBHBII8s")
PHASES = (0, 0), (1, 1), (0, 1), (1, 0)  # row and column offsets


def read_chunks(data: bytes) -> dict[bytes, bytes]:
    """Type -> payload. Checksums are checked, metadata is skipped over by whoever does not ask for it."""
    assert data[:8] == b"\x89PICO\r\n\x1a", "not a .pico file"
    chunks, at = {}, 8
    while b"DATA" not in chunks:
        kind, length = struct.unpack_from("<4sI", data, at)
        payload, (crc,) = data[at + 8 : at + 8 + length], struct.unpack_from("<I", data, at + 8 + length)
        assert zlib.crc32(data[at : at + 8 + length]) == crc, f"chunk {kind} is damaged"
        assert kind in (b"HEAD", b"INDX", b"DATA") or not kind[:1].isupper(), f"unknown critical chunk {kind}"
        chunks[kind] = payload
        at += 12 + length
    return chunks


def axis(length: int, tile: int, margin: int) -> list[tuple[int, int, int, int]]:
    """For each tile along one axis: window start and stop, kept start and stop."""
    count = max(1, -(-(length - 2 * margin) // tile))
    spans = []
    for k in range(count):
        start, stop = k * tile, min(k * tile + tile + 2 * margin, length)
        spans.append((start, stop, start + margin * (k > 0), length if k == count - 1 else stop - margin))
    return spans


def to_phases(x: np.ndarray) -> np.ndarray:
    """(C, h, w) -> (4 C, h/2, w/2): every second row and column, one phase after the other."""
    return np.concatenate([x[:, row::2, column::2] for row, column in PHASES])


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value, shift, at = value | (byte & 0x7F) << shift, shift + 7, at + 1
        if byte < 0x80:
            return value, at


class Ans:
    """A tile's bytes as a stack of symbols."""

    def __init__(self, data: bytes) -> None:
        escapes, start = varint(data, 0)
        self.escapes, self.at = data[start : start + escapes], 0
        self.words = np.frombuffer(data[start + escapes :], "<u4").tolist()
        self.state = 0
        while self.words and self.state < 1 << 32:
            self.state = self.state << 32 | self.words.pop()

    def pop(self, frequencies: list[int], starts: list[int]) -> int:
        low = self.state & 0xFFFFFF
        symbol = bisect_right(starts, low) - 1
        self.state = (self.state >> 24) * frequencies[symbol] + low - starts[symbol]
        if self.state < 1 << 32 and self.words:
            self.state = self.state << 32 | self.words.pop()
        return symbol

    def take(self, indices: np.ndarray, tables: list[tuple[int, list[int], list[int]]]) -> np.ndarray:
        """Symbols in the shape of ``indices``: groups of equal table in ascending order, 0 where the index is 0."""
        flat, out = indices.ravel(), np.zeros(indices.size, np.int64)
        for index in np.unique(flat[flat > 0]):
            radius, frequencies, starts = tables[index]
            positions = np.flatnonzero(flat == index)
            coded = [self.pop(frequencies, starts) for _ in positions]
            for position, symbol in zip(positions, coded, strict=True):
                value = symbol - radius
                if symbol == 2 * radius + 1:
                    number, self.at = varint(self.escapes, self.at)
                    value = number // 2 if number % 2 == 0 else -(number + 1) // 2
                out[position] = value
        return out.reshape(indices.shape)


class Decoder:
    """The exported folder at work."""

    def __init__(self, folder: Path) -> None:
        self.facts = json.loads((folder / "model.json").read_text())
        self.tensors = load_file(folder / "entropy.safetensors")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.networks = {
            name: onnxruntime.InferenceSession(folder / f"{name}.onnx", options, providers=["CPUExecutionProvider"])
            for name in ("dequantizer", "decoder", "perceptual")
            if (folder / f"{name}.onnx").exists()
        }
        radii = self.tensors["tables.radii"].tolist()
        ends = np.cumsum([0] + [2 * radius + 2 for radius in radii[1:]])
        self.tables = [(0, [], [])]
        for radius, (start, stop) in zip(radii[1:], pairwise(ends), strict=True):
            table = self.tensors["tables.frequencies"][start:stop].tolist()
            self.tables.append((radius, table, np.cumsum([0, *table])[:-1].tolist()))

    def scale_indices(self, z: np.ndarray, level: int) -> np.ndarray:
        """The integer scale decoder: z (Z, h, w) -> table index of every latent (C, 4h, 4w)."""
        facts, x = self.facts["scale_decoder"], z
        for name in facts["layers"]:
            weight = self.tensors[f"{name}.weight"].astype(np.int64)
            bias = self.tensors[f"{name}.bias"].astype(np.int64)
            if (levels := self.tensors.get(f"{name}.level_bias")) is not None:
                node, part = divmod(level, 32)
                table = levels.astype(np.int64)
                bias = bias + table[node] * (32 - part) + table[min(node + 1, len(table) - 1)] * part
            side, (_, h, w) = weight.shape[-1], x.shape
            padded = np.pad(x, ((0, 0), (side // 2,) * 2, (side // 2,) * 2))
            sums = sum(
                np.einsum("kc,chw->khw", weight[:, :, r, s], padded[:, r : r + h, s : s + w])
                for r in range(side)
                for s in range(side)
            )
            limit = len(self.tables) - 1 if name == facts["layers"][-1] else facts["hidden_limit"]
            shift = facts["shift"]
            x = np.clip((sums + bias[:, None, None] + (1 << shift - 1)) >> shift, 0, limit)
            if name in facts["pixel_shuffle_after"]:
                x = x.reshape(-1, 2, 2, h, w).transpose(0, 3, 1, 4, 2).reshape(-1, 2 * h, 2 * w)
        return x

    def tile(self, data: bytes, height: int, width: int, realism: float) -> np.ndarray:
        """One window, uint8 (height, width, 3)."""
        level, ans, index = data[0], Ans(data[1:]), self.tensors["hyperlatents.index"]
        z = ans.take(np.broadcast_to(index[:, None, None], (len(index), height // 64, width // 64)), self.tables)
        symbols = ans.take(to_phases(self.scale_indices(z, level)), self.tables)
        assert ans.state == 0 and not ans.words and ans.at == len(ans.escapes), "damaged tile"
        at_level = np.array([level / 32], np.float32)
        feed = {
            "hyperlatents": z[None].astype(np.float32),
            "symbols": symbols[None].astype(np.float32),
            "level": at_level,
        }
        (phases,) = self.networks["dequantizer"].run(None, feed)
        latents = np.empty((1, len(symbols) // 4, height // 16, width // 16), np.float32)
        for (row, column), phase in zip(PHASES, np.split(phases, 4, axis=1), strict=True):
            latents[:, :, row::2, column::2] = phase
        feed, network = {"latents": latents, "level": at_level}, "decoder"
        if realism > 0 and "perceptual" in self.networks:
            feed["realism"], network = np.array([realism], np.float32), "perceptual"
        blocks = self.networks[network].run(None, feed)[0].reshape(3, 4, 4, height // 4, width // 4)
        return blocks.transpose(3, 1, 4, 2, 0).reshape(height, width, 3)

    def decode(self, data: bytes) -> np.ndarray:
        """A file's pixels, uint8 (H, W), (H, W, 3) or (H, W, 4)."""
        chunks = read_chunks(data)
        version, channels, flags, depth, _, realism, tile, margin, width, height, model = HEAD.unpack(chunks[b"HEAD"])
        has_alpha, realism = flags & 1, 0 if flags & 2 else realism / 255
        assert (version, depth) == (0, 8) and model.hex() == self.facts["model"], "another version, or another model"
        out, at = np.zeros((height, width, 3 + has_alpha), np.uint8), 0
        entries = struct.iter_unpack("<III" if has_alpha else "<II", chunks[b"INDX"])
        for top, bottom, first_row, last_row in axis(height, tile, margin):
            for left, right, first_column, last_column in axis(width, tile, margin):
                colour, *alpha, _ = next(entries)
                shape = (-(-(bottom - top) // 64) * 64, -(-(right - left) // 64) * 64)
                coded = chunks[b"DATA"][at : at + colour]
                rows, columns = slice(first_row, last_row), slice(first_column, last_column)
                if coded[0] == 255:  # lossless
                    kept = np.asarray(Image.open(BytesIO(coded[1:])).convert("RGB"))
                else:
                    window = self.tile(coded, *shape, realism)
                    kept = window[first_row - top : last_row - top, first_column - left : last_column - left]
                if channels == 1:
                    kept = ((kept.astype(int).sum(2, keepdims=True) + 1) // 3).astype(np.uint8)
                out[rows, columns, :3] = kept
                if alpha:
                    coded = chunks[b"DATA"][at + colour : at + colour + alpha[0]]
                    green = np.asarray(Image.open(BytesIO(coded)).convert("RGB"))[:, :, 1] if coded else 255
                    out[rows, columns, 3] = green
                at += colour + sum(alpha)
        return out[:, :, 0] if channels == 1 and not has_alpha else out


if __name__ == "__main__":
    folder, source, target = map(Path, sys.argv[1:])
    Image.fromarray(Decoder(folder).decode(source.read_bytes())).save(target)
