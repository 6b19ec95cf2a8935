"""What can be wrong with a document, or with what is asked of it."""

from carrel.core.errors import Problem


class DocumentNotFound(Problem):
    """No document of this organisation has this id."""

    code, title, status = "document-not-found", "Document not found", 404


class DocumentNotIndexed(Problem):
    """The document has no text yet: it is waiting, being read, or could not be read."""

    code, title, status = "document-not-indexed", "The document is not indexed", 409


class ExternalIdExists(Problem):
    """Another document of this organisation has this `external_id`; `document_id` names it if you may see it.

    Nothing was stored.
    """

    code, title, status = "external-id-exists", "The external id is taken", 409


class VersionConflict(Problem):
    """The document changed since the ETag in `If-Match` was read. Nothing was done."""

    code, title, status = "version-conflict", "The document has changed", 412


class OutOfReach(Problem):
    """The credentials reach only some documents, and would not reach this one afterwards. Nothing was done."""

    code, title, status = "out-of-reach", "These credentials would not reach it", 403


class ReadersWithoutYou(Problem):
    """Who restricts something stays among its readers, unless an administrator. Nothing was done."""

    code, title, status = "readers-without-you", "You would not see it any more", 422


class CollectionNotFound(Problem):
    """No collection that you see has this id or slug."""

    code, title, status = "collection-not-found", "Collection not found", 404


class CollectionSlugTaken(Problem):
    """Another collection of this organisation has this slug."""

    code, title, status = "collection-slug-taken", "The slug is taken", 409


class CollectionNotEmpty(Problem):
    """The collection holds documents, and it was not said where all of them go. Nothing was done."""

    code, title, status = "collection-not-empty", "The collection is not empty", 409


class EmptyDocument(Problem):
    """The file has no bytes. Nothing was stored."""

    code, title, status = "empty-document", "The document is empty", 422
