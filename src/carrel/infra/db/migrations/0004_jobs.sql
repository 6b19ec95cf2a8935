SET LOCAL ROLE carrel_owner;

CREATE TABLE jobs (
    tenant_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    queue text NOT NULL,
    task text NOT NULL,
    arguments jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    -- False while a queued job waits for its `run_at`: it is then in no index that a worker reads to find work.
    due boolean NOT NULL,
    priority smallint NOT NULL DEFAULT 5 CHECK (priority BETWEEN 0 AND 9),
    virtual_time float8 NOT NULL,
    lock_key text,
    unique_key text,
    run_at timestamptz NOT NULL,
    attempt integer NOT NULL DEFAULT 0,
    max_attempts integer NOT NULL,
    lost integer NOT NULL DEFAULT 0,
    worker text,
    lease_until timestamptz,
    cancel_requested boolean NOT NULL DEFAULT false,
    step text,
    progress_done bigint NOT NULL DEFAULT 0,
    progress_total bigint,
    error_code text,
    error_detail text,
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    finished_at timestamptz,
    PRIMARY KEY (tenant_id, id)
);
-- The front of each line, and the line of each tenant: the second is read when the first shows only tenants that have
-- as many jobs running as they may.
CREATE INDEX jobs_waiting ON jobs (queue, priority, virtual_time) WHERE state = 'queued' AND due;
CREATE INDEX jobs_waiting_by_tenant ON jobs (queue, tenant_id, priority, virtual_time) WHERE state = 'queued' AND due;
CREATE INDEX jobs_asleep ON jobs (run_at) WHERE state = 'queued' AND NOT due;
-- Not on lease_until, which every heartbeat changes: the running are few, and so their rows are updated in place.
CREATE INDEX jobs_running ON jobs (tenant_id) WHERE state = 'running';
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE state IN ('succeeded', 'failed', 'cancelled');
CREATE INDEX jobs_by_tenant ON jobs (tenant_id, created_at DESC, id DESC);
CREATE UNIQUE INDEX jobs_unique ON jobs (tenant_id, unique_key)
    WHERE unique_key IS NOT NULL AND state IN ('queued', 'running');
-- The lock is held by the database: two running jobs of one tenant can never share it.
CREATE UNIQUE INDEX jobs_locked ON jobs (tenant_id, lock_key) WHERE lock_key IS NOT NULL AND state = 'running';
ALTER TABLE jobs SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE jobs ENABLE ROW LEVEL SECURITY;
ALTER TABLE jobs FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON jobs TO carrel_app USING (tenant_id = (SELECT current_setting('app.tenant')::uuid));
CREATE POLICY queue ON jobs TO carrel_queue USING (true);
CREATE POLICY operator ON jobs TO carrel_operator USING (true);
GRANT SELECT, INSERT, UPDATE ON jobs TO carrel_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON jobs TO carrel_queue;
GRANT SELECT ON jobs TO carrel_operator;

-- Where each tenant stands in virtual time: its jobs follow one another by 1 / weight. `lines` holds that time for each
-- line ("queue/priority"), so that a backlog in one never delays the tenant's jobs in another. One row, because its
-- lock then orders all who add jobs for a tenant, whatever lines they use.
CREATE TABLE job_clock (
    tenant_id uuid PRIMARY KEY REFERENCES organizations (id) ON DELETE CASCADE,
    lines jsonb NOT NULL DEFAULT '{}',
    weight real NOT NULL DEFAULT 1 CHECK (weight > 0)
);
ALTER TABLE job_clock SET (fillfactor = 70);
ALTER TABLE job_clock ENABLE ROW LEVEL SECURITY;
ALTER TABLE job_clock FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON job_clock TO carrel_app USING (tenant_id = (SELECT current_setting('app.tenant')::uuid));
CREATE POLICY queue ON job_clock TO carrel_queue USING (true);
GRANT SELECT, INSERT, UPDATE ON job_clock TO carrel_app;
GRANT SELECT, UPDATE ON job_clock TO carrel_queue;

-- The present virtual time of each line, for all tenants: a tenant that was idle joins here, not at zero.
CREATE TABLE queue_clock (
    queue text NOT NULL,
    priority smallint NOT NULL,
    virtual_time float8 NOT NULL DEFAULT 0,
    PRIMARY KEY (queue, priority)
);
ALTER TABLE queue_clock SET (fillfactor = 50);
GRANT SELECT ON queue_clock TO carrel_app;
GRANT SELECT, INSERT, UPDATE ON queue_clock TO carrel_queue;

CREATE TABLE job_workers (
    id text PRIMARY KEY,
    host text NOT NULL,
    process_id integer NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    running integer NOT NULL DEFAULT 0
);
GRANT SELECT, INSERT, UPDATE, DELETE ON job_workers TO carrel_queue;
GRANT SELECT ON job_workers TO carrel_operator;
