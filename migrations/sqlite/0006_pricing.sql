-- Prices: base prices and costs, price lists, what channels were told; and what keeps pushes from doing harm.

-- What goods cost here and in which currency: where channel prices begin.
CREATE TABLE price_base (
    tenant          TEXT NOT NULL,
    variant         TEXT NOT NULL,
    price_minor     BIGINT,                 -- null: not priced
    price_currency  TEXT,
    cost_minor      BIGINT,                 -- what one piece costs us; null: not known
    cost_currency   TEXT,
    updated_at      BIGINT NOT NULL,
    PRIMARY KEY (tenant, variant)
);

-- Lines of price lists. An empty text means any; the most specific line of the day answers.
CREATE TABLE price_line (
    tenant          TEXT NOT NULL,
    id              TEXT NOT NULL,
    variant         TEXT NOT NULL,
    connection      TEXT NOT NULL,
    country         TEXT NOT NULL,
    customer_group  TEXT NOT NULL,
    valid_from      TEXT NOT NULL,          -- first day, ISO 8601; '' for ever
    valid_to        TEXT,                   -- first day after
    fixed_minor     BIGINT,
    fixed_currency  TEXT,
    adjustment      TEXT NOT NULL,          -- decimal: 0.05 adds 5 % to the base price
    charm           TEXT,                   -- JSON: step, ending, direction
    created_at      BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX price_line_key ON price_line (tenant, variant, connection, country, customer_group, valid_from);

-- How one connection prices, and whether its prices are pushed.
CREATE TABLE price_policy (
    tenant      TEXT NOT NULL,
    connection  TEXT NOT NULL,
    pushes      BIGINT NOT NULL,            -- 1 once a person applied a plan of its prices
    document    TEXT NOT NULL,              -- JSON: currency, fees, tax, margin, band ...
    repriced    TEXT NOT NULL,              -- the day and the rates for which every listing was looked at
    updated_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant, connection)
);

-- Prices that channels took, per country: the lowest of thirty days is read from here.
CREATE TABLE price_history (
    tenant       TEXT NOT NULL,
    connection   TEXT NOT NULL,
    country      TEXT NOT NULL,
    variant      TEXT NOT NULL,
    at           BIGINT NOT NULL,
    price_minor  BIGINT NOT NULL,
    currency     TEXT NOT NULL,
    actor        TEXT NOT NULL,
    PRIMARY KEY (tenant, connection, country, variant, at)
);

-- How much one connection may be changed without a person looking. Without a row the defaults hold.
CREATE TABLE push_guard (
    tenant          TEXT NOT NULL,
    connection      TEXT NOT NULL,
    zero_share_bps  BIGINT NOT NULL,        -- share of its listings that may go to zero within an hour, in 1/10000
    zero_free       BIGINT NOT NULL,        -- as many always may
    price_move_bps  BIGINT NOT NULL,        -- largest change of one price, in 1/10000 of what the channel shows
    PRIMARY KEY (tenant, connection)
);

-- When a listing was last taken to zero by us.
CREATE TABLE zeroed (
    tenant      TEXT NOT NULL,
    connection  TEXT NOT NULL,
    listing     TEXT NOT NULL,
    at          BIGINT NOT NULL,
    PRIMARY KEY (tenant, connection, listing)
) WITHOUT ROWID;
CREATE INDEX zeroed_at ON zeroed (tenant, connection, at);

-- Pushes that a person stopped: of all connections of one connector, or of one listing.
CREATE TABLE push_pause (
    tenant    TEXT NOT NULL,
    scope     TEXT NOT NULL,                -- channel | listing
    subject   TEXT NOT NULL,                -- the connector's name, or the listing's id
    since_at  BIGINT NOT NULL,
    actor     TEXT NOT NULL,
    PRIMARY KEY (tenant, scope, subject)
);
