"""uploads: the one file of a page's form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, create_form_parser

from .errors import ApiError
from .gate import Call

FORM: Final = "multipart/form-data"
MAX_FIELDS: Final = 20
NAME: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file as a browser sent it."""

    name: str
    """As the sender's computer calls it."""
    data: bytes


def upload(call: Call, field: str) -> Upload:
    """The file that was chosen in a field of the form.

    Raises:
        ApiError: the body is no form, or no file was chosen.
    """
    content_type = call.request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() != FORM:
        raise ApiError("unsupported-media", 415, f"send {FORM}")
    parts: list[File | Field] = []

    def took(part: File | Field) -> None:
        parts.append(part)
        if len(parts) > MAX_FIELDS:
            raise FormParserError("more fields than any form here has")

    limits = {"MAX_MEMORY_FILE_SIZE": len(call.body) + 1}  # in memory already: no second copy
    headers = {"Content-Type": content_type.encode("latin-1")}
    try:
        parser = create_form_parser(headers, took, took, config=limits)
        parser.write(call.body)
        parser.finalize()
    except (FormParserError, ValueError) as error:
        raise ApiError("bad-request", 400, "the form cannot be read") from error
    for each in parts:
        if isinstance(each, File) and each.field_name == field.encode() and each.file_name:
            each.file_object.seek(0)
            name = each.file_name.decode("utf-8", "replace").replace("\0", "�")
            return Upload(name=name[:NAME], data=each.file_object.read())
    raise ApiError("bad-request", 400, "Choose a file.")
