SET LOCAL ROLE carrel_owner;

-- What became of a job, newest last: written by the statements that change it, so it costs none of its own.
ALTER TABLE jobs ADD COLUMN history jsonb NOT NULL DEFAULT '[]';
