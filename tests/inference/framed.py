"""Phantoms in a scanner's frame, and what a network makes of them, by `inference.crop`.

    python -m tests.inference.framed RUN [--count=60]

Prints Dice over the images with a lesion: of the picture alone, and of frames with one and two.
"""

import argparse

import cv2
import numpy as np

import busjax
from busjax.classes import NORMAL
from busjax.data.readers.phantom import PhantomSource
from busjax.inference.frame import Frame
from busjax.inference.views import View
from busjax.metrics import count_pixels, dice


def framed(*pictures, height=300, width=400, gap=24, left=60, top=50):
    """A scanner's frame: black, with the pictures side by side, letters, a ruler and a wedge."""
    frame = np.zeros((height, width * len(pictures)), np.uint8)
    frame[:] = 2  # a screen is not quite black
    places = []
    for index, picture in enumerate(pictures):
        h, w = picture.shape
        x = left + index * (w + gap)
        frame[top : top + h, x : x + w] = picture
        places.append(View(x, top, x + w, top + h))
    cv2.putText(frame, "BREAST L 12 MHz", (5, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 1)
    frame[top : top + 200 : 20, 30:38] = 220  # a ruler
    frame[top : top + 120, 8:16] = np.linspace(255, 0, 120).astype(np.uint8)[:, None]
    return frame, places


def measured(run, crop, groups):
    """Mean Dice of frames, each of the records of a group; those without a lesion left out."""
    predictor, scores = busjax.load(run, crop=crop), []
    for records in groups:
        if all(record.label == NORMAL for record in records):
            continue
        frame, places = framed(*(record.image for record in records))
        truth = np.zeros(frame.shape, bool)
        for record, place in zip(records, places, strict=True):
            place.of(truth)[:] = record.mask > 0
        tissue = tuple(places) if crop == "regions" else ()
        (reading,) = predictor.read([Frame(0, frame, tissue=tissue)])
        scores.append(dice(count_pixels(reading.mask[None], truth[None]))[0])
    return float(np.mean(scores))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("--count", type=int, default=60)
    options = parser.parse_args()
    source = PhantomSource(options.count, 7, 200)
    records = [source[index] for index in range(options.count)]
    one = [(record,) for record in records]
    two = [(record, records[(i + 7) % len(records)]) for i, record in enumerate(records)]
    alone = [
        dice(count_pixels(reading.mask[None], record.mask[None] > 0))[0]
        for record, reading in zip(
            records, busjax.load(options.run)([r.image for r in records]), strict=True
        )
        if record.label != NORMAL
    ]
    print(f"the picture alone: {np.mean(alone):.3f}")
    for title, groups in (("one view", one), ("two views", two)):
        found = {crop: measured(options.run, crop, groups) for crop in ("none", "scan", "regions")}
        print(title, ", ".join(f"{crop} {value:.3f}" for crop, value in found.items()))


if __name__ == "__main__":
    main()
