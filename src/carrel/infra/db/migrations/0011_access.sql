-- Groups of people, collections of documents, and whom a document names as its readers.
SET LOCAL ROLE carrel_owner;

-- Beside memberships, and like them the gate's: the application learns a caller's groups with the caller.
CREATE TABLE groups (
    tenant_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    name text NOT NULL,
    description text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT groups_name UNIQUE (tenant_id, name)
);
ALTER TABLE groups ENABLE ROW LEVEL SECURITY;
ALTER TABLE groups FORCE ROW LEVEL SECURITY;
CREATE POLICY gate ON groups TO carrel_gate USING (true);
CREATE POLICY operator ON groups TO carrel_operator USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON groups TO carrel_gate;
GRANT SELECT ON groups TO carrel_operator;

-- Whoever leaves the organisation leaves its groups.
CREATE TABLE group_members (
    tenant_id uuid NOT NULL,
    group_id uuid NOT NULL,
    user_id uuid NOT NULL,
    added_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, group_id, user_id),
    FOREIGN KEY (tenant_id, group_id) REFERENCES groups (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES memberships (tenant_id, user_id) ON DELETE CASCADE
);
CREATE INDEX group_members_user ON group_members (tenant_id, user_id, group_id);
ALTER TABLE group_members ENABLE ROW LEVEL SECURITY;
ALTER TABLE group_members FORCE ROW LEVEL SECURITY;
CREATE POLICY gate ON group_members TO carrel_gate USING (true);
CREATE POLICY operator ON group_members TO carrel_operator USING (true);
GRANT SELECT, INSERT, DELETE ON group_members TO carrel_gate;
GRANT SELECT ON group_members TO carrel_operator;

CREATE TABLE collections (
    tenant_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    name text NOT NULL,
    slug text NOT NULL,
    description text NOT NULL DEFAULT '',
    -- Null: everybody. Else only those named, as `user:<id>` and `group:<id>`; the same holds for a document.
    readers text[] CHECK (cardinality(readers) > 0),
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT collections_slug UNIQUE (tenant_id, slug)
);
CREATE INDEX collections_restricted ON collections (tenant_id) WHERE readers IS NOT NULL;
ALTER TABLE collections ENABLE ROW LEVEL SECURITY;
ALTER TABLE collections FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON collections TO carrel_app USING (tenant_id = (SELECT current_setting('app.tenant')::uuid));
CREATE POLICY operator ON collections TO carrel_operator USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON collections TO carrel_app;
GRANT SELECT ON collections TO carrel_operator;

ALTER TABLE documents
    ADD COLUMN collection_id uuid,
    ADD COLUMN readers text[] CHECK (cardinality(readers) > 0),
    ADD CONSTRAINT documents_collection FOREIGN KEY (tenant_id, collection_id) REFERENCES collections (tenant_id, id);
CREATE INDEX documents_by_collection ON documents (tenant_id, collection_id) WHERE collection_id IS NOT NULL;

-- Whom a collection names is read from its one row at every search, and copied nowhere: a change counts at its commit
-- for all that lies in it.
ALTER TABLE index_documents
    ADD COLUMN collection_id uuid,
    ADD COLUMN readers text[];
CREATE INDEX index_documents_restricted ON index_documents (tenant_id) WHERE readers IS NOT NULL;
