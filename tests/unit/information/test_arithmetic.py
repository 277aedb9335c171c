"""Sums that no order and no company changes equal the libraries' own."""

import pytest
import torch

from ctharmony.information.arithmetic import BY_ROW, LIBRARY


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    """Of both signs and very different sizes."""
    generator = torch.Generator().manual_seed(seed)
    sizes = 10 ** (6 * torch.rand(shape, generator=generator, dtype=torch.float64))
    return sizes * torch.randn(shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize(("shape", "dims"), [((5, 3001), 1), ((4, 7, 5, 3), (1, 3)), ((6, 1), 1)])
def test_totals(shape, dims):
    values = numbers(*shape)
    found = BY_ROW.total(values, dims)
    torch.testing.assert_close(found, LIBRARY.total(values, dims), rtol=1e-12, atol=1e-6)
    assert BY_ROW.total(values.float(), dims).dtype == torch.float32


def test_a_long_total_depends_neither_on_order_nor_on_other_rows():
    values = numbers(6, 5000).float()
    whole = BY_ROW.total(values, 1)
    order = torch.randperm(5000, generator=torch.Generator().manual_seed(1))
    assert torch.equal(BY_ROW.total(values[:, order], 1), whole)
    assert torch.equal(torch.cat([BY_ROW.total(row[None], 1) for row in values]), whole)
    assert torch.equal(BY_ROW.total(torch.cat([values * 1e9, values]), 1)[6:], whole)


def test_totals_of_nothing_and_of_what_is_no_number():
    assert torch.equal(BY_ROW.total(torch.zeros(2, 100), 1), torch.zeros(2))
    broken = torch.ones(2, 100)
    broken[0, 3] = torch.nan
    found = BY_ROW.total(broken, 1)
    assert found[0].isnan() and found[1] == 100


@pytest.mark.parametrize("equation", ["km,bmij->bkij", "nka,nkmcd->nmacd", "kij,nk->nij"])
def test_contractions(equation):
    sizes = dict(zip("kmbijnacd", (3, 4, 2, 5, 6, 7, 2, 3, 4), strict=True))
    first, second = (
        numbers(*(sizes[letter] for letter in side), seed=number)
        for number, side in enumerate(equation.split("->")[0].split(","))
    )
    expected = LIBRARY.contract(equation, first, second)
    torch.testing.assert_close(BY_ROW.contract(equation, first, second), expected)


@pytest.mark.parametrize("terms", [4, 300])
def test_products(terms):
    one, two = numbers(3, 5, terms), numbers(terms, 6, seed=1)
    torch.testing.assert_close(BY_ROW.product(one, two), LIBRARY.product(one, two))


def test_histograms_of_shares():
    generator = torch.Generator().manual_seed(0)
    cells = torch.randint(0, 40, (9000,), generator=generator)
    shares = torch.rand(2, 9000, generator=generator)
    found = BY_ROW.histogram(cells, shares, 41)
    torch.testing.assert_close(found, LIBRARY.histogram(cells, shares, 41), rtol=1e-5, atol=1e-5)
    backwards = BY_ROW.histogram(cells.flip(0), shares.flip(1), 41)
    assert torch.equal(found, backwards) and float(found[0, 40]) == 0.0


def test_positive_systems_are_solved():
    roots = numbers(8, 12, 12)
    scale = 10 ** torch.linspace(-4, 4, 12, dtype=torch.float64)
    matrices = scale[:, None] * (roots @ roots.mT) * scale
    matrices += torch.diag_embed(torch.diagonal(matrices, dim1=1, dim2=2) * 1e-2)
    right = numbers(8, 12, 1, seed=2)
    found = BY_ROW.solve(matrices, right)
    torch.testing.assert_close(found, LIBRARY.solve(matrices, right), rtol=1e-9, atol=0.0)


def test_rotations_of_skew_matrices():
    vectors = numbers(6, 3) / 1e5
    vectors[0] = 0.0
    vectors[1] *= 1e-9
    skew = torch.zeros(6, 3, 3, dtype=torch.float64)
    for axis in range(3):
        one, two = (axis + 1) % 3, (axis + 2) % 3
        skew[:, two, one], skew[:, one, two] = vectors[:, axis], -vectors[:, axis]
    torch.testing.assert_close(BY_ROW.exponential(skew), LIBRARY.exponential(skew))
