"""What can be wrong with a document, or with what is asked of it."""

from carrel.core.errors import Problem


class DocumentNotFound(Problem):
    """No document of this organisation has this id."""

    code, title, status = "document-not-found", "Document not found", 404


class DocumentNotIndexed(Problem):
    """The document has no text yet: it is waiting, being read, or could not be read."""

    code, title, status = "document-not-indexed", "The document is not indexed", 409


class ExternalIdExists(Problem):
    """Another document of this organisation has this `external_id`; `document_id` names it. Nothing was stored."""

    code, title, status = "external-id-exists", "The external id is taken", 409


class VersionConflict(Problem):
    """The document changed since the ETag in `If-Match` was read. Nothing was done."""

    code, title, status = "version-conflict", "The document has changed", 412


class EmptyDocument(Problem):
    """The file has no bytes. Nothing was stored."""

    code, title, status = "empty-document", "The document is empty", 422
