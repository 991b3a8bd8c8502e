"""Resampled scores are those of the images repeated; intervals cover; groups stay whole."""

import numpy as np
import pytest

from busjax.metrics import bootstrap
from busjax.metrics.segmentation import PixelCounts, dice, iou
from busjax.metrics.summary import summarise


def images(rng, n=60):
    labels = rng.integers(0, 3, n)
    # Few levels, so that ties occur; rows that sum to 1.
    raw = rng.integers(1, 5, (n, 3)) + 2 * np.eye(3, dtype=int)[labels]
    counts = PixelCounts(*rng.integers(0, 9, (4, n)))
    return labels, raw / raw.sum(axis=1, keepdims=True), counts


def test_scores_are_those_of_the_images_repeated(rng):
    labels, probabilities, counts = images(rng)
    times = bootstrap.draw([f"g{i // 3}" for i in range(60)], 20, seed=1)
    measured = bootstrap.Measured(labels, probabilities, dice(counts), iou(counts))
    found = bootstrap.scores(times, measured)
    for index, row in enumerate(times):
        again = np.repeat(np.arange(60), row)
        wanted = summarise(
            labels[again], probabilities[again], PixelCounts(*(c[again] for c in counts))
        )
        assert found.keys() == {
            name for name in wanted if not name.startswith(("n_", "dice_median"))
        }
        for name, values in found.items():
            assert values[index] == pytest.approx(wanted[name], abs=1e-12), name


@pytest.mark.filterwarnings("error")
def test_resamples_without_a_class_have_no_score_of_it(rng):
    labels, probabilities, counts = images(rng)
    measured = bootstrap.Measured(labels, probabilities, dice(counts), iou(counts))
    found = bootstrap.scores((labels != 2)[None], measured)
    for name in ("dice_normal", "iou_normal", "sensitivity_normal", "f1_normal", "auc_normal"):
        assert np.isnan(found[name]).all()
    assert np.isnan(found["auc_macro"]).all()
    known = np.nanmean([found["sensitivity_benign"], found["sensitivity_malignant"]])
    assert found["balanced_accuracy"][0] == pytest.approx(known)
    assert np.isnan(bootstrap.interval(found["auc_macro"])).all()


def test_groups_stay_whole_and_as_many_are_drawn_as_there_are():
    groups = ["a", "b", "a", "c", "c", "c"]
    times = bootstrap.draw(groups, 500)
    assert (times[:, 0] == times[:, 2]).all()
    assert (times[:, 3] == times[:, 4]).all()
    assert (times[:, 4] == times[:, 5]).all()
    assert (times[:, [0, 1, 3]].sum(axis=1) == 3).all()
    assert np.abs(times.mean(axis=0) - 1).max() < 0.15
    assert (bootstrap.draw(groups, 500) == times).all()
    assert not times.flags.writeable  # the next network is scored on the same
    assert (bootstrap.draw(groups, 500, seed=1) != times).any()


def test_intervals_of_a_mean_are_those_of_theory(rng):
    """For the mean of n independent values: mean +- 1.96 sd / sqrt(n)."""
    n = 400
    values = rng.random(n)
    ones = np.ones(n)
    measured = bootstrap.Measured(np.zeros(n, int), np.eye(3)[np.zeros(n, int)], values, ones)
    found = bootstrap.scores(bootstrap.draw([str(i) for i in range(n)]), measured)
    low, high = bootstrap.interval(found["dice_average"])
    half = 1.96 * values.std() / np.sqrt(n)
    assert low == pytest.approx(values.mean() - half, abs=0.003)
    assert high == pytest.approx(values.mean() + half, abs=0.003)


def test_pairs_of_one_group_widen_the_interval(rng):
    """The same images twice, as one group each, tell no more than once."""
    once = rng.random(100)
    twice = np.repeat(once, 2)

    def width(groups, values):
        n = len(values)
        measured = bootstrap.Measured(np.zeros(n, int), np.eye(3)[np.zeros(n, int)], values, values)
        found = bootstrap.scores(bootstrap.draw(groups), measured)
        low, high = bootstrap.interval(found["dice_average"])
        return high - low

    grouped = width([str(i // 2) for i in range(200)], twice)
    assert grouped == pytest.approx(width([str(i) for i in range(100)], once), rel=0.1)
    assert grouped > 1.25 * width([str(i) for i in range(200)], twice)
