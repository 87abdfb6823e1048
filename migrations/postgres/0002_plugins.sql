-- Connectors: the packed files themselves, what each was granted, and what they keep between calls.

CREATE TABLE plugin (
    tenant        TEXT NOT NULL,
    name          TEXT NOT NULL,
    digest        TEXT NOT NULL,            -- SHA-256 of the packed file, hex
    version       TEXT NOT NULL,
    current       BIGINT NOT NULL,          -- 1: the version in use; others are kept for going back
    bytes         BIGINT NOT NULL,
    grants        TEXT NOT NULL,            -- JSON: what the merchant allowed of what the manifest asks for
    installed_at  BIGINT NOT NULL,
    installed_by  TEXT NOT NULL,
    PRIMARY KEY (tenant, name, digest)
);
CREATE UNIQUE INDEX plugin_current ON plugin (tenant, name) WHERE current = 1;

-- The packed file in pieces of 256 KiB.
CREATE TABLE plugin_chunk (
    tenant  TEXT NOT NULL,
    digest  TEXT NOT NULL,
    seq     BIGINT NOT NULL,
    piece   BYTEA NOT NULL,
    PRIMARY KEY (tenant, digest, seq)
);

-- A small store per connection.
CREATE TABLE plugin_state (
    tenant      TEXT NOT NULL,
    connection  TEXT NOT NULL,
    key         TEXT NOT NULL,
    value       BYTEA NOT NULL,
    bytes       BIGINT NOT NULL,            -- of key and value: summed against the quota
    revision    BIGINT NOT NULL,            -- from 1
    updated_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant, connection, key)
);
