"""'I do not know': distances to what is known, and thresholds that keep a stated share."""

import numpy as np
import pytest

from busjax.errors import UserError
from busjax.networks import abstention, familiarity
from busjax.networks.familiarity import Familiar

N, SIZE = 120, 40


def features(rng, n=N, shift=0.0):
    """Features that depend on five hidden things, and a little on chance."""
    mixing = np.random.default_rng(7).standard_normal((5, SIZE))
    return rng.standard_normal((n, 5)) @ mixing + 0.1 * rng.standard_normal((n, SIZE)) + shift


def groups(n=N):
    return [str(i // 2) for i in range(n)]


def signs(rng, n=N):
    return {
        "mask": rng.random(n),
        "classes": rng.random(n) ** 2,
        "mask_disagreement": np.zeros(n),
        "class_disagreement": np.zeros(n),
    }


def test_distances_are_those_of_mahalanobis_where_images_are_many(rng):
    known = rng.standard_normal((20000, 3)) * (1, 2, 5) + (0, 3, 0)
    new = rng.standard_normal((50, 3)) * 4
    off = new - known.mean(0)
    exact = np.einsum("ni,ij,nj->n", off, np.linalg.inv(np.cov(known.T)), off)
    found = Familiar.fit(known).distances(new)
    np.testing.assert_allclose(found, np.sqrt(exact / 3), rtol=0.01)


def test_directions_that_do_not_vary_tell_most(rng):
    known, new = features(rng), features(rng, 50)
    odd = new + 1.0 * rng.standard_normal(new.shape)  # which no hidden thing explains
    fitted = Familiar.fit(known)
    assert fitted.distances(odd).min() > 1.5 * np.median(fitted.distances(new))


def test_directions_past_those_that_are_kept_share_a_variance(rng):
    known = rng.standard_normal((400, 200))
    fitted = Familiar.fit(known)
    assert fitted.axes.shape == (64, 200)
    np.testing.assert_allclose(fitted.axes @ fitted.axes.T, np.eye(64), atol=1e-9)
    assert np.median(fitted.distances(rng.standard_normal((400, 200)))) == pytest.approx(1, abs=0.1)


def test_features_that_never_vary_do_no_harm(rng):
    known = features(rng)
    known[:, 3] = 5.0
    assert np.isfinite(Familiar.fit(known).distances(features(rng))).all()
    assert np.isfinite(Familiar.fit(np.ones((9, 4))).distances(np.zeros((2, 4)))).all()


def test_what_was_left_out_is_as_far_as_what_is_new(rng):
    known = features(rng)
    inside = Familiar.fit(known).distances(known)
    out = familiarity.left_out(known, groups())
    new = Familiar.fit(known).distances(features(rng, 500))
    assert abs(np.median(out) / np.median(new) - 1) < 0.1
    assert np.median(inside) < np.median(new)


def test_a_group_is_never_parted(rng):
    known = features(rng)
    known[1::2] = known[::2]  # two images of a patient, the same
    twins = familiarity.left_out(known, groups())
    alone = familiarity.left_out(known, [str(i) for i in range(N)])
    assert (twins > alone).mean() > 0.9


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.95])
def test_the_stated_share_is_kept(rng, coverage):
    fitted = abstention.fit(signs(rng), features(rng), groups())
    limit = fitted.limit(coverage)
    new = fitted.judge(signs(rng, 4000), features(rng, 4000))
    assert (new.doubt <= limit).mean() == pytest.approx(coverage, abs=0.08)
    assert fitted.limit(1.0) == pytest.approx(1.0)


def test_a_sign_that_never_varied_is_none(rng):
    fitted = abstention.fit(signs(rng), features(rng), groups())
    assert set(fitted.quantiles) == {"mask", "classes", "distance"}


def test_reasons_are_the_signs_beyond_the_limit(rng):
    fitted = abstention.fit(signs(rng), features(rng), groups())
    told = {
        "mask": np.array([0.01, 0.999, 0.01]),
        "classes": np.array([0.01, 0.01, 0.01]),
    }
    seen = features(rng, 3)
    seen[2] += 50
    judged = fitted.judge(told, seen)
    assert fitted.reasons(judged, 0, 0.99) == ()
    (reason,) = fitted.reasons(judged, 1, 0.9)
    assert reason.startswith("its mask is less sure than 9")
    for coverage in (0.5, 1.0):  # what was never seen is left out at any coverage
        assert fitted.reasons(judged, 2, coverage) == (
            "it is unlike all images that the network was tried on",
        )
    np.testing.assert_array_equal(judged.is_far, [False, False, True])
    for coverage in (0.5, 0.9, 0.99, 1.0):  # the same rule, of all images at once
        has_reasons = [bool(fitted.reasons(judged, i, coverage)) for i in range(3)]
        np.testing.assert_array_equal(fitted.abstains(judged, coverage), has_reasons)


def test_too_few_images_tell_nothing(rng):
    few = abstention.FEWEST - 1
    assert abstention.fit(signs(rng, few), features(rng, few), groups(few)) is None
    of_few_patients = ["a", "b"] * 10
    assert abstention.fit(signs(rng, 20), features(rng, 20), of_few_patients) is None


def test_it_is_read_as_it_was_written(rng, tmp_path):
    assert abstention.read(tmp_path) is None
    fitted = abstention.fit(signs(rng), features(rng), groups())
    abstention.save(tmp_path, fitted)
    again = abstention.read(tmp_path)
    new, seen = signs(rng), features(rng)
    one, other = fitted.judge(new, seen), again.judge(new, seen)
    np.testing.assert_allclose(one.doubt, other.doubt, atol=1e-5)
    np.testing.assert_allclose(one.distance, other.distance, rtol=1e-5)


@pytest.mark.parametrize("content", [b"", b"no tensors"])
def test_a_damaged_file_is_told(tmp_path, content):
    (tmp_path / abstention.FILE).write_bytes(content)
    with pytest.raises(UserError, match=r"cannot be read .*: evaluate the run again"):
        abstention.read(tmp_path)


def test_a_file_of_something_else_is_told(tmp_path):
    (tmp_path / abstention.FILE).write_bytes(abstention.tensors.to_bytes({"a": np.ones(3)}))
    with pytest.raises(UserError, match="'familiar' is missing"):
        abstention.read(tmp_path)
