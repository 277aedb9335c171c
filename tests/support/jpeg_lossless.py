"""Encoder of lossless JPEG (process 14, selection value 1), which few libraries can write."""

import struct

import numpy as np

CATEGORIES = 17  # 0 to 16 bits of difference, each under a code of five bits
CODE_BITS = 5


def encoded(pixels: np.ndarray) -> bytes:
    """One uint16 picture (rows, columns) as a JPEG stream (ITU-T T.81, annexes B and H)."""
    rows, columns = pixels.shape
    table = bytes([0] * (CODE_BITS - 1) + [CATEGORIES] + [0] * (16 - CODE_BITS))
    huffman = b"\x00" + table + bytes(range(CATEGORIES))
    frame = struct.pack(">BHHB3B", 16, rows, columns, 1, 1, 0x11, 0)
    scan = bytes([1, 1, 0, 1, 0, 0])
    parts = [(0xFFC4, huffman), (0xFFC3, frame), (0xFFDA, scan)]
    head = b"".join(struct.pack(">HH", mark, len(body) + 2) + body for mark, body in parts)
    stream = b"\xff\xd8" + head + _entropy_coded(_differences(pixels)) + b"\xff\xd9"
    return stream + b"\0" * (len(stream) % 2)


def _differences(pixels: np.ndarray) -> np.ndarray:
    """Differences to the neighbour at the left (above in the first column), modulo 2^16."""
    values = pixels.astype(np.int64)
    before = np.empty_like(values)
    before[:, 1:] = values[:, :-1]
    before[1:, 0] = values[:-1, 0]
    before[0, 0] = 2**15
    return (values - before + 2**15) % 2**16 - 2**15


def _entropy_coded(differences: np.ndarray) -> bytes:
    bits = []
    for difference in differences.ravel().tolist():
        size = abs(difference).bit_length()
        bits.append(format(size, f"0{CODE_BITS}b"))
        if 0 < size < 16:
            low = difference if difference > 0 else difference + (1 << size) - 1
            bits.append(format(low, f"0{size}b"))
    text = "".join(bits)
    text += "1" * (-len(text) % 8)
    packed = int(text, 2).to_bytes(len(text) // 8, "big")
    return packed.replace(b"\xff", b"\xff\x00")
