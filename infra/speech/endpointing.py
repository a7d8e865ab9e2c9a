"""Where speech begins and ends in a stream of samples, told by energy alone. Pure: time is counted in samples.

A frame is loud when it stands out from the quietest of the last two seconds: steady noise becomes the floor, and the
dips between syllables keep speech above it. Whether it was speech is for the recogniser to say.
"""

from __future__ import annotations

from collections import deque

from infra.audio.pcm import level_dbfs

RATE = 16_000
FRAME_SECONDS = 0.02
FRAME_BYTES = int(RATE * FRAME_SECONDS) * 2

_FLOOR_FRAMES = 100  # two seconds
_WARM_UP_FRAMES = 10  # until then the floor is unknown, and somebody may speak already
_WARM_UP_FLOOR_DBFS = -50.0
_ABOVE_FLOOR_DB = 9.0
_THRESHOLD_MIN_DBFS = -52.0  # what is quieter than this is no voice into a microphone
_START_WINDOW_FRAMES = 20
_START_LOUD_FRAMES = 12  # of these twenty; more than the warm-up, so that steady noise alone never starts


class Endpointer:
    """Hears frames of `FRAME_BYTES`, 16 kHz, 16 bits. `began` once there was speech; `silent_frames` since the last
    loud one."""

    def __init__(self) -> None:
        self.began = False
        self.silent_frames = 0
        self._heard = 0
        self._lowest: deque[tuple[int, float]] = deque()  # (frame, level), levels rising: the first is the floor
        self._recent: deque[bool] = deque(maxlen=_START_WINDOW_FRAMES)

    def hear(self, frame: bytes) -> None:
        assert len(frame) == FRAME_BYTES
        level = level_dbfs(frame)
        loud = level > self._threshold_with(level)
        self.silent_frames = 0 if loud else self.silent_frames + 1
        if not self.began:
            self._recent.append(loud)
            self.began = sum(self._recent) >= _START_LOUD_FRAMES

    def _threshold_with(self, level: float) -> float:
        while self._lowest and self._lowest[-1][1] >= level:
            self._lowest.pop()
        self._lowest.append((self._heard, level))
        if self._lowest[0][0] <= self._heard - _FLOOR_FRAMES:
            self._lowest.popleft()
        self._heard += 1
        floor = self._lowest[0][1]
        if self._heard <= _WARM_UP_FRAMES:
            floor = min(floor, _WARM_UP_FLOOR_DBFS)
        return max(floor + _ABOVE_FLOOR_DB, _THRESHOLD_MIN_DBFS)
