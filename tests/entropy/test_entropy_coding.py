import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pico_plugins import weights
from pico_plugins.entropy import ans, symbol_stack
from pico_plugins.entropy.entropy_model import EntropyModel
from pico_plugins.entropy.symbol_coder import ScaleTables, SymbolDecoder, SymbolEncoder, group_by_index
from pico_plugins.errors import DamagedError

needs_constriction = pytest.mark.skipif(symbol_stack.constriction is None, reason="constriction is not installed")


@pytest.fixture(scope="module")
def entropy() -> EntropyModel:
    return EntropyModel(weights.model_folder(weights.DEFAULT))


@pytest.fixture(scope="module")
def frequencies(entropy) -> list[np.ndarray]:
    from safetensors.numpy import load_file

    tensors = load_file(weights.model_folder(weights.DEFAULT) / "entropy.safetensors")
    ends = np.cumsum([2 * r + 2 for r in tensors["tables.radii"][1:]])
    return np.split(tensors["tables.frequencies"], ends[:-1])


@needs_constriction
def test_both_coders_write_and_read_the_same_bytes(frequencies):
    random = np.random.default_rng(0)
    for _ in range(60):
        plain, compiled, pushed = ans.AnsStack(), symbol_stack.ConstrictionStack(), []
        for table in random.integers(len(frequencies), size=random.integers(0, 6)):
            table = frequencies[table]
            # Half of the symbols as the table expects them, half from anywhere in it: rare ones too.
            likely = random.choice(len(table), p=table / table.sum(), size=20)
            symbols = np.concatenate([likely, random.integers(len(table), size=20)]).astype(np.int32)
            plain.push(symbols, ans.FrequencyModel(table))
            compiled.push(symbols, symbol_stack.ConstrictionModel(table))
            pushed.append((table, symbols))
        words = plain.to_words()
        assert np.array_equal(words, compiled.to_words())
        plain, compiled = ans.AnsStack(words), symbol_stack.ConstrictionStack(words)
        for table, symbols in reversed(pushed):
            assert np.array_equal(plain.pop(len(symbols), ans.FrequencyModel(table)), symbols)
            assert np.array_equal(compiled.pop(len(symbols), symbol_stack.ConstrictionModel(table)), symbols)
        assert plain.is_empty()
        assert compiled.is_empty()


@needs_constriction
def test_both_coders_read_the_same_symbols_from_garbage(frequencies):
    random = np.random.default_rng(1)
    for _ in range(100):
        words = random.integers(1, 1 << 32, size=random.integers(0, 8)).astype(np.uint32)
        plain, compiled = ans.AnsStack(words), symbol_stack.ConstrictionStack(words)
        for table in random.integers(len(frequencies), size=8):
            table = frequencies[table]
            a = plain.pop(9, ans.FrequencyModel(table))
            assert np.array_equal(a, compiled.pop(9, symbol_stack.ConstrictionModel(table)))
        assert plain.is_empty() == compiled.is_empty()


@needs_constriction
def test_every_shipped_table_keeps_its_integers_in_constriction(frequencies):
    for table in frequencies:
        symbols = np.arange(len(table), dtype=np.int32)
        plain, compiled = ans.AnsStack(), symbol_stack.ConstrictionStack()
        plain.push(symbols, ans.FrequencyModel(table))
        compiled.push(symbols, symbol_stack.ConstrictionModel(table))
        assert np.array_equal(plain.to_words(), compiled.to_words())


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_integers_survive(entropy, data):
    shape = (data.draw(st.integers(1, 4)), 3, 5)
    random = np.random.default_rng(data.draw(st.integers(0, 1000)))
    indices = random.integers(0, len(entropy.tables), size=shape).astype(np.uint8)
    reach = data.draw(st.sampled_from([1, 30, 5000, (1 << 31) - 1]))
    symbols = random.integers(-reach, reach, size=shape, endpoint=True).astype(np.int32)
    symbols[indices == 0] = 0
    encoder = SymbolEncoder(entropy.tables)
    encoder.add(symbols, indices)
    decoder = SymbolDecoder(entropy.tables, encoder.finish())
    assert np.array_equal(decoder.take(indices), symbols)
    decoder.finish()


def test_most_negative_integer_survives(entropy):
    symbols = np.array([-(1 << 31), (1 << 31) - 1, 0], np.int32)
    indices = np.array([5, 5, 5], np.uint8)
    encoder = SymbolEncoder(entropy.tables)
    encoder.add(symbols, indices)
    decoder = SymbolDecoder(entropy.tables, encoder.finish())
    assert np.array_equal(decoder.take(indices), symbols)


def test_groups_are_in_order_of_index_then_position():
    indices = np.array([[3, 0, 1], [1, 3, 2]], np.uint8)
    order, groups = group_by_index(indices)
    assert order.tolist() == [2, 3, 5, 0, 4]
    assert groups == [(1, 2), (2, 1), (3, 2)]


@pytest.mark.parametrize("data", [b"", b"\x05\0", b"\xff\xff\xff\xff\xff\x01", b"\0abc", b"\0" + bytes(4)])
def test_bytes_that_are_no_tile(entropy, data):
    with pytest.raises(DamagedError):
        SymbolDecoder(entropy.tables, data)


def test_left_over_data_is_noticed(entropy):
    encoder = SymbolEncoder(entropy.tables)
    encoder.add(np.arange(-50, 50, dtype=np.int32), np.full(100, 50, np.uint8))
    decoder = SymbolDecoder(entropy.tables, encoder.finish())
    decoder.take(np.full(30, 50, np.uint8))
    with pytest.raises(DamagedError, match="left over"):
        decoder.finish()


def test_tables_that_do_not_sum_up_are_refused():
    with pytest.raises(ValueError, match="2\\^24"):
        ScaleTables(np.array([0, 1]), np.array([1, 2, 3, 4], np.uint32))
    with pytest.raises(ValueError, match="radii"):
        ScaleTables(np.array([0, 1]), np.array([1 << 24], np.uint32))


def test_cost_is_close_to_the_entropy_of_the_tables(entropy, frequencies):
    """The coder itself adds next to nothing: 20,000 symbols from their own table, against its entropy."""
    table = frequencies[39]
    chance = table / table.sum()
    radius = entropy.tables.radii[40]
    drawn = np.random.default_rng(3).choice(len(table) - 1, p=chance[:-1] / chance[:-1].sum(), size=20_000)
    encoder = SymbolEncoder(entropy.tables)
    encoder.add((drawn - radius).astype(np.int32), np.full(20_000, 40, np.uint8))
    ideal = -np.log2(chance[drawn]).sum() / 8
    assert ideal <= len(encoder.finish()) <= ideal + 12
