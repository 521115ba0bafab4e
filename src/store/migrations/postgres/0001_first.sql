-- The same tables as for SQLite, with PostgreSQL's own BOOLEAN. Keys are compared byte by byte (COLLATE "C"): an index in a language's
-- order is broken by an upgrade of the system's library, and what was told would then be told again.

CREATE TABLE sources (
    name          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    system        TEXT   NOT NULL,
    first_attempt BIGINT,
    last_attempt  BIGINT,
    last_success  BIGINT,
    last_error    TEXT
);

CREATE TABLE credentials (
    id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    source         TEXT    NOT NULL,
    kind           TEXT    NOT NULL,
    holder         TEXT    NOT NULL,
    holder_id      TEXT    NOT NULL,
    app_id         TEXT,
    team_tags      TEXT    NOT NULL,          -- one a line
    holder_enabled BOOLEAN NOT NULL,
    label          TEXT    NOT NULL,
    not_before     BIGINT,
    expires_at     BIGINT,
    enabled        BOOLEAN NOT NULL,
    in_use         BOOLEAN NOT NULL,
    first_seen     BIGINT  NOT NULL,
    missing_since  BIGINT
);

-- The identity of a notice is the key: whatever is written here has been told, once, ever.
CREATE TABLE notices (
    credential  TEXT COLLATE "C" NOT NULL,
    expires_at  BIGINT NOT NULL,
    notice      TEXT COLLATE "C" NOT NULL,
    threshold   TEXT COLLATE "C" NOT NULL,
    team        TEXT COLLATE "C" NOT NULL,
    episode     BIGINT NOT NULL,
    crossed_at  BIGINT NOT NULL,
    enqueued_at BIGINT NOT NULL,
    PRIMARY KEY (credential, expires_at, notice, threshold, team, episode)
);

CREATE TABLE messages (
    id              TEXT COLLATE "C" NOT NULL PRIMARY KEY,   -- the Message-ID
    address         TEXT   NOT NULL,
    subject         TEXT   NOT NULL,
    enqueued_at     BIGINT NOT NULL,
    raw             BYTEA  NOT NULL,
    about           TEXT   NOT NULL,               -- JSON: the notices it carries
    state           TEXT COLLATE "C" NOT NULL DEFAULT 'pending',
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
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    at   BIGINT NOT NULL
);

CREATE TABLE leases (
    name  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    owner TEXT   NOT NULL,
    until BIGINT NOT NULL
);
