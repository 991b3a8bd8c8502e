"""What saying nothing of the least sure images gains, by hand."""

import numpy as np
import pytest

from busjax.metrics import selection

DOUBT = np.array([0.1, 0.9, 0.5, 0.3])
SCORE = np.array([1.0, 0.0, 0.5, 0.9])


def test_the_surest_images_are_kept_first():
    coverage, kept = selection.curve(DOUBT, SCORE)
    np.testing.assert_allclose(coverage, [0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(kept, [1, 1.9 / 2, 2.4 / 3, 2.4 / 4])
    assert selection.area(DOUBT, SCORE) == pytest.approx(kept.mean())


def test_images_of_equal_doubt_go_together():
    coverage, kept = selection.curve(np.array([0.0, 1, 1, 1]), np.array([1.0, 1, 0, 0]))
    np.testing.assert_allclose(coverage, [0.25, 1, 1, 1])
    np.testing.assert_allclose(kept, [1, 0.5, 0.5, 0.5])


def test_doubt_that_ranks_better_has_the_larger_area(rng):
    score = rng.random(200)
    best, none, worst = (selection.area(d, score) for d in (-score, rng.random(200), score))
    assert best > none > worst
    assert none == pytest.approx(score.mean(), abs=0.1)


@pytest.mark.parametrize(
    ("coverage", "expected"), [(1.0, 0.6), (0.75, 0.8), (0.5, 0.95), (0.25, 1.0), (0.0, 1.0)]
)
def test_the_score_at_a_coverage(coverage, expected):
    assert selection.at(DOUBT, SCORE, coverage) == pytest.approx(expected)


def test_of_equal_doubt_as_many_count_as_fit():
    doubt, score = np.array([0.0, 1, 1, 1]), np.array([1.0, 1, 0, 0])
    assert selection.at(doubt, score, 0.5) == pytest.approx((1 + 1 / 3) / 2)
    order = [0, 3, 2, 1]  # in whatever order they come
    assert selection.at(doubt[order], score[order], 0.5) == pytest.approx((1 + 1 / 3) / 2)
