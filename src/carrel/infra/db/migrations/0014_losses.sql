SET LOCAL ROLE carrel_owner;

-- `lost` counts workers that died with only this job in hand, `interrupted` those that had others in hand too.
ALTER TABLE jobs
    ADD COLUMN interrupted integer NOT NULL DEFAULT 0,
    ADD COLUMN lost_at timestamptz;
CREATE INDEX jobs_lost ON jobs (lost_at) WHERE lost_at IS NOT NULL;
