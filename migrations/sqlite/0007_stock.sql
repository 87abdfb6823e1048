-- Kits, what is missing, and the merchant's rules about who is served and who is shown what.

-- What a kit is made of. A component may be a kit itself; a variant without a row is counted as it is.
CREATE TABLE component (
    tenant     TEXT NOT NULL,
    kit        TEXT NOT NULL,               -- a variant, which has no stock of its own
    component  TEXT NOT NULL,               -- a variant
    quantity   BIGINT NOT NULL,             -- units of it in one kit
    PRIMARY KEY (tenant, kit, component),
    CHECK (quantity > 0)
) WITHOUT ROWID;
CREATE INDEX component_of ON component (tenant, component);

-- Units that an order's line should hold and could not, by what is counted: the components, where it sold a kit.
CREATE TABLE shortage (
    tenant    TEXT NOT NULL,
    order_id  TEXT NOT NULL,
    line      TEXT NOT NULL,                -- order_line.external_id
    variant   TEXT NOT NULL,
    units     BIGINT NOT NULL,
    PRIMARY KEY (tenant, order_id, line, variant),
    CHECK (units > 0)
) WITHOUT ROWID;
CREATE INDEX shortage_variant ON shortage (tenant, variant);

-- How orders of a connection are served; the row with the connection '' is for all that have none.
CREATE TABLE stock_rule (
    tenant      TEXT NOT NULL,
    connection  TEXT NOT NULL,
    allocation  TEXT NOT NULL,              -- priority | nearest | most-stock
    split       TEXT NOT NULL,              -- free | avoid | never
    unpaid_ms   BIGINT,                     -- how long an order holds stock without being paid; null: for ever
    PRIMARY KEY (tenant, connection)
) WITHOUT ROWID;

-- How much of a variant one connection may show, over all its listings; the row with the variant '' is for all that have none.
CREATE TABLE allotment (
    tenant      TEXT NOT NULL,
    connection  TEXT NOT NULL,
    variant     TEXT NOT NULL,
    at_least    BIGINT NOT NULL,            -- units that only this connection shows
    at_most     BIGINT,
    share_bps   BIGINT NOT NULL,            -- part of what can be shown, in 1/10000
    PRIMARY KEY (tenant, connection, variant)
) WITHOUT ROWID;

-- Orders that hold stock and wait for their payment.
CREATE INDEX orders_unpaid ON orders (tenant, connection, placed_at) WHERE payment = 'pending' AND holds = 'stock';
