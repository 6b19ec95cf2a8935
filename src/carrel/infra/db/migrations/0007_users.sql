-- People, the organisations they belong to, and their sessions. All of it is read before the tenant is known or beside
-- it, so it belongs to the gate; the application's own role has no grant on any of these tables.
SET LOCAL ROLE carrel_owner;

CREATE TABLE users (
    id uuid PRIMARY KEY,
    -- As the person wrote it, and in the one form that is compared.
    email text NOT NULL,
    email_key text NOT NULL,
    name text NOT NULL DEFAULT '',
    password_hash text NOT NULL,
    tier text NOT NULL DEFAULT 'free' CHECK (tier IN ('free', 'pro', 'enterprise', 'admin')),
    -- May use the operators' routes, which see all organisations.
    operator boolean NOT NULL DEFAULT false,
    enabled boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL,
    email_verified_at timestamptz,
    CONSTRAINT users_email UNIQUE (email_key)
);
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
ALTER TABLE users FORCE ROW LEVEL SECURITY;
CREATE POLICY gate ON users TO carrel_gate USING (true);
CREATE POLICY operator ON users TO carrel_operator USING (true);
GRANT SELECT, INSERT, UPDATE ON users TO carrel_gate;
GRANT SELECT (id, email, name, tier, operator, enabled, created_at, email_verified_at) ON users TO carrel_operator;
GRANT UPDATE (tier, operator, enabled) ON users TO carrel_operator;

CREATE TABLE memberships (
    tenant_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role text NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'viewer')),
    created_at timestamptz NOT NULL,
    -- When the person last began a session here: the organisation that a login without a choice leads to.
    last_used_at timestamptz,
    PRIMARY KEY (tenant_id, user_id)
);
CREATE INDEX memberships_user ON memberships (user_id);
ALTER TABLE memberships ENABLE ROW LEVEL SECURITY;
ALTER TABLE memberships FORCE ROW LEVEL SECURITY;
CREATE POLICY gate ON memberships TO carrel_gate USING (true);
CREATE POLICY operator ON memberships TO carrel_operator USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON memberships TO carrel_gate;
GRANT SELECT ON memberships TO carrel_operator;

-- One family of refresh tokens: it ends as a whole.
CREATE TABLE sessions (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    address text NOT NULL,
    user_agent text NOT NULL,
    -- The newest refresh token, and what it was made of together with the one before. Without that one, nobody can
    -- make the newest from what is stored here.
    generation integer NOT NULL,
    nonce bytea NOT NULL,
    rotated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES memberships (tenant_id, user_id) ON DELETE CASCADE
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_member ON sessions (tenant_id, user_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE sessions FORCE ROW LEVEL SECURITY;
CREATE POLICY gate ON sessions TO carrel_gate USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON sessions TO carrel_gate;

-- Every refresh token there was: an old one that comes back has been stolen, or its successor has.
CREATE TABLE refresh_tokens (
    tenant_id uuid NOT NULL,
    session_id uuid NOT NULL,
    generation integer NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (tenant_id, session_id, generation),
    FOREIGN KEY (tenant_id, session_id) REFERENCES sessions (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX refresh_tokens_hash ON refresh_tokens (hash);
ALTER TABLE refresh_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE refresh_tokens FORCE ROW LEVEL SECURITY;
CREATE POLICY gate ON refresh_tokens TO carrel_gate USING (true);
GRANT SELECT, INSERT ON refresh_tokens TO carrel_gate;

CREATE TABLE invitations (
    tenant_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    email text NOT NULL,
    email_key text NOT NULL,
    role text NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'viewer')),
    hash bytea NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT invitations_email UNIQUE (tenant_id, email_key)
);
CREATE INDEX invitations_hash ON invitations (hash);
ALTER TABLE invitations ENABLE ROW LEVEL SECURITY;
ALTER TABLE invitations FORCE ROW LEVEL SECURITY;
CREATE POLICY gate ON invitations TO carrel_gate USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON invitations TO carrel_gate;

-- Links that were sent by mail: to a person who wants to become a user, or to one who has lost the password.
CREATE TABLE user_tokens (
    hash bytea PRIMARY KEY,
    purpose text NOT NULL CHECK (purpose IN ('registration', 'reset')),
    email_key text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    -- What a registration asks for: nobody becomes a user before the mail was read.
    email text,
    password_hash text,
    name text,
    organization text,
    CHECK ((purpose = 'registration') = (email IS NOT NULL AND password_hash IS NOT NULL AND organization IS NOT NULL))
);
CREATE INDEX user_tokens_email ON user_tokens (email_key);
CREATE INDEX user_tokens_expiry ON user_tokens (expires_at);
ALTER TABLE user_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE user_tokens FORCE ROW LEVEL SECURITY;
CREATE POLICY gate ON user_tokens TO carrel_gate USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON user_tokens TO carrel_gate;

-- How often somebody has tried, by a digest of who and what. All instances count together, and a restart forgets nothing.
CREATE TABLE login_attempts (
    key bytea PRIMARY KEY,
    count integer NOT NULL,
    until timestamptz NOT NULL
);
CREATE INDEX login_attempts_until ON login_attempts (until);
ALTER TABLE login_attempts ENABLE ROW LEVEL SECURITY;
ALTER TABLE login_attempts FORCE ROW LEVEL SECURITY;
CREATE POLICY gate ON login_attempts TO carrel_gate USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON login_attempts TO carrel_gate;
