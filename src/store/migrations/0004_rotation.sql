-- Whose a holder is in its directory, and which directory's credential a vault's entry keeps.

ALTER TABLE credentials ADD COLUMN owners   TEXT;      -- addresses, one a line; or `nobody`, `without_address`, `hidden`
ALTER TABLE credentials ADD COLUMN mark_app TEXT;
ALTER TABLE credentials ADD COLUMN mark_key TEXT;
