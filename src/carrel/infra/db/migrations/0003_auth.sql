SET LOCAL ROLE carrel_owner;

CREATE TABLE api_keys (
    tenant_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    name text NOT NULL,
    description text NOT NULL DEFAULT '',
    prefix text NOT NULL,
    hash bytea NOT NULL,
    scopes text[] NOT NULL CHECK (cardinality(scopes) > 0),
    -- `setting`: given as ADMIN_API_KEY; `generated`: made at the first start; `api`: made by an administrator.
    origin text NOT NULL DEFAULT 'api' CHECK (origin IN ('api', 'setting', 'generated')),
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    -- Found by the hash of the whole key before the tenant is known: 256 random bits tell nobody anything.
    CONSTRAINT api_keys_hash UNIQUE (hash)
);
CREATE INDEX idx_api_keys_tenant ON api_keys (tenant_id, created_at DESC);
ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON api_keys TO carrel_app USING (tenant_id = (SELECT current_setting('app.tenant')::uuid));
CREATE POLICY gate ON api_keys TO carrel_gate USING (true);
CREATE POLICY operator ON api_keys TO carrel_operator USING (true);
GRANT SELECT, INSERT, UPDATE ON api_keys TO carrel_app;
GRANT SELECT, INSERT, UPDATE ON api_keys TO carrel_gate;
GRANT SELECT ON api_keys TO carrel_operator;

CREATE TABLE idempotency_keys (
    tenant_id uuid NOT NULL,
    caller text NOT NULL,
    key text NOT NULL,
    fingerprint bytea,
    owner uuid NOT NULL,
    lease_until timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    status smallint,
    headers jsonb,
    body bytea,
    PRIMARY KEY (tenant_id, caller, key)
);
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);
ALTER TABLE idempotency_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON idempotency_keys TO carrel_app USING (tenant_id = (SELECT current_setting('app.tenant')::uuid));
CREATE POLICY gate ON idempotency_keys TO carrel_gate USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys TO carrel_app, carrel_gate;
