-- Exchange rates: what a source published, on which day, and since when we know it. Nothing here is changed or deleted:
-- a correction is a row of its own with the next revision.

-- Rates of one source, of one kind, for one base currency.
CREATE TABLE rate_series (
    tenant      TEXT NOT NULL,
    source      TEXT NOT NULL,              -- the connector's name, or `own` for what the merchant wrote down
    kind        TEXT NOT NULL,              -- mid | bid | ask | customs | fixed
    base        TEXT NOT NULL,              -- values are units of another currency per one unit of this one
    title       TEXT NOT NULL,              -- how the source wants to be named
    version     TEXT NOT NULL,              -- SHA-256 over the version before and the rows added: equal versions, equal rates
    count       BIGINT NOT NULL,            -- rows, corrections among them
    first_on    TEXT NOT NULL,
    last_on     TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    changed_at  BIGINT NOT NULL,
    ready_at    BIGINT,                     -- since when it reaches up to its present; NULL while its history is being read
    PRIMARY KEY (tenant, source, kind, base),
    CHECK (kind IN ('mid', 'bid', 'ask', 'customs', 'fixed')),
    CHECK (length(base) = 3)
);

CREATE TABLE rate (
    tenant        TEXT NOT NULL,
    source        TEXT NOT NULL,
    kind          TEXT NOT NULL,
    base          TEXT NOT NULL,
    quote         TEXT NOT NULL,
    published_on  TEXT NOT NULL,            -- YYYY-MM-DD
    revision      BIGINT NOT NULL,          -- 1, and one more for each correction; the highest holds
    value         TEXT NOT NULL,            -- exact decimal, above zero
    fetched_at    BIGINT NOT NULL,          -- since when we knew it
    PRIMARY KEY (tenant, source, kind, base, quote, published_on, revision),
    CHECK (length(quote) = 3 AND quote <> base),
    CHECK (revision > 0)
) WITHOUT ROWID;

-- Which series answers for which purpose, and how old its rates may be.
CREATE TABLE rate_use (
    tenant        TEXT NOT NULL,
    purpose       TEXT NOT NULL,            -- prices | tax | orders
    source        TEXT,                     -- NULL, kind and base too: whichever series of middle rates came first
    kind          TEXT,
    base          TEXT,
    max_age_days  BIGINT,                   -- NULL: any age
    PRIMARY KEY (tenant, purpose),
    CHECK (purpose IN ('prices', 'tax', 'orders')),
    CHECK (max_age_days IS NULL OR max_age_days >= 0)
);
