"""The short texts that come with files in a form, and how the documentation tells them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    NaiveDatetime,
    StringConstraints,
    ValidationError,
)

from chatlift.service.multipart import Form
from chatlift.sources.cells import DateOrder
from chatlift.sources.mapping_files import Preset
from chatlift.sources.tables import SCHEMAS
from chatlift.sources.whatsapp_export.chats import ChatChoices
from chatlift.sources.whatsapp_export.day_order import DayOrder
from chatlift.vocabulary import parse_source

Fields = TypeVar("Fields", bound=BaseModel)
FieldText = Annotated[str, StringConstraints(min_length=1, max_length=200)]
ColumnNames = Annotated[str, StringConstraints(min_length=1, max_length=10_000)]
Source = Annotated[str, AfterValidator(parse_source)]


class TableFields(BaseModel):
    """What may be said of files of tables."""

    preset: Preset | None = Field(
        default=None, description="What a known system calls its columns."
    )
    date_order: DateOrder | None = Field(
        default=None, description="What 03/04/2026 begins with, where the values do not tell."
    )
    known_at_creation: ColumnNames | None = Field(
        default=None,
        description="Columns known since their record's creation, with commas between, or `all`.",
    )
    source: Source = Field(default="files", description="Names where the files come from.")


class ChatFields(BaseModel):
    """What has to be said, and may be, of chat exports."""

    me: FieldText = Field(description="The business's name in the chats, or its phone.")
    time_zone: FieldText = Field(description="Zone of the exporting phone, as Europe/Berlin.")
    group: bool = Field(default=False, description="Also read chats of more than two people.")
    day_order: Literal["day-first", "month-first"] | None = Field(
        default=None, description="Where a file leaves open which of day and month comes first."
    )
    exported_at: NaiveDatetime | None = Field(
        default=None, description="When they were exported, by the phone's clock."
    )
    phone: FieldText | None = Field(
        default=None, description="The contact's number, where the one chat shows only a name."
    )
    source: Source = Field(default="whatsapp_export", description="Names where they come from.")

    def choices(self) -> ChatChoices:
        """Return what the reader of chats takes."""
        return ChatChoices(
            me=self.me,
            time_zone=self.time_zone,
            is_group_welcome=self.group,
            day_order=None if self.day_order is None else DayOrder(self.day_order),
            exported_at=self.exported_at,
            phone=self.phone,
        )


def fields_of(kind: type[Fields], form: Form) -> Fields:
    """Return the texts of a form, checked; an empty one counts as not sent.

    Raises
    ------
    RequestValidationError
        If one of them cannot be used.
    """
    told = {name: text for name, text in form.fields.items() if text}
    try:
        return kind.model_validate(told)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError(
            [{**found, "loc": ("body", *found["loc"])} for found in wrong]
        ) from error


def _form(
    files: dict[str, Any], fields: type[BaseModel], example: dict[str, Any]
) -> dict[str, Any]:
    """Return what the documentation says of a form."""
    schema = fields.model_json_schema()
    properties = {**files, **schema["properties"]}
    told = {"type": "object", "properties": properties, "required": schema.get("required", [])}
    if "$defs" in schema:
        properties |= {
            name: _without_references(part, schema["$defs"]) for name, part in properties.items()
        }
    content = {"multipart/form-data": {"schema": told, "example": example}}
    return {"requestBody": {"required": True, "content": content}}


def _without_references(part: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(part, dict) and "$ref" in part:
        return definitions[part["$ref"].rsplit("/", 1)[-1]]
    if isinstance(part, dict):
        return {key: _without_references(value, definitions) for key, value in part.items()}
    if isinstance(part, list):
        return [_without_references(value, definitions) for value in part]
    return part


def _file(description: str) -> dict[str, Any]:
    return {
        "type": "string",
        "format": "binary",
        "contentMediaType": "application/octet-stream",
        "description": description,
    }


TABLE_FORM = _form(
    {table: _file("CSV, Excel, Parquet or JSON Lines.") for table in SCHEMAS}
    | {"mapping": _file("TOML, YAML or JSON: what the columns mean; docs/importing.md.")},
    TableFields,
    {"contacts": "id,created_at\nc-1001,2026-01-05\n", "source": "files"},
)
CHAT_FORM = _form(
    {"file": {"type": "array", "minItems": 1, "items": _file("The .txt or .zip of a chat.")}},
    ChatFields,
    {"file": ["13/01/2024, 09:05 - Ana: hi\n"], "me": "Our Shop", "time_zone": "Europe/Madrid"},
)
