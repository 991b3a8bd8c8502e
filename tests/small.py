"""Settings of a run that takes seconds, as `Config.but` takes them."""

SMALL = {
    "model": {
        "width": 4,
        "depth": 1,
        "classifier_hidden": 8,
        "ops": "reference",
        "dtype": "float32",
    },
    "data": {"image_size": 16, "source": "phantom", "phantom_count": 48},
    "train": {"batch_size": 8, "eval_batch_size": 8, "epochs": 1},
    "parallel": {"devices": 1},
}
