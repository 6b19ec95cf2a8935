-- Tiers, usage by day, and what operators need to keep organisations and to erase them.
SET LOCAL ROLE carrel_owner;

ALTER TABLE organizations ADD COLUMN tier text NOT NULL DEFAULT 'standard'
    CHECK (tier IN ('free', 'standard', 'enterprise', 'unlimited'));
ALTER TABLE organizations ADD COLUMN metadata jsonb NOT NULL DEFAULT '{}';
-- Set by the request to erase it, and never taken back: such an organisation is not enabled again.
ALTER TABLE organizations ADD COLUMN erasing boolean NOT NULL DEFAULT false;
ALTER TABLE organizations ADD COLUMN IF NOT EXISTS rate_limit_per_minute integer CHECK (rate_limit_per_minute > 0);
CREATE INDEX organizations_created ON organizations (created_at DESC, id DESC);

-- An owner may change what the organisation is called, and nothing else of it.
GRANT UPDATE (name) ON organizations TO carrel_app;
-- What is left of an organisation goes with its row.
GRANT DELETE ON organizations TO carrel_operator;
-- An organisation may be born with its first key, and its erasure is a job.
GRANT INSERT ON api_keys TO carrel_operator;
GRANT INSERT ON jobs TO carrel_operator;
CREATE POLICY operator ON job_clock TO carrel_operator USING (true);
GRANT SELECT, INSERT, UPDATE ON job_clock TO carrel_operator;
GRANT SELECT ON queue_clock TO carrel_operator;
-- The stored answers of the operator's own organisation; those of others are out of sight.
CREATE POLICY operator ON idempotency_keys TO carrel_operator
    USING (tenant_id = (SELECT current_setting('app.tenant')::uuid));
GRANT SELECT, UPDATE ON idempotency_keys TO carrel_operator;

-- Whatever changes the usage first on a new day (UTC) closes the days before. Days on which nothing was changed end as
-- the last one did, and had no searches.
CREATE FUNCTION turn_usage_day() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    present date := (now() AT TIME ZONE 'UTC')::date;
BEGIN
    IF OLD.today >= present THEN
        RETURN NEW;
    END IF;
    INSERT INTO tenant_usage_history (tenant_id, day, documents, storage_bytes, searches)
    SELECT OLD.tenant_id, ended::date, OLD.documents, OLD.storage_bytes,
           CASE WHEN ended::date = OLD.today THEN OLD.searches_today ELSE 0 END
    FROM generate_series(OLD.today, present - 1, interval '1 day') AS days (ended)
    ON CONFLICT (tenant_id, day) DO NOTHING;
    IF NEW.today = OLD.today THEN
        NEW.today := present;
        NEW.searches_today := greatest(0, NEW.searches_today - OLD.searches_today);
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER turn_usage_day BEFORE UPDATE ON tenant_usage FOR EACH ROW EXECUTE FUNCTION turn_usage_day();

-- Every day from the first to the present one, whether it was closed yet or not.
CREATE VIEW usage_by_day WITH (security_invoker = true) AS
SELECT tenant_id, day, documents, storage_bytes, searches FROM tenant_usage_history
UNION ALL
SELECT u.tenant_id, ended::date, u.documents, u.storage_bytes,
       CASE WHEN ended::date = u.today THEN u.searches_today ELSE 0 END
FROM tenant_usage u,
     generate_series(u.today, greatest(u.today, (now() AT TIME ZONE 'UTC')::date), interval '1 day') AS days (ended);
GRANT SELECT ON usage_by_day TO carrel_app, carrel_operator;

-- What became of organisations that are erased. It outlives them, so it refers to nothing.
CREATE TABLE erasures (
    organization_id uuid PRIMARY KEY,
    slug text NOT NULL,
    name text NOT NULL,
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL,
    -- The job that does it, and the organisation in whose queue it is.
    job_tenant uuid NOT NULL,
    job_id uuid NOT NULL,
    before jsonb,
    after jsonb,
    erased_at timestamptz,
    verified_at timestamptz
);
ALTER TABLE erasures ENABLE ROW LEVEL SECURITY;
ALTER TABLE erasures FORCE ROW LEVEL SECURITY;
CREATE POLICY operator ON erasures TO carrel_operator USING (true);
GRANT SELECT, INSERT, UPDATE ON erasures TO carrel_operator;
