"""The quality whose file is nearest to a size."""

import pytest

from pico_plugins.evaluation.size_search import nearest_quality


@pytest.mark.parametrize(("size", "quality"), [(0, 1), (100, 1), (404, 4), (451, 5), (9470, 95), (10**6, 95)])
def test_the_nearest_quality_is_found(size, quality):
    asked = []
    assert nearest_quality(lambda q: asked.append(q) or 100 * q, size, highest=95) == quality
    assert len(asked) <= 9 and len(set(asked)) == len(asked)
