-- Buyers whose key was destroyed. Nothing here says who they were; replayed when an older copy is restored.
CREATE TABLE erasure (
    tenant     TEXT NOT NULL,
    person     TEXT NOT NULL,
    actor      TEXT NOT NULL,
    erased_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant, person)
);
