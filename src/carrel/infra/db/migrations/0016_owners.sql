-- Whose an id is that somebody asked for in vain, and what still names a document that is deleted.
SET LOCAL ROLE carrel_owner;

CREATE INDEX collections_id ON collections (id);
CREATE INDEX groups_id ON groups (id);
-- Deleting a document looks for its row of the index by this foreign key.
CREATE INDEX index_documents_document ON index_documents (tenant_id, document_id);
