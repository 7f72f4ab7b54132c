"""When was talked, and how much was used, as drawings (SVG) that need no script and no style of their own. Pure."""

from __future__ import annotations

from itertools import zip_longest

from attrs import define, field

from kore_ls.model.message import Message, Role
from kore_ls.sessions.documents.readable.passages import moment, tokens_in

_BINS = 120
_MOST_KEPT = 4_096
_WIDTH, _HEIGHT, _TOP = 720, 90, 6


_Point = tuple[int, bool, int, int, int]
"""(time, whether the user spoke, tokens in, tokens out, characters)"""


def _joined(one: _Point, other: _Point) -> _Point:
    return (one[0], one[1] or other[1], one[2] + other[2], one[3] + other[3], one[4] + other[4])


@define
class Course:
    """How a session went: a bounded number of points, each of one message or of several that followed each other."""

    points: list[_Point] = field(factory=list)
    _every: int = 1
    _count: int = 0

    def add(self, message: Message) -> None:
        """Take a message into account."""
        spent_in, spent_out = tokens_in(dict(message.metadata))
        point = (message.timestamp, message.role is Role.USER, spent_in, spent_out, len(message.content))
        self._count += 1
        if self.points and self._count % self._every:
            last = self.points[-1]
            self.points[-1] = _joined(last, point)
            return
        self.points.append(point)
        if len(self.points) > _MOST_KEPT:
            pairs = zip_longest(self.points[::2], self.points[1::2])
            self.points = [one if other is None else _joined(one, other) for one, other in pairs]
            self._every *= 2


def time_line(course: Course) -> str:
    """How much was said when: a bar for each stretch of time, the user's part darker."""
    if not course.points:
        return ""
    first, last = (pick(point[0] for point in course.points) for pick in (min, max))
    asked, answered = [0] * _BINS, [0] * _BINS
    for at, by_user, *_ in course.points:
        place = min(_BINS - 1, (at - first) * _BINS // max(1, last - first))
        (asked if by_user else answered)[place] += 1
    label = f"Messages from {moment(first)} to {moment(last)}"
    return _bars(list(zip(asked, answered, strict=True)), label, ("prompts", "answers"))


def usage_chart(course: Course) -> str:
    """What was used as the session went on: tokens where messages tell them, else the characters written."""
    known = any(point[2] or point[3] for point in course.points)
    values = [(point[2], point[3]) if known else (0, point[4]) for point in course.points]
    if not any(map(sum, values)):
        return ""
    size = -(-len(values) // _BINS)
    groups = [values[start : start + size] for start in range(0, len(values), size)]
    bins = [(sum(each[0] for each in group), sum(each[1] for each in group)) for group in groups]
    total_in, total_out = sum(each[0] for each in bins), sum(each[1] for each in bins)
    if known:
        return _bars(bins, f"{total_in:,} tokens in, {total_out:,} out", ("tokens in", "tokens out"))
    return _bars(bins, f"{total_out:,} characters", ("", "characters"))


def _bars(bins: list[tuple[int, int]], label: str, names: tuple[str, str]) -> str:
    """Bars of two parts, one on the other, as high as the drawing for the largest."""
    highest = max(map(sum, bins))
    step = _WIDTH / len(bins)
    drawn: list[str] = []
    for place, (lower, upper) in enumerate(bins):
        floor: float = _HEIGHT
        for kind, value in (("lower", lower), ("upper", upper)):
            height = (_HEIGHT - _TOP) * value / highest if highest else 0
            if height:
                floor_next = floor - height
                drawn.append(
                    f'<rect class="{kind}" x="{place * step:.2f}" y="{floor_next:.2f}" '
                    f'width="{max(1.0, step - 1):.2f}" height="{height:.2f}"/>'
                )
                floor = floor_next
    legend = " · ".join(
        f'<span class="{kind}">■</span> {name}' for kind, name in zip(("lower", "upper"), names, strict=True) if name
    )
    return (
        f'<figure><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}" preserveAspectRatio="none">'
        f"{''.join(drawn)}</svg><figcaption>{label} <small>{legend}</small></figcaption></figure>"
    )
