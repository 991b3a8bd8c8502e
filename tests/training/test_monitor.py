"""What chooses the checkpoint: a sum of scores, each of which validation can have."""

import numpy as np
import pytest

from busjax.errors import UserError
from busjax.training import monitor


def test_monitor_is_the_sum_of_scores():
    scores = {"dice_average": 0.5, "accuracy": 0.25, "loss": 1.0}
    assert monitor.monitored(scores, "dice_average+accuracy") == 0.75


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("auc_macro", [0, 0, 1]),
        ("dice_normal", [0, 1]),
        ("accuracy+sensitivity_malignant", [0, 2]),
        ("auc_benign", [0, 0]),
    ],
)
def test_a_score_that_validation_cannot_have_is_refused(name, labels):
    with pytest.raises(UserError, match=f"{name.split('+')[-1]} is undefined on the validation"):
        monitor.check(name, np.array(labels))
    monitor.check("dice_average+accuracy+f1_weighted+balanced_accuracy", np.array(labels))
    monitor.check(name, np.array([0, 1, 2]))
