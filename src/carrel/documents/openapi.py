"""How the bodies that the routes read by themselves are described."""

from typing import Any

from carrel.documents.schemas import METADATA_BYTES, READERS, TAGS, Document, NewDocument

FORM = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "format": "binary", "description": "The document. Its name and type are kept."},
        "title": {"type": "string", "maxLength": 1000},
        "external_id": {"type": "string", "maxLength": 512},
        "tags": {
            "type": "array",
            "items": {"type": "string", "maxLength": 100},
            "maxItems": TAGS,
            "description": "Repeat the field, or separate tags by commas.",
        },
        "metadata": {"type": "string", "maxLength": METADATA_BYTES, "description": "A JSON object."},
        "source_url": {"type": "string", "maxLength": 2048},
        "collection": {"type": "string", "maxLength": 100, "description": "The `id` or `slug` of a collection."},
        "readers": {
            "type": "array",
            "items": {"type": "string", "maxLength": 60},
            "maxItems": READERS,
            "description": "Who may see it, as `user:<id>` or `group:<id>`; repeat the field, or separate by commas.",
        },
    },
}

TWO_BODIES: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": NewDocument.model_json_schema(),
                "examples": {
                    "text": {
                        "summary": "A text",
                        "value": {
                            "title": "Opening hours",
                            "content": "The reading room is open from 9 to 17 on weekdays.",
                            "external_id": "pages/opening-hours",
                            "tags": ["visitors"],
                            "metadata": {"building": "north"},
                        },
                    },
                    "markdown": {
                        "summary": "Markdown",
                        "value": {"content": "# Loans\n\nBooks are lent for four weeks.", "mime_type": "text/markdown"},
                    },
                },
            },
            "multipart/form-data": {
                "schema": FORM,
                "examples": {
                    "file": {
                        "summary": "A file with tags",
                        "value": {"file": "(bytes)", "title": "House rules", "tags": ["visitors", "2026"]},
                    }
                },
            },
        },
    }
}

LOCATION = {"Location": {"description": "The job that reads the document.", "schema": {"type": "string"}}}

ADDED: dict[int | str, dict[str, Any]] = {
    200: {"model": Document, "description": "With `wait`: `indexed` or `failed`.", "headers": LOCATION},
    202: {"description": "Stored for good, and queued to be read.", "headers": LOCATION},
}
