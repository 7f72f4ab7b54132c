"""What is asked about a call, in our own words, as long as can be read. Asks nobody."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from kore_ls.agents.gate import Action
from kore_ls.agents.paths import Access, Place, locate
from kore_ls.agents.protected import Guard
from kore_ls.agents.surroundings import Surroundings
from kore_ls.agents.words import say
from kore_ls.model.display import quoted
from kore_ls.model.ids import TurnId
from kore_ls.model.message import ToolCall, ToolKind

_LONGEST = 8_000
_LONGEST_REMARK = 1_200
_LEAST_WORDS = 2_000
_LONG = 400
"""What is longer comes after the program, the directory and the freedoms, so that no client cuts those off."""


@frozen(kw_only=True)
class Question:
    """What is asked about one call. `remarks` are further words of ours; `words` replaces the summary's first ones."""

    turn_id: TurnId
    call: ToolCall
    action: Action
    sandboxed: bool = False
    remarks: tuple[str, ...] = ()
    diff: str | None = None
    words: str | None = None


def foreign_question(
    around: Surroundings,
    call: ToolCall,
    turn_id: TurnId,
    paths: Sequence[str],
    argv: Sequence[str],
    diff: str | None,
    *,
    confined: bool,
) -> Question:
    """What is asked about a call that an external agent makes itself: it counts as execution, whatever it says it is.

    Raises ToolProblem for a path that is none.
    """
    places = tuple(locate(around.folder, path, Access.WRITE, internal=around.internal) for path in paths)
    action = Action(tool=f"agent.{call.kind.value}", kind=None, declared=call.kind, places=places, argv=tuple(argv))
    named = ", ".join(dict.fromkeys(_named(place, around.locale) for place in places))
    if argv:
        words = say("execute", around.locale, argv=" ".join(quoted(word) for word in argv))
    elif named:
        words = say("foreignPaths", around.locale, kind=call.kind.value, paths=named)
    else:
        words = say("foreign", around.locale, kind=call.kind.value, title=quoted(call.title))
    remarks = (say("sandbox", around.locale, sandbox=around.sandbox.kind.value),) if confined else ()
    remarks = remarks or (say("noSandbox", around.locale),)
    return Question(
        turn_id=turn_id, call=call, action=action, sandboxed=confined, remarks=remarks, diff=diff, words=words
    )


def summary_of(question: Question, locale: str | None) -> tuple[str, bool]:
    """What is asked, in our own words, and whether that is all of it.

    Kind, real paths, quoted argv, and what is special about it; in what is too long the middle is left out.
    """
    words = _words_of(question, locale)
    remarks = [_cut(each, _LONGEST_REMARK, locale) for each in question.remarks]
    left = max(_LONGEST - sum(len(each) + 2 for each in remarks), _LEAST_WORDS)
    shown = _cut(words, left, locale)
    text = "; ".join([shown, *remarks] if len(words) <= _LONG else [*remarks, shown])
    return text, (shown, *remarks) == (words, *question.remarks)


def _words_of(question: Question, locale: str | None) -> str:
    action = question.action
    kind = (action.kind or ToolKind.OTHER).value
    paths = ", ".join(dict.fromkeys(_named(place, locale) for place in action.places))
    if question.words is not None:
        return question.words
    if action.argv:
        return say("execute", locale, argv=" ".join(quoted(word) for word in action.argv))
    if kind in ("edit", "move", "delete", "read", "search") and paths:
        return say(kind, locale, paths=paths)
    return say("execute", locale, argv=quoted(action.tool))


def _cut(text: str, longest: int, locale: str | None) -> str:
    """Its beginning and its end, and between them how much is missing."""
    if len(text) <= longest:
        return text
    half = (longest - len(say("leftOut", locale, count=len(text)))) // 2
    return text[:half] + say("leftOut", locale, count=len(text) - 2 * half) + text[-half:]


def _named(place: Place, locale: str | None) -> str:
    notes = [] if place.inside else [say("outside", locale)]
    notes += [say(guard.value, locale) for guard in (Guard.SECRET, Guard.CODE) if guard in place.guards]
    return quoted(str(place.path)) + (f" ({', '.join(notes)})" if notes else "")
