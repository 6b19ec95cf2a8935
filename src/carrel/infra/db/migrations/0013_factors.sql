-- People without a password of their own: they choose one by a link, or come by another way.
SET LOCAL ROLE carrel_owner;

ALTER TABLE users ALTER COLUMN password_hash DROP NOT NULL;
