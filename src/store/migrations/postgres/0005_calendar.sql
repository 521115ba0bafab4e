-- What each address's calendar has been told of each credential's date.

CREATE TABLE invitations (
    credential TEXT COLLATE "C" NOT NULL,
    address    TEXT COLLATE "C" NOT NULL,
    sequence   BIGINT NOT NULL,
    day        TEXT   NOT NULL,          -- 2026-11-28
    expires_at BIGINT NOT NULL,
    stamped_at BIGINT NOT NULL,
    title      TEXT   NOT NULL,
    state      TEXT   NOT NULL,          -- invited, cancelled
    message    TEXT   NOT NULL,          -- the Message-ID of the last one
    PRIMARY KEY (credential, address)
);

ALTER TABLE messages ADD COLUMN channel TEXT NOT NULL DEFAULT 'mail';
