"""JSON Schema as other teams would check it: draft 2020-12, formats included."""

from datetime import datetime
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]


def _is_date_time(value: object) -> bool:
    """RFC 3339: without its offset it is none."""
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


_FORMATS = FormatChecker(formats=())
_FORMATS.checks("date-time", raises=ValueError)(_is_date_time)


def problems(schema: dict[str, Any], data: object) -> list[str]:
    """What is wrong with ``data``; an invalid schema raises."""
    Draft202012Validator.check_schema(schema)
    return [error.message for error in Draft202012Validator(schema, format_checker=_FORMATS).iter_errors(data)]
