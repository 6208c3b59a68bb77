"""The gate of a group as a caller writes it and as others see it."""

from typing import Annotated, Literal

import msgspec
from pydantic import BaseModel, Field

from services.groups.core import All, Answer, Gate, Question
from shared.http import Body, Id

Text = Annotated[str, Field(min_length=1, max_length=200)]
Said = Annotated[str, Field(min_length=1, max_length=2_000)]
"""An answer to a question."""
SOME = {"kind": "answer", "question": "place", "accepted": ["老城区"]}


class NewQuestion(Body):
    """A question with the answers that open the door: the short form of a gate, with the id ``question``."""

    text: str = Field(min_length=1, max_length=200, examples=["你最常去哪一带?"])
    accepted: tuple[Text, ...] = Field(min_length=1, max_length=20, examples=[["老城区", "old town"]])


class AskedQuestion(Body):
    """A question of a gate: a choice if it has options, else a text."""

    id: Id = Field(examples=["place"])
    text: str = Field(min_length=1, max_length=200, examples=["你最常去哪一带?"])
    options: tuple[Text, ...] = Field(default=(), max_length=20, examples=[["老城区", "新区"]])


class AllOf(Body):
    """Every one of these rules holds."""

    kind: Literal["all"] = Field(examples=["all"])
    rules: tuple["NewRule", ...] = Field(max_length=40, examples=[[SOME]])


class AnyOf(Body):
    """One of these rules holds, or more."""

    kind: Literal["any"] = Field(examples=["any"])
    rules: tuple["NewRule", ...] = Field(max_length=40, examples=[[SOME]])


class NotSo(Body):
    """This rule does not hold."""

    kind: Literal["not"] = Field(examples=["not"])
    rule: "NewRule" = Field(examples=[SOME])


class AnswerIs(Body):
    """The answer to a question is one of these."""

    kind: Literal["answer"] = Field(examples=["answer"])
    question: Id = Field(examples=["place"])
    accepted: tuple[Text, ...] = Field(max_length=20, examples=[["老城区"]])


class LengthIs(Body):
    """The answer to a question has so many characters or more."""

    kind: Literal["length"] = Field(examples=["length"])
    question: Id = Field(examples=["place"])
    at_least: int = Field(ge=1, le=2_000, examples=[20])


class HasHelped(Body):
    """The applicant has helped so often in notes that came to the group."""

    kind: Literal["helped"] = Field(examples=["helped"])
    at_least: int = Field(ge=1, le=1_000, examples=[1])


class HasTier(Body):
    """Help has earned the applicant this tier in the group, or a higher one."""

    kind: Literal["tier"] = Field(examples=["tier"])
    tier: str = Field(min_length=1, max_length=40, examples=["contributor"])


class OwnerApproves(Body):
    """The owner says yes."""

    kind: Literal["approval"] = Field(examples=["approval"])


NewRule = Annotated[
    AllOf | AnyOf | NotSo | AnswerIs | LengthIs | HasHelped | HasTier | OwnerApproves, Field(discriminator="kind")
]
EXAMPLE = {
    "kind": "all",
    "rules": [
        SOME,
        {"kind": "any", "rules": [{"kind": "helped", "at_least": 1}, {"kind": "approval"}]},
    ],
}


class NewGate(Body):
    """Questions, and the rule over answers, help given here, and the owner's word."""

    questions: tuple[AskedQuestion, ...] = Field(
        default=(),
        max_length=10,
        examples=[[{"id": "place", "text": "你最常去哪一带?", "options": ["老城区", "新区"]}]],
    )
    rule: NewRule = Field(examples=[EXAMPLE])


for model in (AllOf, AnyOf, NotSo, NewGate):
    model.model_rebuild()


def gate_of(gate: NewGate | None, question: NewQuestion | None) -> Gate:
    """The gate that was asked for; the question in its short form has to be answered as well."""
    made = Gate() if gate is None else msgspec.convert(gate.model_dump(), Gate)
    if question is None:
        return made
    first = Answer("question", question.accepted)
    rule = first if made.rule is None else All((first, made.rule))
    return Gate((Question("question", question.text), *made.questions), rule)


class QuestionView(BaseModel):
    id: str
    text: str
    options: tuple[str, ...]


def questions_of(gate: Gate) -> list[QuestionView]:
    """What a group asks; what it accepts stays inside."""
    return [QuestionView(id=q.id, text=q.text, options=q.options) for q in gate.questions]
