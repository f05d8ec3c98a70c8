"""FFmpeg's `-progress` lines, made into figures for people: fraction, speed, seconds to go."""

from dataclasses import dataclass, field, replace

MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One block of `-progress`: what FFmpeg has done so far. `seconds` is media time, `bytes` what it has written."""

    frame: int = 0
    dropped: int = 0
    duplicated: int = 0
    seconds: float = 0.0
    bytes: int = 0
    speed: float | None = None
    """× real time, as FFmpeg measures it since its start."""
    finished: bool = False


@dataclass
class ProgressParser:
    """Takes the bytes of `-progress pipe:1` in pieces of any size, and gives each completed block.

    `out_time_us` is read, never `out_time_ms`, which is in microseconds too in spite of its name (FFmpeg ticket 7345).
    """

    _rest: bytes = b""
    _block: dict[str, str] = field(default_factory=dict)
    last: Snapshot = field(default_factory=Snapshot)

    def feed(self, chunk: bytes) -> list[Snapshot]:
        """The blocks that this chunk completes."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        done: list[Snapshot] = []
        for line in lines:
            key, _, value = line.decode("ascii", "replace").strip().partition("=")
            self._block[key] = value.strip()
            if key == "progress":
                self.last = self._snapshot(self._block)
                self._block = {}
                done.append(self.last)
        self._rest = self._rest[-4_096:]
        return done

    def _snapshot(self, block: dict[str, str]) -> Snapshot:
        """A value that FFmpeg does not know yet reads "N/A": the last one stands."""
        before = replace(self.last, finished=block["progress"] == "end")
        seconds = _number(block.get("out_time_us"))
        speed = _number(block.get("speed", "").removesuffix("x"))
        return replace(
            before,
            frame=int(_number(block.get("frame")) or before.frame),
            dropped=int(_number(block.get("drop_frames")) or before.dropped),
            duplicated=int(_number(block.get("dup_frames")) or before.duplicated),
            seconds=max(before.seconds, (seconds or 0.0) / MICROSECONDS),
            bytes=int(_number(block.get("total_size")) or before.bytes),
            speed=speed or before.speed,
        )


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Goal:
    """What there is to do, as far as it is known: seconds of media, and frames."""

    duration: float | None
    frames: int | None

    def fraction(self, at: Snapshot) -> float:
        """How far the work is, 0 to 1: by frames where there are any, for FFmpeg's media time is that of the sound, which runs ahead."""
        if at.finished:
            return 1.0
        if self.frames:
            return min((at.frame + at.dropped - at.duplicated) / self.frames, 0.999)
        return min(at.seconds / self.duration, 0.999) if self.duration else 0.0

    def describe(self, at: Snapshot, elapsed: float) -> str:
        """One line for people: media time done and the average speed, after `elapsed` seconds."""
        media = self.fraction(at) * self.duration if self.duration else at.seconds
        minutes, seconds = divmod(int(media), 60)
        clock = f"{minutes}:{seconds:02d} done"
        return f"{clock}, {media / elapsed:.2g}× real time" if elapsed > 0 and media else clock


def eta(done: float, elapsed: float) -> float | None:
    """Seconds to go when a fraction `done` took `elapsed` seconds; None while nobody can know."""
    return elapsed * (1.0 - done) / done if done > 0 else None
