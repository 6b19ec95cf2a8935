SET LOCAL ROLE carrel_owner;

CREATE TABLE organizations (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    slug text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL,
    max_documents bigint DEFAULT 10000 CHECK (max_documents >= 0),
    -- At most an exbibyte: the quota in bytes must stay a bigint.
    max_storage_mb bigint DEFAULT 10240 CHECK (max_storage_mb BETWEEN 0 AND 1099511627776),
    max_searches_per_day bigint DEFAULT 10000 CHECK (max_searches_per_day >= 0),
    enabled boolean NOT NULL DEFAULT true
);
ALTER TABLE organizations ENABLE ROW LEVEL SECURITY;
ALTER TABLE organizations FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON organizations TO carrel_app USING (id = (SELECT current_setting('app.tenant')::uuid));
CREATE POLICY gate ON organizations TO carrel_gate USING (true);
CREATE POLICY operator ON organizations TO carrel_operator USING (true);
GRANT SELECT ON organizations TO carrel_app;
GRANT SELECT, INSERT ON organizations TO carrel_gate;
GRANT SELECT, INSERT, UPDATE ON organizations TO carrel_operator;

CREATE TABLE tenant_usage (
    tenant_id uuid PRIMARY KEY REFERENCES organizations (id) ON DELETE CASCADE,
    documents bigint NOT NULL DEFAULT 0 CHECK (documents >= 0),
    storage_bytes bigint NOT NULL DEFAULT 0 CHECK (storage_bytes >= 0),
    searches_today bigint NOT NULL DEFAULT 0 CHECK (searches_today >= 0),
    today date NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')::date,
    updated_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE tenant_usage ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant_usage FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON tenant_usage TO carrel_app USING (tenant_id = (SELECT current_setting('app.tenant')::uuid));
-- An organisation is born with its row of usage.
CREATE POLICY gate ON tenant_usage FOR INSERT TO carrel_gate WITH CHECK (true);
CREATE POLICY operator ON tenant_usage TO carrel_operator USING (true);
GRANT SELECT, INSERT, UPDATE ON tenant_usage TO carrel_app;
GRANT INSERT ON tenant_usage TO carrel_gate;
GRANT SELECT, INSERT ON tenant_usage TO carrel_operator;

CREATE TABLE tenant_usage_history (
    tenant_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    day date NOT NULL,
    documents bigint NOT NULL,
    storage_bytes bigint NOT NULL,
    searches bigint NOT NULL,
    PRIMARY KEY (tenant_id, day)
);
ALTER TABLE tenant_usage_history ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant_usage_history FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON tenant_usage_history TO carrel_app
    USING (tenant_id = (SELECT current_setting('app.tenant')::uuid));
CREATE POLICY operator ON tenant_usage_history TO carrel_operator USING (true);
GRANT SELECT, INSERT, UPDATE ON tenant_usage_history TO carrel_app;
GRANT SELECT ON tenant_usage_history TO carrel_operator;
