"""TIFF files of one strip, byte by byte, of kinds that Pillow does not write."""

import struct

SHORT, LONG = 3, 4


def write(path, pixels, bits, sample_format=1, photometric=1, **tags):
    """Writes (H, W) or (H, W, 3) pixels as they lie in memory; further tags by their number."""
    height, width = pixels.shape[:2]
    samples = pixels.shape[2] if pixels.ndim == 3 else 1
    found = {
        256: (LONG, [width]), 257: (LONG, [height]), 258: (SHORT, [bits] * samples),
        259: (SHORT, [1]), 262: (SHORT, [photometric]), 273: (LONG, [8]), 277: (SHORT, [samples]),
        278: (LONG, [height]), 279: (LONG, [pixels.nbytes]),
        339: (SHORT, [sample_format] * samples),
        **{int(number.removeprefix("tag_")): (SHORT, [value]) for number, value in tags.items()},
    }  # fmt: skip
    start = 8 + pixels.nbytes
    after = start + 2 + 12 * len(found) + 4  # where values go that do not fit into a tag
    entries, further = b"", b""
    for number, (kind, values) in sorted(found.items()):
        content = struct.pack(f"<{len(values)}{'HI'[kind == LONG]}", *values)
        if len(content) > 4:
            further += content
            content = struct.pack("<I", after + len(further) - len(content))
        entries += struct.pack("<HHI", number, kind, len(values)) + content.ljust(4, b"\0")
    head = struct.pack("<2sHI", b"II", 42, start) + pixels.tobytes()
    path.write_bytes(head + struct.pack("<H", len(found)) + entries + b"\0" * 4 + further)
    return path
