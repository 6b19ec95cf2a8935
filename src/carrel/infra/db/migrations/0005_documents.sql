SET LOCAL ROLE carrel_owner;

CREATE TABLE documents (
    tenant_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    external_id text,
    title text NOT NULL,
    title_given boolean NOT NULL DEFAULT true, -- else a title found in the content may take its place
    filename text,
    doc_type text,
    mime_type text,
    size_bytes bigint NOT NULL,
    sha256 text NOT NULL,
    language text,
    status text NOT NULL CHECK (status IN ('queued', 'processing', 'indexed', 'failed')),
    error_code text,
    error_detail text,
    version integer NOT NULL,
    chunk_count integer NOT NULL DEFAULT 0,
    tags text[] NOT NULL DEFAULT '{}',
    metadata jsonb NOT NULL DEFAULT '{}',
    source_url text,
    job_id uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    indexed_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT documents_external_id UNIQUE (tenant_id, external_id)
);
CREATE INDEX idx_documents_tenant ON documents (tenant_id, status);
CREATE INDEX idx_documents_tenant_created ON documents (tenant_id, created_at DESC, id DESC);
ALTER TABLE documents ENABLE ROW LEVEL SECURITY;
ALTER TABLE documents FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON documents TO carrel_app USING (tenant_id = (SELECT current_setting('app.tenant')::uuid));
CREATE POLICY operator ON documents TO carrel_operator USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON documents TO carrel_app;
GRANT SELECT ON documents TO carrel_operator;

-- Each content is a version. `object_key` names its bytes in the object store; they are never overwritten.
CREATE TABLE document_versions (
    tenant_id uuid NOT NULL,
    document_id uuid NOT NULL,
    version integer NOT NULL,
    object_key text NOT NULL,
    title text NOT NULL,
    filename text,
    mime_type text,
    size_bytes bigint NOT NULL,
    sha256 text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, document_id, version),
    FOREIGN KEY (tenant_id, document_id) REFERENCES documents (tenant_id, id) ON DELETE CASCADE
);
ALTER TABLE document_versions ENABLE ROW LEVEL SECURITY;
ALTER TABLE document_versions FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON document_versions TO carrel_app USING (tenant_id = (SELECT current_setting('app.tenant')::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON document_versions TO carrel_app;

CREATE TABLE document_texts (
    tenant_id uuid NOT NULL,
    document_id uuid NOT NULL,
    version integer NOT NULL,
    text text NOT NULL,
    PRIMARY KEY (tenant_id, document_id, version),
    FOREIGN KEY (tenant_id, document_id, version)
        REFERENCES document_versions (tenant_id, document_id, version) ON DELETE CASCADE
);
ALTER TABLE document_texts ENABLE ROW LEVEL SECURITY;
ALTER TABLE document_texts FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON document_texts TO carrel_app USING (tenant_id = (SELECT current_setting('app.tenant')::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON document_texts TO carrel_app;
