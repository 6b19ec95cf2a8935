SET LOCAL ROLE carrel_owner;

-- What a set of index rows was made with; another splitter, analyser or model is another build beside this one.
CREATE TABLE index_builds (
    tenant_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    build integer NOT NULL,
    splitter text NOT NULL,
    analyser text NOT NULL,
    model text NOT NULL,
    dimension integer NOT NULL,
    state text NOT NULL CHECK (state IN ('building', 'live', 'retired')),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, build)
);
CREATE UNIQUE INDEX index_builds_live ON index_builds (tenant_id) WHERE state = 'live';
ALTER TABLE index_builds ENABLE ROW LEVEL SECURITY;
ALTER TABLE index_builds FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON index_builds TO carrel_app USING (tenant_id = (SELECT current_setting('app.tenant')::uuid));
CREATE POLICY operator ON index_builds TO carrel_operator USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON index_builds TO carrel_app;
GRANT SELECT ON index_builds TO carrel_operator;

-- One row per build: the next ordinal, what is alive, and how far postings are packed. Its row lock orders writers.
CREATE TABLE index_statistics (
    tenant_id uuid NOT NULL,
    build integer NOT NULL,
    next_ordinal integer NOT NULL DEFAULT 0,
    packed_to integer NOT NULL DEFAULT 0,
    documents integer NOT NULL DEFAULT 0,
    chunks integer NOT NULL DEFAULT 0,
    total_length bigint NOT NULL DEFAULT 0,
    languages jsonb NOT NULL DEFAULT '{}', -- chunks by language: a query is analysed in those that matter here
    generation bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, build),
    FOREIGN KEY (tenant_id, build) REFERENCES index_builds (tenant_id, build) ON DELETE CASCADE
);
ALTER TABLE index_statistics ENABLE ROW LEVEL SECURITY;
ALTER TABLE index_statistics FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON index_statistics TO carrel_app USING (tenant_id = (SELECT current_setting('app.tenant')::uuid));
CREATE POLICY operator ON index_statistics TO carrel_operator USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON index_statistics TO carrel_app;
GRANT SELECT ON index_statistics TO carrel_operator;

-- The filter and display fields of a document, next to the index, and where its chunks lie: one range of ordinals.
CREATE TABLE index_documents (
    tenant_id uuid NOT NULL,
    build integer NOT NULL,
    document_id uuid NOT NULL,
    version integer NOT NULL,
    first_ordinal integer NOT NULL,
    chunk_count integer NOT NULL,
    total_length bigint NOT NULL,
    external_id text,
    title text NOT NULL,
    filename text,
    doc_type text,
    language text,
    status text NOT NULL,
    tags text[] NOT NULL,
    size_bytes bigint NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, build, document_id),
    FOREIGN KEY (tenant_id, build) REFERENCES index_builds (tenant_id, build) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, document_id) REFERENCES documents (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX index_documents_order ON index_documents (tenant_id, build, first_ordinal);
ALTER TABLE index_documents ENABLE ROW LEVEL SECURITY;
ALTER TABLE index_documents FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON index_documents TO carrel_app USING (tenant_id = (SELECT current_setting('app.tenant')::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON index_documents TO carrel_app;

CREATE TABLE chunks (
    tenant_id uuid NOT NULL,
    build integer NOT NULL,
    ordinal integer NOT NULL,
    id uuid NOT NULL,
    document_id uuid NOT NULL,
    version integer NOT NULL,
    position integer NOT NULL,
    text text NOT NULL,
    page integer,
    char_start integer NOT NULL,
    char_end integer NOT NULL,
    heading_path text[] NOT NULL,
    language text,
    PRIMARY KEY (tenant_id, build, ordinal),
    CONSTRAINT chunks_id UNIQUE (tenant_id, build, id),
    FOREIGN KEY (tenant_id, build, document_id)
        REFERENCES index_documents (tenant_id, build, document_id) ON DELETE CASCADE
);
CREATE INDEX idx_chunks_document ON chunks (tenant_id, document_id, version, position);
ALTER TABLE chunks ENABLE ROW LEVEL SECURITY;
ALTER TABLE chunks FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON chunks TO carrel_app USING (tenant_id = (SELECT current_setting('app.tenant')::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON chunks TO carrel_app;

-- A forward row per chunk: (term id, frequency) pairs of 5 bytes; the truth from which postings are packed.
CREATE TABLE forward_rows (
    tenant_id uuid NOT NULL,
    build integer NOT NULL,
    ordinal integer NOT NULL,
    length integer NOT NULL,
    terms bytea NOT NULL,
    PRIMARY KEY (tenant_id, build, ordinal),
    FOREIGN KEY (tenant_id, build) REFERENCES index_builds (tenant_id, build) ON DELETE CASCADE
);
-- Kept in the row and never compressed: a search reads them all, and unpacking costs more than reading.
ALTER TABLE forward_rows ALTER terms SET STORAGE EXTERNAL;
ALTER TABLE forward_rows ENABLE ROW LEVEL SECURITY;
ALTER TABLE forward_rows FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON forward_rows TO carrel_app USING (tenant_id = (SELECT current_setting('app.tenant')::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON forward_rows TO carrel_app;

-- Packed postings of a segment, at most 65,536 ordinals from `segment` on: offsets and impacts of one term.
CREATE TABLE segments (
    tenant_id uuid NOT NULL,
    build integer NOT NULL,
    segment integer NOT NULL,
    span integer NOT NULL,
    chunks integer NOT NULL,
    total_length bigint NOT NULL,
    PRIMARY KEY (tenant_id, build, segment),
    FOREIGN KEY (tenant_id, build) REFERENCES index_builds (tenant_id, build) ON DELETE CASCADE
);
ALTER TABLE segments ENABLE ROW LEVEL SECURITY;
ALTER TABLE segments FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON segments TO carrel_app USING (tenant_id = (SELECT current_setting('app.tenant')::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON segments TO carrel_app;

CREATE TABLE postings (
    tenant_id uuid NOT NULL,
    build integer NOT NULL,
    segment integer NOT NULL,
    term integer NOT NULL,
    entries integer NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (tenant_id, build, segment, term),
    FOREIGN KEY (tenant_id, build, segment) REFERENCES segments (tenant_id, build, segment) ON DELETE CASCADE
);
ALTER TABLE postings ALTER body SET STORAGE EXTERNAL;
ALTER TABLE postings ENABLE ROW LEVEL SECURITY;
ALTER TABLE postings FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON postings TO carrel_app USING (tenant_id = (SELECT current_setting('app.tenant')::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON postings TO carrel_app;

CREATE TABLE tombstones (
    tenant_id uuid NOT NULL,
    build integer NOT NULL,
    ordinal integer NOT NULL,
    PRIMARY KEY (tenant_id, build, ordinal),
    FOREIGN KEY (tenant_id, build) REFERENCES index_builds (tenant_id, build) ON DELETE CASCADE
);
ALTER TABLE tombstones ENABLE ROW LEVEL SECURITY;
ALTER TABLE tombstones FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON tombstones TO carrel_app USING (tenant_id = (SELECT current_setting('app.tenant')::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON tombstones TO carrel_app;

-- Narrow on purpose: a scan reads every row of a tenant, and nothing else may lie between two vectors.
CREATE TABLE embeddings (
    tenant_id uuid NOT NULL,
    build integer NOT NULL,
    ordinal integer NOT NULL,
    vector halfvec NOT NULL,
    PRIMARY KEY (tenant_id, build, ordinal),
    FOREIGN KEY (tenant_id, build) REFERENCES index_builds (tenant_id, build) ON DELETE CASCADE
);
ALTER TABLE embeddings ALTER vector SET STORAGE PLAIN;
ALTER TABLE embeddings ENABLE ROW LEVEL SECURITY;
ALTER TABLE embeddings FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON embeddings TO carrel_app USING (tenant_id = (SELECT current_setting('app.tenant')::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON embeddings TO carrel_app;
