-- Buyers whose key was destroyed. Nothing here says who they were; replayed when an older copy is restored.
CREATE TABLE erasure (
    tenant     TEXT NOT NULL,
    person     TEXT NOT NULL,
    actor      TEXT NOT NULL,
    erased_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant, person)
) WITHOUT ROWID;

-- How far the reading of a stream has come: the first one, or the last that took more than a page.
CREATE TABLE import (
    tenant       TEXT NOT NULL,
    connection   TEXT NOT NULL,
    stream       TEXT NOT NULL,             -- orders-in | listings-in
    began_at     BIGINT NOT NULL,
    done         BIGINT NOT NULL,           -- records read, those that could not be taken among them
    total        BIGINT,                    -- records in all, as the channel estimates; null: it does not say
    spent_ms     BIGINT NOT NULL,           -- time in which records came: pauses and waiting for an export are left out
    read_at      BIGINT NOT NULL,           -- the last page, or when it was resumed
    again_at     BIGINT NOT NULL,           -- until then the channel makes what is to be read; 0: it does not
    finished_at  BIGINT,
    PRIMARY KEY (tenant, connection, stream)
);
