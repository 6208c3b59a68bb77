"""The routes of notes: write, read, edit, take away, hand over."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field, StringConstraints, model_validator

from services.notes import core
from services.notes.api.common import EDITING, NOTE_GONE, SOME_ID, STAFF, required, tag, tagged
from services.notes.api.views import History, NoteView, RecordView, RevisionView
from services.notes.handlers.commands import DeleteNote, EditNote, PostNote, React, RelayNote
from services.notes.store import Store
from shared.contracts.event import Cell
from shared.contracts.notes import Intent, Reaction
from shared.desk import Call, Calling, Desk
from shared.errors import Rejected
from shared.http import Body, Cursor, Id, IfMatch, Page, Paging, Someone, page, problems
from shared.place import FIRST, around, blurred

NewTitle = Annotated[str, StringConstraints(min_length=1, max_length=200)]
NewText = Annotated[str, StringConstraints(min_length=1, max_length=20_000)]
NewTopic = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Place = Annotated[str, Field(pattern=r"^[0-9a-z]{4,6}$", description="A coarse cell, never a point.")]


class NewNote(Body):
    """A note to write."""

    title: NewTitle = Field(examples=["周末有人一起去岩馆吗"])
    text: NewText = Field(examples=["新手, 想找附近的抱石馆, 最好周日下午."])
    topic: NewTopic | None = Field(default=None, examples=["climbing"])
    place: Place | None = Field(default=None, examples=["wtw3s"])
    intent: Intent | None = None
    cell: Cell | None = Field(
        default=None,
        examples=["89309959d73ffff"],
        description="Where it is, an H3 cell of resolution 9; it is moved by about a kilometre before it is kept.",
    )


def left_out(schema: dict[str, Any]) -> None:
    """A field that may be left out and has no value then."""
    schema.pop("default", None)


class NoteChanges(Body):
    """What to write anew of a note; what is left out stays, null takes away."""

    title: NewTitle = Field(default="", json_schema_extra=left_out, examples=["周六上午有人一起去岩馆吗"])
    text: NewText = Field(default="", json_schema_extra=left_out, examples=["听劝, 改到周六上午."])
    topic: NewTopic | None = Field(default=None, examples=["climbing"])
    place: Place | None = Field(default=None, examples=["wtw3s"])
    intent: Intent | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("names nothing to change")
        return self


class NewRelay(Body):
    """Where a note's talk is to go on."""

    group_id: Id = Field(examples=[SOME_ID])


class NotePosted(BaseModel):
    note_id: str
    created_at: datetime
    held: bool = Field(default=False, description="Whether others see it only after it was judged.")


class NoteEdited(BaseModel):
    note_id: str
    revision: int
    state: core.RevisionState


class Relayed(BaseModel):
    note_id: str
    group_id: str


REACTING = problems(400, 422, 503, types=NOTE_GONE)


def routes(desk: Desk, store: Store, days: float) -> APIRouter:
    """The routes of notes; none older than ``days`` is hot."""
    api = APIRouter(prefix="/v1", tags=["notes"])

    async def moved(cell: str, call: Call) -> str:
        """What is told of a place: what was told of one nearby before, so that many notes tell no more than one."""
        try:
            return await store.cell_told(call.person, around(cell)) or blurred(cell, call.draw("cell"), FIRST)
        except ValueError:
            raise Rejected("unknown-cell", 422, detail="There is no such H3 cell of resolution 9.") from None

    @api.post(
        "/notes",
        status_code=201,
        response_model=NotePosted,
        responses=problems(400, 422, 503, types={422: ["invalid-body", "unknown-cell"]}),
    )
    async def post_note(body: NewNote, call: Calling) -> Response:
        """Write a note."""
        command = PostNote(
            person_id=call.person,
            note_id=call.new_id("note"),
            title=body.title,
            text=body.text,
            topic=body.topic,
            place=body.place,
            intent=body.intent,
            cell=await moved(body.cell, call) if body.cell else None,
        )
        return await desk.handle(command, call)

    @api.get("/notes", responses=problems(400))
    async def read_notes(
        who: Someone, window: Paging, sort: Annotated[Literal["new", "hot"], Query()] = "new"
    ) -> Page[NoteView]:
        """Notes, the newest first, or the hottest of the last days: much used and young."""
        after = (window.after.at, window.after.id) if window.after else None
        if sort == "new":
            found = await store.notes("created_at", None, after, window.read)
        else:
            found = await store.notes("hot_at", datetime.now(UTC) - timedelta(days=days), after, window.read)
        mine = await store.reactions([note.id for note in found], who.person)
        place = {n.id: Cursor((n.created_at if sort == "new" else n.hot_at) or n.created_at, n.id) for n in found}
        views = [NoteView.of(note, mine.get(note.id, ())) for note in found]
        return page(views, window.limit, lambda view: place[view.note_id])

    @api.get("/authors/{person_id}/record", responses=problems(404, types={404: ["unknown-author"]}))
    async def read_record(person_id: Id, _: Someone) -> RecordView:
        """What a person has written, asked and answered."""
        record = await store.record(person_id)
        if record is None:
            raise Rejected("unknown-author", 404)
        return RecordView.of(record)

    @api.get("/notes/{note_id}", responses=problems(404, types=NOTE_GONE))
    async def read_note(note_id: Id, who: Someone, response: Response) -> NoteView:
        """Read a note; a hidden one is there for its author alone. The `ETag` names its text, not its counts."""
        note = core.undeleted(core.readable(await store.note(note_id), "note", who.person), "note")
        tag(response, note, who.person)
        edits, mine = await store.last_edits([note], who.person), await store.reactions([note.id], who.person)
        return NoteView.of(note, mine.get(note.id, ()), edits.get(note.id))

    @api.patch(
        "/notes/{note_id}",
        response_model=NoteEdited,
        responses=problems(400, 422, 503, types={**NOTE_GONE, **EDITING}),
    )
    async def edit_note(note_id: Id, body: NoteChanges, match: IfMatch, call: Calling) -> Response:
        """Write one's note anew. Others see it when it was judged, and the text before until then."""
        command = EditNote(
            person_id=call.person,
            note_id=note_id,
            match=required(match),
            fields=body.model_dump(exclude_unset=True),
        )
        return tagged(await desk.handle(command, call))

    @api.get("/notes/{note_id}/history", responses=problems(403, types={**NOTE_GONE, 403: ["not-the-author"]}))
    async def read_history(note_id: Id, who: Someone) -> History:
        """All texts of a note, for its author and for staff."""
        found = await store.note(note_id)
        note = core.undeleted(core.own(found, "note", who.person, staff=STAFF in who.scopes), "note")
        return History(items=[RevisionView.of(edit, note) for edit in await store.history(note)])

    @api.delete(
        "/notes/{note_id}",
        status_code=204,
        responses=problems(400, 422, 503, types={403: ["not-the-author"], 404: ["unknown-note"]}),
    )
    async def delete_note(note_id: Id, call: Calling) -> Response:
        """Take one's note away, for good: its text, its history, what was asked under it. Comments stay."""
        command = DeleteNote(person_id=call.person, note_id=note_id, any_note=STAFF in call.scopes)
        return await desk.handle(command, call)

    async def react(note_id: str, kind: Reaction, call: Calling, *, on: bool) -> Response:
        return await desk.handle(React(person_id=call.person, note_id=note_id, kind=kind, on=on), call)

    @api.put("/notes/{note_id}/like", status_code=204, responses=REACTING)
    async def like_note(note_id: Id, call: Calling) -> Response:
        """Like a note, once a person; again is no news."""
        return await react(note_id, "like", call, on=True)

    @api.delete("/notes/{note_id}/like", status_code=204, responses=REACTING)
    async def unlike_note(note_id: Id, call: Calling) -> Response:
        """Like a note no longer."""
        return await react(note_id, "like", call, on=False)

    @api.put("/notes/{note_id}/save", status_code=204, responses=REACTING)
    async def save_note(note_id: Id, call: Calling) -> Response:
        """Save a note, once a person; again is no news."""
        return await react(note_id, "save", call, on=True)

    @api.delete("/notes/{note_id}/save", status_code=204, responses=REACTING)
    async def unsave_note(note_id: Id, call: Calling) -> Response:
        """Save a note no longer."""
        return await react(note_id, "save", call, on=False)

    @api.post(
        "/notes/{note_id}/relays",
        status_code=201,
        response_model=Relayed,
        responses={
            **problems(*(400, 403, 409, 422, 503), types={**NOTE_GONE, 404: ["unknown-note", "unknown-group"]}),
            200: {"model": Relayed, "description": "It had been before."},
        },
    )
    async def relay_note(note_id: Id, body: NewRelay, call: Calling) -> Response:
        """Hand a note over to a group; 200 if it had been before."""
        command = RelayNote(
            person_id=call.person, note_id=note_id, group_id=body.group_id, any_note="relay" in call.scopes
        )
        return await desk.handle(command, call)

    return api
