"""Several keys of one server, each with its own pace and its own pauses."""

import email.utils
import math
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass
class _Key:
    secret: str
    number: int
    ready: float = 0.0  # seconds of the pool's clock
    used: int = 0  # the turn in which it was dealt last
    refusals: int = 0  # rests in a row
    rested: float = 0.0  # when its last rest is over
    pace: float = 0.0  # seconds between two requests


class KeyPool:
    """Deals keys in turn: none before its cooldown is over, none faster than its rate.

    A key that is refused goes on at half its pace, and a little faster with each reply.

    Args:
        secrets: The keys; an empty list is one caller without a key.
        requests_per_minute: Most requests a minute with one key; None sets no limit.
        tokens_per_minute: Most tokens a minute with one key; None for no limit.
        base_s: First pause in seconds where the server names none; doubled each time in a row.
        longest_s: Longest such pause in seconds.
        seed: Seed of the pauses' jitter.
        clock: Seconds, as from `time.monotonic`.
    """

    def __init__(
        self,
        secrets: Sequence[str],
        *,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        base_s: float = 1.0,
        longest_s: float = 60.0,
        seed: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._interval = 60 / requests_per_minute if requests_per_minute else 0.0
        self._keys = [
            _Key(secret, number, pace=self._interval)
            for number, secret in enumerate(secrets or [""], 1)
        ]
        self._per_token = 60 / tokens_per_minute if tokens_per_minute else 0.0
        self._base, self._longest = base_s, longest_s
        self._turn = 0
        self._random = random.Random(seed)
        self._clock = clock
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._keys)

    def secret(self, number: int) -> str:
        """Return the key of a number, counted from 1; '' where there is none."""
        return self._keys[number - 1].secret

    def take(self) -> tuple[int, float]:
        """Return the number of a key that is ready and 0, or 0 and the seconds until one is."""
        with self._lock:
            now = self._clock()
            ready = [key for key in self._keys if key.ready <= now]
            if not ready:
                return 0, min(key.ready for key in self._keys) - now
            key = min(ready, key=lambda each: each.used)
            self._turn += 1
            key.used, key.ready = self._turn, now + key.pace
            return key.number, 0.0

    def answered(self, number: int, tokens: int) -> None:
        """Note that a key got its reply, and what it spent."""
        with self._lock:
            key = self._keys[number - 1]
            key.refusals = 0
            key.pace = max(self._interval, 0.9 * key.pace)
            key.ready = max(key.ready, self._clock()) + tokens * self._per_token

    def cool_down(self, number: int, retry_after: str | None) -> float:
        """Let a key rest for as long as the server says; return the seconds.

        Args:
            number: The key.
            retry_after: The header Retry-After: seconds or an HTTP date; None where absent.
        """
        with self._lock:
            key = self._keys[number - 1]
            now = self._clock()
            if now >= key.rested:
                # Of many requests that are refused together, the first alone counts.
                key.refusals += 1
                key.pace = min(max(2 * key.pace, self._base / 4), self._longest)
            pause = retry_after_seconds(retry_after)
            if pause is None:
                pause = backoff(key.refusals, self._base, self._longest, self._random)
            key.rested = max(key.rested, now + pause)
            key.ready = max(key.ready, key.rested)
            return pause

    def retire(self, number: int) -> bool:
        """Deal a key no more; return whether another one is left."""
        with self._lock:
            self._keys[number - 1].ready = math.inf
            return any(key.ready < math.inf for key in self._keys)

    def backoff(self, attempt: int) -> float:
        """Return the pause in seconds after an attempt that failed for no fault of the key."""
        with self._lock:
            return backoff(attempt, self._base, self._longest, self._random)


def backoff(attempt: int, base_s: float, longest_s: float, rng: random.Random) -> float:
    """Return a pause that doubles with each attempt, less up to half of it by chance."""
    return float(min(base_s * 2 ** min(attempt - 1, 30), longest_s) * rng.uniform(0.5, 1))


def retry_after_seconds(header: str | None) -> float | None:
    """Return what Retry-After asks for in seconds, or None where it says nothing readable."""
    if not header:
        return None
    try:
        seconds = float(header)
        return seconds if 0 <= seconds < float("inf") else None
    except ValueError:
        pass
    try:
        when = email.utils.parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())
