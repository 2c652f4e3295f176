"""The file format, read here by a second, independent reader written from docs/format.md."""

import io
import struct
import zlib

import numpy as np
import pytest

import pico_plugins
from pico_plugins.errors import DamagedError, LimitError, NotPicoError, TruncatedError, UnsupportedError
from pico_plugins.format.container import MAX_METADATA, write_chunk


def split(data: bytes) -> list[tuple[bytes, bytes]]:
    assert data[:8] == bytes([0x89]) + b"PICO\r\n\x1a"
    at, chunks = 8, []
    while at < len(data):
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        payload = data[at + 8 : at + 8 + length]
        crc = int.from_bytes(data[at + 8 + length : at + 12 + length], "little")
        assert crc == zlib.crc32(data[at : at + 8 + length])
        chunks.append((kind, payload))
        at += 12 + length
    return chunks


def join(chunks) -> bytes:
    out = io.BytesIO()
    out.write(b"\x89PICO\r\n\x1a")
    for kind, payload in chunks:
        write_chunk(out, kind, payload)
    return out.getvalue()


def test_layout(tiled_file):
    chunks = split(tiled_file)
    assert [kind for kind, _ in chunks] == [b"HEAD", b"exif", b"xmpp", b"text", b"INDX", b"DATA"]
    fields = struct.unpack("<BBBBBBHBII8s", chunks[0][1])
    assert fields[:4] == (0, 3, 1, 8)
    assert fields[6:10] == (80, 4, 220, 140)
    index = np.frombuffer(chunks[4][1], "<u4").reshape(-1, 3)
    data, at = chunks[5][1], 0
    assert len(index) == 6
    for colour, alpha, crc in index.tolist():
        assert zlib.crc32(data[at : at + colour + alpha]) == crc
        at += colour + alpha
    assert at == len(data)


def test_header_says_what_was_written(tiled_file):
    header = pico_plugins.read_header(tiled_file)
    assert (header.width, header.height, header.shape) == (220, 140, (140, 220, 4))
    assert header.metadata.text == {"Title": "Café"}
    assert header.metadata.xmp == b"<x/>"
    assert header.metadata.icc_profile is None


def test_overhead_of_a_small_image_is_under_100_bytes(photo):
    """Container and coder for 64 x 64 pixels: everything that is not the ideal code length of the symbols."""
    from safetensors.numpy import load_file

    from pico_plugins import weights
    from pico_plugins.tiles.model import Model

    piece = np.ascontiguousarray(photo[100:164, 100:164])
    data = pico_plugins.encode(piece)
    header = pico_plugins.read_header(data)
    payload = split(data)[-1][1]
    model = Model(weights.DEFAULT)
    assert payload[0] == header.level
    z, indices, symbols = model.entropy.decode_symbols(payload[1:], (64, 64), header.level)

    tensors = load_file(weights.model_folder(weights.DEFAULT) / "entropy.safetensors")
    radii = tensors["tables.radii"]
    tables = np.split(tensors["tables.frequencies"], np.cumsum([2 * r + 2 for r in radii[1:]])[:-1])
    bits = 0.0
    hyper = model.entropy.hyper_indices(64, 64)
    for index, value in zip(np.append(hyper, indices), np.append(z, symbols), strict=True):
        if index and abs(value) <= radii[index]:
            bits -= np.log2(tables[index - 1][value + radii[index]] / (1 << 24))
    overhead = len(data) - bits / 8
    print(f"64 x 64 pixels: {len(data)} bytes, of them {overhead:.1f} container and coder")
    assert overhead < 100


def test_unknown_ancillary_chunks_are_skipped(patch_file):
    chunks = split(patch_file)
    chunks.insert(1, (b"zzzz", b"from the future"))
    assert np.array_equal(pico_plugins.decode(join(chunks)), pico_plugins.decode(patch_file))


def test_unknown_critical_chunks_are_refused_by_name(patch_file):
    chunks = split(patch_file)
    chunks.insert(1, (b"Zzzz", b"from the future"))
    with pytest.raises(UnsupportedError, match="Zzzz"):
        pico_plugins.decode(join(chunks))


def _with_head(data: bytes, **changes: int) -> bytes:
    names = ("version", "channels", "flags", "depth", "level", "realism", "tile", "margin", "width", "height", "model")
    chunks = split(data)
    fields = dict(zip(names, struct.unpack("<BBBBBBHBII8s", chunks[0][1]), strict=True)) | changes
    chunks[0] = (b"HEAD", struct.pack("<BBBBBBHBII8s", *fields.values()))
    return join(chunks)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"version": 1}, UnsupportedError),
        ({"depth": 10}, UnsupportedError),
        ({"flags": 8}, UnsupportedError),
        ({"channels": 2}, NotPicoError),
        ({"level": 225}, NotPicoError),
        ({"tile": 31}, NotPicoError),
        ({"tile": 1025}, NotPicoError),
        ({"margin": 21, "tile": 80}, NotPicoError),
        ({"width": 0}, NotPicoError),
        ({"height": 1 << 31}, NotPicoError),
        ({"width": 5000}, DamagedError),
        ({"model": b"\1" * 8}, UnsupportedError),
    ],
)
def test_header_fields_are_checked(patch_file, changes, error):
    with pytest.raises(error):
        pico_plugins.decode(_with_head(patch_file, **changes))


def test_huge_declared_size_is_refused_before_anything_is_allocated():
    entries = (-(-60_000 // 1024)) ** 2
    head = struct.pack("<BBBBBBHBII8s", 0, 3, 0, 8, 0, 0, 1024, 0, 60_000, 60_000, bytes(8))
    bomb = join([(b"HEAD", head), (b"INDX", bytes(8 * entries)), (b"DATA", b"")])
    with pytest.raises(LimitError, match="max_pixels"):
        pico_plugins.decode(bomb)


def test_max_pixels(patch_file):
    with pytest.raises(LimitError):
        pico_plugins.decode(patch_file, max_pixels=90 * 75 - 1)
    assert pico_plugins.decode(patch_file, max_pixels=90 * 75).shape == (75, 90, 3)


def test_metadata_is_bounded_before_it_is_read(patch_file):
    head = patch_file[: 8 + 12 + 25]
    promise = head + struct.pack("<4sI", b"exif", MAX_METADATA + 1)
    with pytest.raises(LimitError, match="exif"):
        pico_plugins.read_header(promise)


def test_the_frames_of_empty_chunks_count_too(patch_file):
    many = patch_file[: 8 + 12 + 25] + join([(b"zzzz", b"")])[8:] * (MAX_METADATA // 12 + 1)
    with pytest.raises(LimitError):
        pico_plugins.read_header(many)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"icc_profile": bytes(MAX_METADATA)}, ValueError),
        ({"cicp": b"12345"}, ValueError),
        ({"text": {"a\0b": "c"}}, ValueError),
        ({"text": {"a": "\ud800"}}, ValueError),
        ({"text": {"a": b"c"}}, TypeError),
        ({"exif": "abc"}, TypeError),
    ],
)
def test_metadata_that_could_not_be_read_back_is_refused(options, error):
    with pytest.raises(error):
        pico_plugins.Metadata(**options)


def test_all_metadata_comes_back(patch):
    metadata = pico_plugins.Metadata(b"Exif\0\0MM\0*", b"icc", b"xmp", bytes((9, 16, 9, 1)), {"a": "b", "": ""})
    found = pico_plugins.read_header(pico_plugins.encode(patch, metadata=metadata)).metadata
    assert found == metadata
    assert found.exif == b"MM\0*"


def test_hyperlatents_out_of_range_are_refused(patch_file):
    """Even -2^31, whose absolute value is negative in 32 bits."""
    from pico_plugins import weights
    from pico_plugins.entropy.symbol_coder import SymbolEncoder
    from pico_plugins.tiles.model import Model

    model = Model(weights.DEFAULT)
    indices = model.entropy.hyper_indices(64, 64)
    for value in (-128, 128, -(1 << 31), (1 << 31) - 1):
        z = np.zeros(indices.shape, np.int32)
        z[np.unravel_index(np.argmax(indices), indices.shape)] = value
        encoder = SymbolEncoder(model.entropy.tables)
        encoder.add(z, indices)
        with pytest.raises(DamagedError, match="hyperlatent out of range"):
            model.entropy.decode_symbols(encoder.finish(), (64, 64), 0)


def test_errors_survive_pickling():
    import pickle

    error = pickle.loads(pickle.dumps(TruncatedError(7, "tile 3")))
    assert (error.missing, error.where, str(error)) == (7, "tile 3", str(TruncatedError(7, "tile 3")))


def test_read_header_leaves_a_file_where_it_was(patch_file):
    file = io.BytesIO(b"before" + patch_file)
    file.seek(6)
    pico_plugins.read_header(file)
    assert file.tell() == 6
    with pytest.raises(TypeError, match="binary"):
        pico_plugins.read_header(io.StringIO("text"))


def test_repeated_metadata_is_refused(patch_file):
    chunks = split(patch_file)
    chunks[1:1] = [(b"exif", b"1"), (b"exif", b"2")]
    with pytest.raises(DamagedError, match="exif"):
        pico_plugins.read_header(join(chunks))


@pytest.mark.parametrize("data", [b"", b"\x89PIC", b"GIF89a" + bytes(30), b"\x89PNG\r\n\x1a\n" + bytes(30)])
def test_other_files(data):
    with pytest.raises((NotPicoError, TruncatedError)):
        pico_plugins.read_header(data)


def test_every_flipped_byte_is_noticed(patch_file):
    """No single damaged byte may give a picture without a word."""
    for at in range(len(patch_file)):
        broken = bytearray(patch_file)
        broken[at] ^= 0x5A
        with pytest.raises(pico_plugins.PicoError, match=r"magic|chunk|tile"):
            pico_plugins.decode(bytes(broken))


def test_every_truncation_is_noticed(patch_file):
    for length in range(len(patch_file)):
        with pytest.raises(pico_plugins.PicoError):
            pico_plugins.decode(patch_file[:length])


def test_truncation_says_how_much_is_missing(tiled_file):
    with pytest.raises(TruncatedError, match=r"truncated \(1000 bytes missing\)"):
        pico_plugins.decode(tiled_file[:-1000])


def test_damage_is_named(tiled_file):
    data_start = tiled_file.index(b"DATA") + 8
    broken = bytearray(tiled_file)
    broken[data_start + 3] ^= 1
    with pytest.raises(DamagedError, match="tile 0"):
        pico_plugins.decode(bytes(broken))
    broken = bytearray(tiled_file)
    broken[tiled_file.index(b"xmpp") + 9] ^= 1
    with pytest.raises(DamagedError, match="xmpp"):
        pico_plugins.decode(bytes(broken))


def test_damaged_tiles_are_blank_and_reported_when_asked_for(tiled_file):
    whole = pico_plugins.decode(tiled_file)
    broken = bytearray(tiled_file)
    broken[-10] ^= 1
    damaged: list[int] = []
    shown = pico_plugins.decode(bytes(broken), damaged=damaged)
    assert damaged == [5]
    last = pico_plugins.read_header(tiled_file).grid[5]
    assert (shown[slice(*last.rows), slice(*last.columns)] == 128).all()
    assert np.array_equal(shown[: last.rows[0]], whole[: last.rows[0]])


def test_resolution_is_a_text_of_its_own(patch):
    """Which other readers see as a text; a text of that name that is no resolution stays one."""
    metadata = pico_plugins.Metadata(text={"Title": "a"}, dpi=(np.float32(300), 72.5))
    assert list(metadata.chunks())[-1] == (b"text", b"dpi\x00300 72.5")
    data = pico_plugins.encode(patch, metadata=metadata)
    assert pico_plugins.read_header(data).metadata == metadata
    assert pico_plugins.read_header(data).info()["dpi"] == (300, 72.5)
    for text in ("300", "a b", "0 72", "nan 1", "1 2 3", "inf 1"):
        found = pico_plugins.read_header(pico_plugins.encode(patch, metadata=pico_plugins.Metadata(text={"dpi": text})))
        assert (found.metadata.text, found.metadata.dpi) == ({"dpi": text}, None)
    for dpi in ((0, 1), (1,), 72, "72", (1, float("nan")), ("1", "2")):
        with pytest.raises(ValueError, match="dpi must be"):
            pico_plugins.Metadata(dpi=dpi)
    for text in ("abc", [("a", "b")], {1: "a"}, {"a": b"b"}):
        with pytest.raises(TypeError, match="text must map"):
            pico_plugins.Metadata(text=text)
