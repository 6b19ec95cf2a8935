-- The audit log: for each organisation a chain of events in which each holds the hash of the one before, and one more
-- for what belongs to no organisation, under the nil UUID. The database lets a chain only grow at its end and be
-- forgotten from its beginning; what gets past the database shows in the hashes.
SET LOCAL ROLE carrel_owner;

-- Where each chain ends, and where what is kept of it begins. The row is locked by whoever appends.
CREATE TABLE audit_heads (
    tenant_id uuid PRIMARY KEY,
    -- A chain ends with its organisation; that of the server has none.
    organization_id uuid GENERATED ALWAYS AS (nullif(tenant_id, '00000000-0000-0000-0000-000000000000'::uuid)) STORED
        REFERENCES organizations (id) ON DELETE CASCADE,
    sequence bigint NOT NULL DEFAULT 0,
    hash bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex'),
    -- The last event that was forgotten: what follows it is still checked against its hash.
    anchor_sequence bigint NOT NULL DEFAULT 0,
    anchor_hash bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex')
);
CREATE INDEX audit_heads_organization ON audit_heads (organization_id);
ALTER TABLE audit_heads SET (fillfactor = 50);

CREATE TABLE audit_events (
    tenant_id uuid NOT NULL REFERENCES audit_heads (tenant_id) ON DELETE CASCADE,
    sequence bigint NOT NULL,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    target_kind text,
    target_id text,
    outcome text NOT NULL CHECK (outcome IN ('success', 'failure')),
    address text,
    request_id text,
    details jsonb NOT NULL,
    previous bytea NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (tenant_id, sequence)
);

-- A new event is the next one and follows the head; the head moves with it.
CREATE FUNCTION audit_follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE audit_heads SET sequence = NEW.sequence, hash = NEW.hash
    WHERE tenant_id = NEW.tenant_id AND sequence = NEW.sequence - 1 AND hash = NEW.previous;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'An audit event follows the last one of its chain.' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER follow AFTER INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION audit_follow();

-- Events never change. They go only after the anchor has passed them, or with their whole chain.
CREATE FUNCTION audit_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND NOT EXISTS (
        SELECT FROM audit_heads WHERE tenant_id = OLD.tenant_id AND anchor_sequence < OLD.sequence
    ) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'Audit events are not changed or removed.' USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER keep BEFORE UPDATE OR DELETE ON audit_events FOR EACH ROW EXECUTE FUNCTION audit_keep();
CREATE TRIGGER keep_all BEFORE TRUNCATE ON audit_events FOR EACH STATEMENT EXECUTE FUNCTION audit_keep();

-- A head moves to the event that follows it, its anchor forward to an event that is there; it goes with its organisation.
CREATE FUNCTION audit_keep_head() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND OLD.organization_id IS NOT NULL
        AND NOT EXISTS (SELECT FROM organizations WHERE id = OLD.organization_id)
    THEN
        RETURN OLD;
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.tenant_id = OLD.tenant_id
        AND ((NEW.sequence, NEW.hash) = (OLD.sequence, OLD.hash) OR EXISTS (
            SELECT FROM audit_events e
            WHERE e.tenant_id = OLD.tenant_id AND e.sequence = OLD.sequence + 1 AND e.previous = OLD.hash
              AND (e.sequence, e.hash) = (NEW.sequence, NEW.hash)))
        AND ((NEW.anchor_sequence, NEW.anchor_hash) = (OLD.anchor_sequence, OLD.anchor_hash) OR EXISTS (
            SELECT FROM audit_events e
            WHERE e.tenant_id = OLD.tenant_id AND e.sequence > OLD.anchor_sequence
              AND (e.sequence, e.hash) = (NEW.anchor_sequence, NEW.anchor_hash)))
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'The head of an audit chain only follows it.' USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER keep BEFORE UPDATE OR DELETE ON audit_heads FOR EACH ROW EXECUTE FUNCTION audit_keep_head();
CREATE TRIGGER keep_all BEFORE TRUNCATE ON audit_heads FOR EACH STATEMENT EXECUTE FUNCTION audit_keep_head();

-- The one way to forget: from the old end, never an event of the last hours, and the anchor stays behind. Less than the
-- shortest retention, which is a day by the clock of another machine.
CREATE FUNCTION audit_forget(chain uuid, upto bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    forgotten bigint;
BEGIN
    PERFORM FROM audit_heads WHERE tenant_id = chain FOR UPDATE;
    IF EXISTS (
        SELECT FROM audit_events WHERE tenant_id = chain AND sequence <= upto AND at > now() - interval '20 hours'
    ) THEN
        RAISE EXCEPTION 'Audit events of the last 20 hours are kept.' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    UPDATE audit_heads h SET anchor_sequence = e.sequence, anchor_hash = e.hash FROM audit_events e
    WHERE h.tenant_id = chain AND e.tenant_id = chain AND e.sequence = upto AND h.anchor_sequence < upto;
    DELETE FROM audit_events e USING audit_heads h
    WHERE h.tenant_id = chain AND e.tenant_id = chain AND e.sequence <= h.anchor_sequence;
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    RETURN forgotten;
END
$$;
REVOKE EXECUTE ON FUNCTION audit_forget(uuid, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_forget(uuid, bigint) TO carrel_gate;

ALTER TABLE audit_heads ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_heads FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON audit_heads TO carrel_app USING (tenant_id = (SELECT current_setting('app.tenant')::uuid));
CREATE POLICY gate ON audit_heads TO carrel_gate USING (true);
CREATE POLICY operator ON audit_heads TO carrel_operator USING (true);
-- For audit_forget, which works with the owner's rights. Heads are not for the owner to delete: what a cascade of the
-- organisation deletes asks no policy.
CREATE POLICY forget ON audit_heads FOR SELECT TO carrel_owner USING (true);
CREATE POLICY anchor ON audit_heads FOR UPDATE TO carrel_owner USING (true);
GRANT SELECT, INSERT (tenant_id), UPDATE (sequence, hash) ON audit_heads TO carrel_app, carrel_gate, carrel_operator;

ALTER TABLE audit_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_events FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON audit_events TO carrel_app USING (tenant_id = (SELECT current_setting('app.tenant')::uuid));
CREATE POLICY gate ON audit_events TO carrel_gate USING (true);
CREATE POLICY operator ON audit_events TO carrel_operator USING (true);
CREATE POLICY forget ON audit_events TO carrel_owner USING (true);
GRANT SELECT, INSERT ON audit_events TO carrel_app, carrel_gate, carrel_operator;

-- Whose an id is that somebody asked for in vain: found by the id alone, after the answer.
CREATE INDEX documents_id ON documents (id);
CREATE INDEX jobs_id ON jobs (id);
CREATE INDEX api_keys_id ON api_keys (id);
CREATE INDEX sessions_id ON sessions (id);
CREATE INDEX invitations_id ON invitations (id);
