"""Phantoms: reproducible, medically plausible, and not to be told apart by a trivial cue."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from busjax.classes import BENIGN, CLASSES, MALIGNANT, NORMAL
from busjax.data.readers.phantom import PhantomSource
from busjax.data.readers.phantom.anatomy import GRID, draw_breast
from busjax.data.readers.phantom.fields import sheets, smooth_noise
from busjax.data.readers.phantom.imaging import convolve, draw_scanner, received_loss, scatter
from busjax.data.records import Record

SIZE = 64


@pytest.fixture(scope="module")
def records() -> list[Record]:
    source = PhantomSource(count=150, seed=0, size=SIZE)
    return [source[index] for index in range(len(source))]


def cross_validated_accuracy(cues: list[list[float]], labels: list[int]) -> float:
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return float(cross_val_score(model, np.array(cues), np.array(labels), cv=5).mean())


def bounds(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Top, bottom (past the end), left, right (past the end)."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return rows[0], rows[-1] + 1, columns[0], columns[-1] + 1


def test_source_describes_its_records():
    source = PhantomSource(count=7, seed=3, size=32)
    assert len(source) == 7
    assert source.name == "phantom"
    assert "not BUSI" in source.description
    assert source.ids[6] == "phantom 0006"
    assert source.groups == source.ids
    assert [CLASSES[label] for label in source.labels[:4]] == [*CLASSES, CLASSES[0]]
    record = source[4]
    assert (record.id, record.group, record.label) == ("phantom 0004", "phantom 0004", 1)
    assert record.image.shape == record.mask.shape == (32, 32)
    assert record.image.dtype == record.mask.dtype == np.uint8
    assert set(np.unique(record.mask)) == {0, 1}
    with pytest.raises(IndexError):
        source[7]


def test_record_depends_on_seed_and_index_alone():
    few, many = PhantomSource(5, seed=1, size=SIZE), PhantomSource(50, seed=1, size=SIZE)
    late_first = [many[index] for index in (4, 1)]
    for record in late_first:
        again = few[int(record.id.split()[1])]
        np.testing.assert_array_equal(record.image, again.image)
        np.testing.assert_array_equal(record.mask, again.mask)
    other = PhantomSource(5, seed=2, size=SIZE)[1]
    assert np.mean(other.image != late_first[1].image) > 0.5


def test_same_scene_at_any_size():
    small, large = (PhantomSource(2, seed=0, size=size)[1] for size in (64, 128))
    halved = large.image.reshape(64, 2, 64, 2).mean((1, 3))
    assert np.abs(halved - small.image).max() <= 1.5
    assert large.mask.mean() == pytest.approx(small.mask.mean(), rel=0.05)


def test_mask_is_empty_for_normal_and_of_sane_area_otherwise(records: list[Record]):
    for record in records:
        area = record.mask.mean()
        assert (area == 0) if record.label == NORMAL else (0.01 < area < 0.2), record.id
        if record.label != NORMAL:
            top, bottom, left, right = bounds(record.mask)
            assert top > 0
            assert left > 0
            assert right < SIZE
            assert bottom < 0.95 * SIZE


def test_benign_masses_are_wider_than_tall_and_malignant_ones_less_often(records: list[Record]):
    wider: dict[int, list[bool]] = {BENIGN: [], MALIGNANT: []}
    for record in records:
        if record.label != NORMAL:
            top, bottom, left, right = bounds(record.mask)
            wider[record.label].append(right - left > bottom - top)
    assert np.mean(wider[BENIGN]) > 0.8
    assert 0.3 < np.mean(wider[MALIGNANT]) < 0.8


def test_benign_masses_enhance_and_malignant_ones_shadow(records: list[Record]):
    behind: dict[int, list[float]] = {BENIGN: [], MALIGNANT: []}
    for record in records:
        if record.label != NORMAL:
            _, bottom, left, right = bounds(record.mask)
            rows = record.image[bottom + 1 : bottom + 9].astype(float)
            quarter = (right - left) // 4
            beside = np.hstack([rows[:, : left - 1], rows[:, right + 1 :]])
            behind[record.label].append(
                rows[:, left + quarter : right - quarter].mean() - beside.mean()
            )
    assert np.mean(behind[BENIGN]) > 5
    assert np.mean(behind[MALIGNANT]) < -5


def test_grey_levels_do_not_tell_the_classes(records: list[Record]):
    cues = [
        [
            record.image.mean(),
            record.image.std(),
            *np.quantile(record.image, [0.05, 0.25, 0.5, 0.75, 0.95]),
            *(band.mean() for band in np.array_split(record.image, 3)),
        ]
        for record in records
    ]
    labels = [record.label for record in records]
    assert cross_validated_accuracy(cues, labels) < 1 / 3 + 0.15


def test_size_and_place_do_not_tell_benign_from_malignant(records: list[Record]):
    lesions = [record for record in records if record.label != NORMAL]
    cues = [
        [record.mask.mean(), *(axis.mean() for axis in np.nonzero(record.mask))]
        for record in lesions
    ]
    assert cross_validated_accuracy(cues, [record.label for record in lesions]) < 0.62


def test_speckle_of_uniform_tissue_is_rayleigh_and_keeps_its_power():
    rng = np.random.default_rng(0)
    scene, scanner = draw_breast(rng), draw_scanner(rng)
    ones, none = np.ones((GRID, GRID), np.float32), np.zeros((GRID, GRID), np.float32)
    iq = convolve(scatter(rng, ones, none), scene, scanner)
    envelope = np.hypot(iq[..., 0], iq[..., 1])
    # Burckhardt 1978: mean / standard deviation of a Rayleigh variable is sqrt(pi / (4 - pi)).
    assert envelope.mean() / envelope.std() == pytest.approx(1.913, abs=0.08)
    middle = envelope[GRID // 5 : GRID // 3]  # between two of the depths whose beams are known
    assert np.mean(middle**2) == pytest.approx(1, abs=0.15)


def test_loss_adds_up_with_depth():
    scene = draw_breast(np.random.default_rng(0))
    scene = dataclasses.replace(scene, attenuation=np.full((GRID, GRID), 2.0, np.float32))
    loss = received_loss(scene)
    assert loss[-1].max() == pytest.approx(2.0 * scene.depth / 10, rel=1e-4)  # dB/cm * cm
    assert loss[GRID // 2 - 1, 0] == pytest.approx(loss[-1, 0] / 2, rel=1e-4)


@pytest.mark.parametrize(("axial", "lateral"), [(2.0, 3.5), (5.0, 21.0)])
def test_smooth_noise_has_unit_variance_and_its_correlation_length(axial: float, lateral: float):
    rng = np.random.default_rng(0)
    noise = np.stack([smooth_noise(rng, (96, 300), axial, lateral) for _ in range(20)])
    assert noise.mean() == pytest.approx(0, abs=0.1)
    assert noise.var() == pytest.approx(1, abs=0.15)
    # White noise smoothed by a Gaussian kernel s correlates as exp(-lag^2 / (4 s^2)).
    lag = int(2 * lateral)
    correlation = np.mean(noise[..., lag:] * noise[..., :-lag]) / noise.var()
    assert correlation == pytest.approx(np.exp(-(lag**2) / (4 * lateral**2)), abs=0.1)


def test_sheets_are_bright_where_they_face_the_beam():
    z, x = np.mgrid[-20:21, -20:21].astype(np.float32)
    level = sheets(z, thickness=1.0)
    assert level[20, 20] == pytest.approx(1)
    assert level[21, 20] == pytest.approx(np.exp(-0.5), rel=1e-3)
    assert sheets(x, thickness=1.0).max() == pytest.approx(0)
