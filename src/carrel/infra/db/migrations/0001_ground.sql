-- Roles, the extension, and the tables that belong to no organisation.

DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['carrel_owner', 'carrel_app', 'carrel_gate', 'carrel_queue', 'carrel_operator'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL; -- roles belong to the whole server; another database's migration was first
            END;
        END IF;
        IF NOT pg_has_role(current_user, wanted, 'MEMBER') THEN
            EXECUTE format('GRANT %I TO %I', wanted, current_user);
        END IF;
    END LOOP;
END
$$;

CREATE EXTENSION IF NOT EXISTS vector;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO carrel_owner;
GRANT USAGE ON SCHEMA public TO carrel_app, carrel_gate, carrel_queue, carrel_operator;

ALTER TABLE schema_migrations OWNER TO carrel_owner;
GRANT SELECT ON schema_migrations TO carrel_gate, carrel_operator;

SET LOCAL ROLE carrel_owner;

-- Secrets that all instances share and no person needs to know, such as the key that signs cursors.
CREATE TABLE instance_secrets (
    name text PRIMARY KEY,
    value bytea NOT NULL
);
GRANT SELECT, INSERT ON instance_secrets TO carrel_gate;
