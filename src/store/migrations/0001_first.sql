-- Instants are nanoseconds since the Unix epoch (BIGINT); 0 stands for "none" where a key needs a value.
-- Nothing here is specific to SQLite: the same statements serve PostgreSQL.

CREATE TABLE sources (
    name          TEXT   NOT NULL PRIMARY KEY,
    system        TEXT   NOT NULL,
    first_attempt BIGINT,
    last_attempt  BIGINT,
    last_success  BIGINT,
    last_error    TEXT
);

CREATE TABLE credentials (
    id             TEXT    NOT NULL PRIMARY KEY,
    source         TEXT    NOT NULL,
    kind           TEXT    NOT NULL,
    holder         TEXT    NOT NULL,
    holder_id      TEXT    NOT NULL,
    app_id         TEXT,
    team_tags      TEXT    NOT NULL,          -- one a line
    holder_enabled INTEGER NOT NULL,
    label          TEXT    NOT NULL,
    not_before     BIGINT,
    expires_at     BIGINT,
    enabled        INTEGER NOT NULL,
    in_use         INTEGER NOT NULL,
    first_seen     BIGINT  NOT NULL,
    missing_since  BIGINT
);

-- The identity of a notice is the key: whatever is written here has been told, once, ever.
CREATE TABLE notices (
    credential  TEXT   NOT NULL,
    expires_at  BIGINT NOT NULL,
    notice      TEXT   NOT NULL,
    threshold   TEXT   NOT NULL,
    team        TEXT   NOT NULL,
    episode     BIGINT NOT NULL,
    crossed_at  BIGINT NOT NULL,
    enqueued_at BIGINT NOT NULL,
    PRIMARY KEY (credential, expires_at, notice, threshold, team, episode)
);

CREATE TABLE messages (
    id              TEXT   NOT NULL PRIMARY KEY,   -- the Message-ID
    address         TEXT   NOT NULL,
    subject         TEXT   NOT NULL,
    enqueued_at     BIGINT NOT NULL,
    raw             BYTEA  NOT NULL,
    about           TEXT   NOT NULL,               -- JSON: the notices it carries
    state           TEXT   NOT NULL DEFAULT 'pending',
    attempts        BIGINT NOT NULL DEFAULT 0,
    next_attempt_at BIGINT NOT NULL DEFAULT 0,
    lease_owner     TEXT,
    lease_until     BIGINT NOT NULL DEFAULT 0,
    last_error      TEXT,
    finished_at     BIGINT
);

CREATE INDEX messages_by_state ON messages (state, enqueued_at);

-- When each scheduled run last began.
CREATE TABLE runs (
    name TEXT   NOT NULL PRIMARY KEY,
    at   BIGINT NOT NULL
);

CREATE TABLE leases (
    name  TEXT   NOT NULL PRIMARY KEY,
    owner TEXT   NOT NULL,
    until BIGINT NOT NULL
);
