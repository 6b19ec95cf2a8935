-- Names of organisations' own, and what their pages look like.
SET LOCAL ROLE carrel_owner;

CREATE TABLE domains (
    tenant_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    host text NOT NULL,
    -- What the zone of the host must say, so that it is believed to be this organisation's.
    token text NOT NULL,
    created_at timestamptz NOT NULL,
    verified_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, host)
);
-- Many may ask for a host; one has it.
CREATE UNIQUE INDEX domains_host ON domains (host) WHERE verified_at IS NOT NULL;
ALTER TABLE domains ENABLE ROW LEVEL SECURITY;
ALTER TABLE domains FORCE ROW LEVEL SECURITY;
CREATE POLICY gate ON domains TO carrel_gate USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON domains TO carrel_gate;

CREATE TABLE branding (
    tenant_id uuid PRIMARY KEY REFERENCES organizations (id) ON DELETE CASCADE,
    display_name text,
    primary_color text CHECK (primary_color ~ '^#[0-9a-f]{6}$'),
    logo bytea CHECK (octet_length(logo) <= 262144),
    logo_type text,
    logo_digest text
);
ALTER TABLE branding ENABLE ROW LEVEL SECURITY;
ALTER TABLE branding FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON branding TO carrel_app USING (tenant_id = (SELECT current_setting('app.tenant')::uuid));
-- It is shown at the door, before anybody is known.
CREATE POLICY gate ON branding FOR SELECT TO carrel_gate USING (true);
GRANT SELECT, INSERT, UPDATE ON branding TO carrel_app;
GRANT SELECT ON branding TO carrel_gate;
