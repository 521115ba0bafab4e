-- Certificates, and what can be wrong with a credential beside its dates.

ALTER TABLE credentials ADD COLUMN serial        TEXT;      -- hexadecimal
ALTER TABLE credentials ADD COLUMN issuer        TEXT;
ALTER TABLE credentials ADD COLUMN sha1          TEXT;      -- hexadecimal
ALTER TABLE credentials ADD COLUMN names         TEXT;      -- one a line
ALTER TABLE credentials ADD COLUMN untrusted     TEXT;      -- why a client would refuse it
ALTER TABLE credentials ADD COLUMN unreachable   TEXT;      -- why it could not be read
ALTER TABLE credentials ADD COLUMN trouble_since BIGINT;

-- What a `resolved` closes, as a set of bits: 1 dates, 2 rotation, 4 deployment, 8 trust, 16 agreement, 32 reach, 64 source.
-- Until now each closed everything.
ALTER TABLE notices ADD COLUMN closes BIGINT NOT NULL DEFAULT 0;
UPDATE notices SET closes = 127 WHERE notice = 'resolved';
