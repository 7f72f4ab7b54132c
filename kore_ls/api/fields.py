"""The field types that several methods share: a type and the rule that its values obey."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from kore_ls.model import limits
from kore_ls.model.ids import MessageId, SessionId
from kore_ls.model.limits import JsonObject
from kore_ls.rpc.codec import Checked

SessionIdField: TypeAlias = Annotated[SessionId, Checked(limits.id_problem)]
MessageIdField: TypeAlias = Annotated[MessageId, Checked(limits.id_problem)]
Name: TypeAlias = Annotated[str, Checked(limits.name_problem)]
Tag: TypeAlias = Annotated[str, Checked(limits.tag_problem)]
Tags: TypeAlias = Annotated[tuple[Tag, ...], Checked(limits.tags_problem)]
Description: TypeAlias = Annotated[str, Checked(limits.description_problem)]
Content: TypeAlias = Annotated[str, Checked(limits.content_problem)]
Text: TypeAlias = Annotated[str, Checked(limits.unicode_problem)]
Metadata: TypeAlias = Annotated[JsonObject, Checked(limits.metadata_problem)]
Seq: TypeAlias = Annotated[int, Checked(limits.between(0, limits.MAX_INTEGER))]
Timestamp: TypeAlias = Annotated[int, Checked(limits.between(0, limits.MAX_INTEGER))]
ProgressToken: TypeAlias = Any
