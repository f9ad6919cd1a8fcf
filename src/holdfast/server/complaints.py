"""What is wrong with a request, in words of ours: those of the library that found it are English alone."""

from __future__ import annotations

from collections.abc import Mapping

from holdfast.errors import Phrase
from holdfast.runtime.translation import N_

_OBJECT = N_("it must be an object")
_WHOLE = N_("it must be a whole number")
_BOOLEAN = N_("it must be true or false")
_CHOICE = N_("it must be one of {expected}")
_MOMENT = N_("it must be a time in ISO 8601 with its zone")
_TEMPLATES: dict[str, str] = {
    "missing": N_("it is missing"),
    "extra_forbidden": N_("there is no such field"),
    "json_invalid": N_("it is no JSON"),
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "dict_type": _OBJECT,
    "list_type": N_("it must be a list"),
    "string_type": N_("it must be text"),
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "int_parsing_size": _WHOLE,
    "bool_type": _BOOLEAN,
    "bool_parsing": _BOOLEAN,
    "literal_error": _CHOICE,
    "enum": _CHOICE,
    "greater_than_equal": N_("it must be at least {ge}"),
    "less_than_equal": N_("it must be at most {le}"),
    "string_too_short": N_("it must have at least {min_length} characters"),
    "string_too_long": N_("it must have at most {max_length} characters"),
    "too_short": N_("it must have at least {min_length} entries"),
    "too_long": N_("it must have at most {max_length} entries"),
    "string_pattern_mismatch": N_("it is not written as the interface describes it"),
    "datetime_type": _MOMENT,
    "datetime_parsing": _MOMENT,
    "datetime_from_date_parsing": _MOMENT,
    "datetime_object_invalid": _MOMENT,
    "timezone_aware": _MOMENT,
}


def complaint(kind: str, values: Mapping[str, object], said: str) -> str:
    """Why a value was not taken.

    Args:
        kind: the library's name for what is wrong.
        values: what its sentence is about, such as a limit.
        said: its own sentence; told as it is where there are no words of ours.
    """
    if kind == "value_error":
        return str(values.get("error", said))
    if kind not in _TEMPLATES:
        return said
    expected = str(values.get("expected", "")).replace(" or ", ", ")
    return Phrase(_TEMPLATES[kind], {**values, "expected": expected})
