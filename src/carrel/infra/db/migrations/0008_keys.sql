-- What a key is limited to, what it has replaced, and how often it was used.
SET LOCAL ROLE carrel_owner;

-- NULL: what RATE_LIMIT_PER_MINUTE says.
ALTER TABLE organizations ADD COLUMN rate_limit_per_minute integer CHECK (rate_limit_per_minute > 0);

ALTER TABLE api_keys
    ADD COLUMN rate_limit integer CHECK (rate_limit BETWEEN 1 AND 1000000),
    -- NULL: not limited to any; `groups` are those whose restricted documents the key reaches.
    ADD COLUMN tags text[] CHECK (cardinality(tags) > 0),
    ADD COLUMN collections uuid[] CHECK (cardinality(collections) > 0),
    ADD COLUMN groups uuid[] CHECK (cardinality(groups) > 0),
    ADD COLUMN rotated_from uuid,
    ADD COLUMN replaced_by uuid,
    -- An administrator sees everything.
    ADD CONSTRAINT api_keys_narrowed
        CHECK (NOT 'admin' = ANY (scopes) OR (tags IS NULL AND collections IS NULL AND groups IS NULL));

CREATE TABLE api_key_usage (
    tenant_id uuid NOT NULL,
    key_id uuid NOT NULL,
    -- In UTC.
    day date NOT NULL,
    requests bigint NOT NULL CHECK (requests >= 0),
    searches bigint NOT NULL CHECK (searches >= 0),
    refused bigint NOT NULL CHECK (refused >= 0),
    PRIMARY KEY (tenant_id, key_id, day),
    FOREIGN KEY (tenant_id, key_id) REFERENCES api_keys (tenant_id, id) ON DELETE CASCADE
);
ALTER TABLE api_key_usage ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_key_usage FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON api_key_usage TO carrel_app USING (tenant_id = (SELECT current_setting('app.tenant')::uuid));
-- A process writes down the counts of all organisations at once.
CREATE POLICY gate ON api_key_usage TO carrel_gate USING (true);
CREATE POLICY operator ON api_key_usage TO carrel_operator USING (true);
GRANT SELECT ON api_key_usage TO carrel_app, carrel_operator;
GRANT SELECT, INSERT, UPDATE ON api_key_usage TO carrel_gate;
