-- People without a password of their own: they choose one by a link, or come by another way.
SET LOCAL ROLE carrel_owner;

ALTER TABLE users ALTER COLUMN password_hash DROP NOT NULL;

-- What somebody has besides a password. Nothing in these tables opens anything by itself: the secret is encrypted with a
-- key that is not in the database (ENCRYPTION_KEY), everything else is a digest of enough random bits.
CREATE TABLE second_factors (
    user_id uuid PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    secret bytea NOT NULL,
    created_at timestamptz NOT NULL,
    -- Empty until a first code has shown that the secret arrived: before that nobody is asked for one.
    confirmed_at timestamptz,
    -- The time step of the newest code that was used: it and all before it are worthless.
    last_step bigint NOT NULL DEFAULT 0
);
ALTER TABLE second_factors ENABLE ROW LEVEL SECURITY;
ALTER TABLE second_factors FORCE ROW LEVEL SECURITY;
CREATE POLICY gate ON second_factors TO carrel_gate USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON second_factors TO carrel_gate;

CREATE TABLE recovery_codes (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    hash bytea NOT NULL,
    PRIMARY KEY (user_id, hash)
);
ALTER TABLE recovery_codes ENABLE ROW LEVEL SECURITY;
ALTER TABLE recovery_codes FORCE ROW LEVEL SECURITY;
CREATE POLICY gate ON recovery_codes TO carrel_gate USING (true);
GRANT SELECT, INSERT, DELETE ON recovery_codes TO carrel_gate;

-- Logins that wait for their second step.
CREATE TABLE login_tickets (
    hash bytea PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- Of the password that the first step was done with: with another one, the ticket is worthless.
    stamp bytea NOT NULL,
    organization uuid,
    expires_at timestamptz NOT NULL
);
CREATE INDEX login_tickets_user ON login_tickets (user_id);
CREATE INDEX login_tickets_expiry ON login_tickets (expires_at);
ALTER TABLE login_tickets ENABLE ROW LEVEL SECURITY;
ALTER TABLE login_tickets FORCE ROW LEVEL SECURITY;
CREATE POLICY gate ON login_tickets TO carrel_gate USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON login_tickets TO carrel_gate;

-- Who somebody is at a provider of identities. An e-mail address is no identity: it may belong to somebody else later.
CREATE TABLE user_identities (
    issuer text NOT NULL,
    subject text NOT NULL,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX user_identities_user ON user_identities (user_id);
ALTER TABLE user_identities ENABLE ROW LEVEL SECURITY;
ALTER TABLE user_identities FORCE ROW LEVEL SECURITY;
CREATE POLICY gate ON user_identities TO carrel_gate USING (true);
GRANT SELECT, INSERT ON user_identities TO carrel_gate;
