-- How far an issued certificate's order is paid for.

ALTER TABLE credentials ADD COLUMN paid_until BIGINT;
