"""The rate that training sees: looked up, and still that of the exact formula."""

import pytest

torch = pytest.importorskip("torch")

from pico_plugins.network.rate import symbol_bits, trained_bits
from pico_plugins.network.scale_decoder import SCALES, scale_of_index


def test_probabilities_sum_to_one():
    symbols = torch.arange(-2000, 2001).double()
    for index in (0.0, 20.0, SCALES - 1.0):
        total = torch.exp2(-symbol_bits(symbols, scale_of_index(torch.tensor(index).double()))).sum().item()
        assert total == pytest.approx(1, abs=1e-5)


def a_case(count: int = 4000):
    torch.manual_seed(1)
    index = torch.randint(1, SCALES, (count,)).float()
    values = 2 * torch.randn(count) * scale_of_index(index)
    return values, index


def test_value_is_that_of_the_rounded_symbols():
    values, index = a_case()
    expected = symbol_bits(values.round().double(), scale_of_index(index.double()))
    torch.testing.assert_close(trained_bits(values, index), expected.float(), rtol=1e-4, atol=1e-4)


def test_what_is_not_coded_costs_nothing_but_its_scale_grows_where_it_is_not_0():
    index = torch.zeros(2, requires_grad=True)
    bits = trained_bits(torch.tensor([0.0, 1.0]), index)
    assert bits.tolist() == [0.0, 0.0]
    bits.sum().backward()
    assert index.grad[0] > 0 > index.grad[1]


def test_gradient_to_the_index_is_that_of_the_formula():
    values, index = a_case()
    index.requires_grad_()
    trained_bits(values, index).sum().backward()
    exact = index.detach().double().requires_grad_()
    symbol_bits(values.round().double(), scale_of_index(exact)).sum().backward()
    torch.testing.assert_close(index.grad, exact.grad.float(), rtol=1e-3, atol=1e-4)


def test_gradient_to_the_values_is_that_of_noise():
    """On average over noise: bits half a step above, less bits half a step below."""
    for sigma_index in (5.0, 20.0, 40.0):
        index = torch.full((20_000,), sigma_index)
        sigma = scale_of_index(index[:1].double())
        for value in (0.2, 1.1, -2.3):
            values = torch.full_like(index, value).requires_grad_()
            trained_bits(values, index).sum().backward()
            above, below = (symbol_bits(torch.tensor([value + d]).double(), sigma) for d in (0.5, -0.5))
            assert values.grad.mean().item() == pytest.approx((above - below).item(), rel=0.03, abs=0.01)


def test_one_index_for_a_whole_channel_gets_its_whole_gradient():
    values = torch.randn(2, 3, 4, 4)
    index = torch.tensor([3.0, 20.0, 40.0]).view(1, 3, 1, 1).requires_grad_()
    bits = trained_bits(values, index)
    assert bits.shape == values.shape
    bits.sum().backward()
    spread = index.detach().expand(2, 3, 4, 4).clone().requires_grad_()
    trained_bits(values, spread).sum().backward()
    torch.testing.assert_close(index.grad, spread.grad.sum((0, 2, 3), keepdim=True))


def test_values_that_are_not_numbers_do_not_end_the_run():
    """Training skips such a step by its gradient; the look-up must survive until then."""
    bits = trained_bits(torch.tensor([float("nan"), float("inf"), 1e30]), torch.tensor([0.0, 10.0, SCALES - 1.0]))
    assert torch.isfinite(bits).all()
