"""Arithmetic coding: symbols of known probability become a file of as many bits as they are surprising.

A range coder (Martin 1979) with carries, in whole numbers only: the same intervals give the same bytes everywhere. An
interval is (start, size) in a bar of length 2⁴⁰ on which every symbol has its share, as in the choice of a next token.
"""

from __future__ import annotations

BAR_BITS = 40
"""The bar that symbols share is 2⁴⁰ long."""
_WORD = 1 << 64
_SMALL = 1 << 56


class ArithmeticEncoder:
    """Turns intervals into bytes."""

    def __init__(self) -> None:
        self._low, self._range = 0, _WORD
        self._out = bytearray()

    def add(self, start: int, size: int) -> None:
        """The next symbol has the interval from `start` on of this `size` (≥ 1) on the bar."""
        unit = self._range >> BAR_BITS
        self._low += unit * start
        self._range = unit * size
        if self._low >= _WORD:
            self._carry()
        while self._range < _SMALL:
            self._out.append(self._low >> 56)
            self._low = self._low << 8 & _WORD - 1
            self._range <<= 8

    def finish(self) -> bytes:
        """All bytes. The last number is the shortest one in the interval that is left: at most 8 bits are wasted."""
        for length in range(9):
            step = 1 << (64 - 8 * length)
            number = -(-self._low // step) * step
            if number < self._low + self._range:
                break
        self._low = number
        if self._low >= _WORD:
            self._carry()
        self._out += self._low.to_bytes(8, "big")[:length]
        return bytes(self._out)

    def _carry(self) -> None:
        self._low -= _WORD
        place = len(self._out) - 1
        while self._out[place] == 255:
            self._out[place] = 0
            place -= 1
        self._out[place] += 1


class ArithmeticDecoder:
    """Turns the bytes back: `place` says where on the bar the next symbol lies; whoever knows the shares tells `take`
    which interval that is."""

    def __init__(self, data: bytes) -> None:
        self._data, self._read = data, 8
        self._code = int.from_bytes(data[:8].ljust(8, b"\0"), "big")
        self._range = _WORD

    def place(self) -> int:
        """A place on the bar, inside the next symbol's interval."""
        return min(self._code // (self._range >> BAR_BITS), (1 << BAR_BITS) - 1)

    def take(self, start: int, size: int) -> None:
        """The symbol was the one with this interval."""
        unit = self._range >> BAR_BITS
        self._code -= unit * start
        self._range = unit * size
        while self._range < _SMALL:
            following = self._data[self._read] if self._read < len(self._data) else 0
            self._code = self._code << 8 | following
            self._range <<= 8
            self._read += 1
