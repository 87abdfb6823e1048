-- Who may use the API and the pages. Only digests are kept: a copy of this database opens nothing.

CREATE TABLE access_key (
    tenant        TEXT NOT NULL,
    id            TEXT NOT NULL,
    name          TEXT NOT NULL,            -- for people
    start         TEXT NOT NULL,            -- first characters of the key, so that people recognise it
    hash          BYTEA NOT NULL,            -- SHA-256 of the whole key
    scope         TEXT NOT NULL,            -- read | write | admin; each includes the one before
    created_by    TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT,
    last_used_at  BIGINT,                   -- exact to a minute
    revoked_at    BIGINT,
    PRIMARY KEY (tenant, id),
    CHECK (scope IN ('read', 'write', 'admin'))
);
-- A request names no tenant: its key does.
CREATE UNIQUE INDEX access_key_hash ON access_key (hash);

-- Links that open the pages once, and the sessions they became.
CREATE TABLE session (
    tenant      TEXT NOT NULL,
    hash        BYTEA NOT NULL,              -- SHA-256 of the link's token or of the cookie
    kind        TEXT NOT NULL,              -- link | session
    actor       TEXT NOT NULL,
    scope       TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant, hash),
    CHECK (kind IN ('link', 'session')),
    CHECK (scope IN ('read', 'write', 'admin'))
);
CREATE UNIQUE INDEX session_hash ON session (hash);
CREATE INDEX session_expiry ON session (tenant, expires_at);
