-- Times are Unix milliseconds (UTC), money is integer minor units, every key begins with the tenant.
-- The same text serves both databases, but for the name of bytes, for SQLite's trees (a small row lies in that of its key) and for PostgreSQL's
-- statistics (which must not keep keys).

-- One row per merchant.
CREATE TABLE tenant (
    tenant      TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    zone        TEXT NOT NULL,              -- IANA zone in which schedules are read
    created_at  BIGINT NOT NULL
);

-- Small facts of the installation, such as the check value of the master key.
CREATE TABLE setting (
    tenant  TEXT NOT NULL,
    name    TEXT NOT NULL,
    value   TEXT NOT NULL,
    PRIMARY KEY (tenant, name)
) WITHOUT ROWID;

-- Keys that seal data, themselves sealed by the master key. Destroying the row's key destroys what it sealed, in backups too.
CREATE TABLE data_key (
    tenant        TEXT NOT NULL,
    id            TEXT NOT NULL,
    purpose       TEXT NOT NULL,            -- secrets | person:… | inbox:CONNECTION:DAY
    wrapped       BLOB,                     -- null once destroyed
    created_at    BIGINT NOT NULL,
    destroyed_at  BIGINT,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX data_key_purpose ON data_key (tenant, purpose);

CREATE TABLE secret (
    tenant      TEXT NOT NULL,
    owner       TEXT NOT NULL,              -- a connection's id
    name        TEXT NOT NULL,              -- as the manifest names it
    slot        BIGINT NOT NULL,            -- 0 is current; 1 and 2 are still accepted while a secret is rotated
    key_id      TEXT NOT NULL,
    sealed      BLOB NOT NULL,
    updated_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant, owner, name, slot)
);

CREATE TABLE connection (
    tenant         TEXT NOT NULL,
    id             TEXT NOT NULL,
    plugin         TEXT NOT NULL,
    name           TEXT NOT NULL,
    state          TEXT NOT NULL,           -- observing | live | paused
    settings       TEXT NOT NULL,           -- JSON, checked against the manifest's schema; no secrets
    grants         TEXT NOT NULL,           -- JSON: origins an operator allowed by hand, private addresses among them
    webhook_path   TEXT NOT NULL,           -- the unguessable part of the webhook address; '' once removed
    webhook_hash   TEXT NOT NULL,           -- SHA-256 of it in hex: what a request is looked up by
    live_plan      TEXT,                    -- the accepted plan that let it publish; null while it only observes
    account        TEXT,                    -- JSON: what the last check found
    since_at       BIGINT NOT NULL,         -- orders placed before never reserve
    health         TEXT NOT NULL,           -- unknown | healthy | failing | refused
    health_reason  TEXT,
    health_at      BIGINT NOT NULL,
    buffer         BIGINT NOT NULL,         -- units held back on every listing of this connection
    created_at     BIGINT NOT NULL,
    removed_at     BIGINT,                  -- the row stays, so that its orders keep a name
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX connection_name ON connection (tenant, name) WHERE removed_at IS NULL;
CREATE UNIQUE INDEX connection_webhook ON connection (webhook_hash);

-- (kind, connection, external id) <-> our id. Every translation of a foreign id goes through here.
CREATE TABLE identity (
    tenant       TEXT NOT NULL,
    kind         TEXT NOT NULL,
    connection   TEXT NOT NULL,
    external_id  TEXT NOT NULL,
    internal_id  TEXT NOT NULL,
    PRIMARY KEY (tenant, kind, connection, external_id)
) WITHOUT ROWID;
CREATE INDEX identity_internal ON identity (tenant, internal_id);

CREATE TABLE product (
    tenant      TEXT NOT NULL,
    id          TEXT NOT NULL,
    title       TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX product_title ON product (tenant, title);

CREATE TABLE variant (
    tenant      TEXT NOT NULL,
    id          TEXT NOT NULL,
    product     TEXT NOT NULL,
    sku         TEXT NOT NULL,
    sku_key     TEXT NOT NULL,              -- lower case without white space, for matching
    gtin        TEXT,                       -- digits, 8, 12, 13 or 14 of them
    gtin_key    TEXT,                       -- the same with zeros in front, 14 digits: one number, however it was written
    title       TEXT NOT NULL,              -- what tells it from its siblings; '' when it has none
    search      TEXT NOT NULL,              -- lower case: SKU, GTIN and titles, what a text filter looks into
    weight_g    BIGINT,
    length_mm   BIGINT,
    width_mm    BIGINT,
    height_mm   BIGINT,
    hs_code     TEXT,                       -- digits, 6 to 10
    origin      TEXT,                       -- ISO 3166-1 alpha-2
    safety      BIGINT NOT NULL,            -- units never published, over all channels
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX variant_sku ON variant (tenant, sku);
CREATE INDEX variant_sku_key ON variant (tenant, sku_key);
CREATE INDEX variant_gtin ON variant (tenant, gtin_key);
CREATE INDEX variant_product ON variant (tenant, product);

CREATE TABLE listing (
    tenant       TEXT NOT NULL,
    id           TEXT NOT NULL,
    connection   TEXT NOT NULL,
    external_id  TEXT NOT NULL,
    parent       TEXT,                      -- the channel's id of the product
    sku          TEXT,
    gtin         TEXT,
    title        TEXT NOT NULL,
    status       TEXT NOT NULL,             -- active | draft | archived | other
    tracking     TEXT NOT NULL,             -- tracked | untracked | parent
    price        TEXT,                      -- decimal, in price_currency
    price_currency TEXT,
    handles      TEXT NOT NULL,             -- JSON the connector wants back with every push
    document     TEXT NOT NULL,             -- JSON: the rest of what the channel said
    variant      TEXT,                      -- ours; null while it is parked
    link         TEXT NOT NULL,             -- linked | unmatched | ambiguous | ignored
    link_reason  TEXT,
    buffer       BIGINT NOT NULL,           -- units held back on this listing, beside the connection's
    share_bps    BIGINT NOT NULL,           -- part of what is available, in 1/10000
    cap          BIGINT,                    -- never publish more
    seen_at      BIGINT NOT NULL,           -- last time the channel showed it; to the day while sweeps find it unchanged
    created_at   BIGINT NOT NULL,
    digest       TEXT NOT NULL,             -- of what the channel said when this was stored
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX listing_external ON listing (tenant, connection, external_id);
CREATE INDEX listing_variant ON listing (tenant, variant);
CREATE INDEX listing_link ON listing (tenant, connection, link, id);
CREATE INDEX listing_parent ON listing (tenant, connection, parent);

-- What the channel held when it was last read, per location of the channel ('' where it has none).
CREATE TABLE listing_level (
    tenant    TEXT NOT NULL,
    listing   TEXT NOT NULL,
    location  TEXT NOT NULL,
    quantity  BIGINT NOT NULL,
    read_at   BIGINT NOT NULL,
    PRIMARY KEY (tenant, listing, location)
) WITHOUT ROWID;

CREATE TABLE location (
    tenant      TEXT NOT NULL,
    id          TEXT NOT NULL,
    name        TEXT NOT NULL,
    priority    BIGINT NOT NULL,            -- lower is asked first
    country     TEXT,                       -- ISO 3166-1 alpha-2, where it lies
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX location_name ON location (tenant, name);

-- Which of the channel's locations is which of ours. Without a row: all of ours, to the channel's only or first one.
CREATE TABLE location_map (
    tenant      TEXT NOT NULL,
    connection  TEXT NOT NULL,
    external_id TEXT NOT NULL,
    location    TEXT NOT NULL,
    PRIMARY KEY (tenant, connection, external_id)
) WITHOUT ROWID;

-- The ledger. Nothing deletes or changes a row.
CREATE TABLE movement (
    tenant    TEXT NOT NULL,
    id        TEXT NOT NULL,
    at        BIGINT NOT NULL,
    variant   TEXT NOT NULL,
    location  TEXT NOT NULL,
    kind      TEXT NOT NULL,                -- receive | count | adjust | transfer | found | reserve | release | ship | return
    on_hand   BIGINT NOT NULL,              -- change of what is on the shelf
    reserved  BIGINT NOT NULL,              -- change of what is promised
    ref       TEXT NOT NULL,                -- what caused it: an order, a count, a receipt
    line      TEXT NOT NULL,                -- which part of the cause; '' when it has no parts
    actor     TEXT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX movement_once ON movement (tenant, ref, line, kind, variant, location);
CREATE INDEX movement_variant ON movement (tenant, variant, location, at);

-- The ledger's sums. Rebuilding it from `movement` gives the same rows.
CREATE TABLE stock (
    tenant           TEXT NOT NULL,
    variant          TEXT NOT NULL,
    location         TEXT NOT NULL,
    on_hand          BIGINT NOT NULL,
    reserved         BIGINT NOT NULL,
    backorder_limit  BIGINT NOT NULL,
    safety           BIGINT NOT NULL,       -- units of it never published from this place
    version          BIGINT NOT NULL,
    PRIMARY KEY (tenant, variant, location),
    CHECK (reserved >= 0),
    CHECK (on_hand - reserved >= -backorder_limit)
) WITHOUT ROWID;

-- Personal data of a buyer, sealed under a key of that buyer's own. Erasing destroys the key.
CREATE TABLE person (
    tenant      TEXT NOT NULL,
    id          TEXT NOT NULL,
    connection  TEXT NOT NULL,
    external_id TEXT,                       -- the channel's id of the customer
    match_code  TEXT,                       -- keyed hash of the e-mail address, to find the buyer again
    key_id      TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX person_match ON person (tenant, connection, match_code);
CREATE INDEX person_external ON person (tenant, connection, external_id);

CREATE TABLE orders (
    tenant            TEXT NOT NULL,
    id                TEXT NOT NULL,
    connection        TEXT NOT NULL,
    external_id       TEXT NOT NULL,
    number            TEXT NOT NULL,
    status            TEXT NOT NULL,        -- draft | placed | completed | cancelled | other
    channel_status    TEXT NOT NULL,
    payment           TEXT NOT NULL,
    test              BIGINT NOT NULL,
    placed_at         BIGINT NOT NULL,
    updated_at        BIGINT NOT NULL,      -- the channel's last change that we have stored
    cancelled_at      BIGINT,
    ingested_at       BIGINT NOT NULL,      -- when we first stored it
    digest            TEXT NOT NULL,        -- of the canonical order; the same digest changes nothing
    revision          BIGINT NOT NULL,      -- counts stored changes; part of the ledger's keys
    holds             TEXT NOT NULL,        -- stock | nothing:REASON (test, before-since, draft, ...)
    unmapped          BIGINT NOT NULL,      -- physical lines without a variant: the order is parked
    short             BIGINT NOT NULL,      -- units that could not be reserved: the order is oversold
    currency          TEXT NOT NULL,        -- the shop's
    total_minor       BIGINT NOT NULL,
    tax_minor         BIGINT,
    shipping_minor    BIGINT,
    discount_minor    BIGINT,
    refunded_minor    BIGINT,
    presented_currency     TEXT,            -- the buyer's, when it is another
    presented_total_minor  BIGINT,
    ship_country      TEXT,                 -- where it goes: which place serves it may depend on that
    prices_include_tax     BIGINT NOT NULL,
    person            TEXT,
    personal          BLOB,                 -- buyer, addresses and note, sealed under the person's key
    document          TEXT NOT NULL,        -- JSON of the rest, without personal data
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX orders_external ON orders (tenant, connection, external_id);
CREATE INDEX orders_number ON orders (tenant, number);
CREATE INDEX orders_placed ON orders (tenant, placed_at);
CREATE INDEX orders_unmapped ON orders (tenant, placed_at) WHERE unmapped > 0;
CREATE INDEX orders_short ON orders (tenant, placed_at) WHERE short > 0;

CREATE TABLE order_line (
    tenant       TEXT NOT NULL,
    order_id     TEXT NOT NULL,
    external_id  TEXT NOT NULL,
    id           TEXT NOT NULL,
    position     BIGINT NOT NULL,
    kind         TEXT NOT NULL,
    listing      TEXT,                      -- the channel's id of the listing sold
    variant      TEXT,                      -- ours; null while unmapped
    recipe       TEXT,                      -- JSON, units of each component: what the kit was made of when the line became known; null: no kit
    sku          TEXT,
    title        TEXT NOT NULL,
    quantity     BIGINT NOT NULL,
    fulfilled    BIGINT NOT NULL,
    shipped_here BIGINT NOT NULL,           -- units of fulfilled that the hub itself shipped
    released     BIGINT NOT NULL,
    returned     BIGINT NOT NULL,           -- shipped units that came back to the shelf
    returned_here BIGINT NOT NULL,          -- units of returned that were booked by hand
    short        BIGINT NOT NULL,           -- units of it that could not be reserved
    unit_price   TEXT NOT NULL,             -- exact decimal, any scale, in the order's currency
    total_minor  BIGINT NOT NULL,
    discount_minor BIGINT NOT NULL,
    PRIMARY KEY (tenant, order_id, external_id)
);
CREATE INDEX order_line_unmapped ON order_line (tenant, sku) WHERE variant IS NULL;

-- What an order line holds right now, per component and location.
CREATE TABLE reservation (
    tenant    TEXT NOT NULL,
    order_id  TEXT NOT NULL,
    line      TEXT NOT NULL,                -- order_line.external_id
    variant   TEXT NOT NULL,
    location  TEXT NOT NULL,
    quantity  BIGINT NOT NULL,
    shipped   BIGINT NOT NULL,              -- units of it that have left
    returned  BIGINT NOT NULL,              -- shipped units that are back on the shelf
    PRIMARY KEY (tenant, order_id, line, variant, location),
    CHECK (quantity >= 0)
) WITHOUT ROWID;
CREATE INDEX reservation_variant ON reservation (tenant, variant, location);

CREATE TABLE order_event (
    tenant    TEXT NOT NULL,
    order_id  TEXT NOT NULL,
    sequence  BIGINT NOT NULL,
    at        BIGINT NOT NULL,
    actor     TEXT NOT NULL,
    what      TEXT NOT NULL,                -- placed | edited | cancelled | parked | completed-mapping | short | shipped | written-back | ...
    detail    TEXT NOT NULL,                -- JSON
    PRIMARY KEY (tenant, order_id, sequence)
);

CREATE TABLE shipment (
    tenant       TEXT NOT NULL,
    id           TEXT NOT NULL,
    order_id     TEXT NOT NULL,
    external_id  TEXT,                      -- the channel's id once it knows
    shipped_at   BIGINT NOT NULL,
    tracking     TEXT NOT NULL,             -- JSON list of {number, carrier, url}
    lines        TEXT NOT NULL,             -- JSON list of {line, quantity}
    state        TEXT NOT NULL,             -- pending | written | refused
    problem      TEXT,
    retry_at     BIGINT NOT NULL,           -- not before
    attempts     BIGINT NOT NULL,           -- tries whose outcome is not known
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX shipment_order ON shipment (tenant, order_id);
CREATE INDEX shipment_state ON shipment (tenant, state);

-- Deliveries received. The narrow table of keys stays; bodies are dropped by day.
CREATE TABLE inbox (
    tenant       TEXT NOT NULL,
    id           TEXT NOT NULL,
    connection   TEXT NOT NULL,
    topic        TEXT NOT NULL,
    lane         TEXT NOT NULL,
    received_at  BIGINT NOT NULL,
    state        TEXT NOT NULL,             -- new | done | ignored | refused
    reason       TEXT,
    done_at      BIGINT,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX inbox_lane ON inbox (tenant, lane, state, id);

CREATE TABLE inbox_key (
    tenant       TEXT NOT NULL,
    connection   TEXT NOT NULL,
    dedupe       TEXT NOT NULL,
    received_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant, connection, dedupe)
) WITHOUT ROWID;

CREATE TABLE inbox_body (
    tenant   TEXT NOT NULL,
    day      BIGINT NOT NULL,               -- days since 1970; whole days are dropped
    id       TEXT NOT NULL,
    key_id   TEXT NOT NULL,
    sealed   BLOB NOT NULL,                 -- headers and body, compressed
    PRIMARY KEY (tenant, day, id)
);

-- A lane says that work may be due; the work itself is in the other tables. Instants that never come are 9223372036854775807.
CREATE TABLE lane (
    tenant          TEXT NOT NULL,
    id              TEXT NOT NULL,          -- KIND/CONNECTION/SUBJECT
    flow            TEXT NOT NULL,          -- KIND/CONNECTION: lanes that share a limit of concurrency
    kind            TEXT NOT NULL,
    connection      TEXT NOT NULL,          -- '' when it belongs to none
    subject         TEXT NOT NULL,
    epoch           BIGINT NOT NULL,        -- grows with every claim; a commit under an older one is refused
    owner           TEXT NOT NULL,          -- the claim that holds it, '' when free
    lease_until     BIGINT NOT NULL,
    next_due        BIGINT NOT NULL,        -- when it may be claimed; the end of the lease while it is held
    wish_at         BIGINT NOT NULL,        -- earliest wish for a run made while it is held, so that none is lost
    not_before      BIGINT NOT NULL,        -- end of a back-off, which no wish cuts short
    claims          BIGINT NOT NULL,        -- claims since the last orderly end: a handler that kills the process shows here
    failures        BIGINT NOT NULL,        -- typed failures in a row
    outages         BIGINT NOT NULL,        -- those of them that were the other side's and quarantine nothing
    quarantined_at  BIGINT,
    reason          TEXT,
    PRIMARY KEY (tenant, id)
);
-- The first index finds work, the second lanes that are held or whose holder died, the third those that wait for the other side.
CREATE INDEX lane_due ON lane (flow, next_due) WHERE claims = 0 AND quarantined_at IS NULL AND next_due < 9223372036854775807;
CREATE INDEX lane_held ON lane (next_due) WHERE claims > 0 AND quarantined_at IS NULL;
CREATE INDEX lane_away ON lane (tenant, connection) WHERE outages > 0;

-- What a listing should show, and what it was told. The value itself is computed when it is sent.
CREATE TABLE desired (
    tenant        TEXT NOT NULL,
    listing       TEXT NOT NULL,
    field         TEXT NOT NULL,            -- stock | price
    connection    TEXT NOT NULL,
    version       BIGINT NOT NULL,          -- grows when something that matters to the value changed
    sent_version  BIGINT NOT NULL,          -- the version that the channel has acknowledged
    told          TEXT,                     -- the value it acknowledged; null: not known, read it first
    told_at       BIGINT,
    effect        TEXT,                     -- the effect under way
    doubted       BIGINT NOT NULL,          -- the shop changed something while an effect was under way: its outcome is not trusted
    problem       TEXT,                     -- why the channel refused it, or why it is held
    held          TEXT,                     -- a value that is not sent until a person lets it through
    allowed       TEXT,                     -- a value that a person let through, once
    retry_at      BIGINT NOT NULL,          -- not before
    raise_at      BIGINT NOT NULL,          -- nothing above what the channel shows before; 0: at once
    PRIMARY KEY (tenant, listing, field)
);
CREATE INDEX desired_due ON desired (tenant, connection, field) WHERE version > sent_version;

-- A batch exactly as it was sent, stored before it was sent; a repeat sends the same bytes under the same key.
CREATE TABLE effect (
    tenant           TEXT NOT NULL,
    id               TEXT NOT NULL,
    connection       TEXT NOT NULL,
    field            TEXT NOT NULL,
    idempotency_key  TEXT NOT NULL,
    request          TEXT NOT NULL,         -- JSON
    request_hash     TEXT NOT NULL,
    state            TEXT NOT NULL,         -- open | unknown | done
    outcome          TEXT,                  -- JSON
    attempts         BIGINT NOT NULL,
    created_at       BIGINT NOT NULL,
    finished_at      BIGINT,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX effect_key ON effect (tenant, idempotency_key);
CREATE INDEX effect_open ON effect (tenant, connection, field) WHERE state <> 'done';
CREATE INDEX effect_created ON effect (tenant, connection, created_at);

-- A record that a channel sent and that cannot be taken; gone when a later copy can.
CREATE TABLE refusal (
    tenant       TEXT NOT NULL,
    connection   TEXT NOT NULL,
    kind         TEXT NOT NULL,             -- order | listing
    external_id  TEXT NOT NULL,
    reason       TEXT NOT NULL,
    seen_at      BIGINT NOT NULL,
    PRIMARY KEY (tenant, connection, kind, external_id)
) WITHOUT ROWID;

-- What a channel showed and had not been told. Kept for people; healing does not read it.
CREATE TABLE drift (
    tenant      TEXT NOT NULL,
    connection  TEXT NOT NULL,
    listing     TEXT NOT NULL,
    field       TEXT NOT NULL,              -- stock | price
    seen_at     BIGINT NOT NULL,
    told        TEXT NOT NULL,              -- JSON
    found       TEXT NOT NULL,              -- JSON
    was_read    BIGINT NOT NULL,            -- 1: read from the channel; 0: a webhook said so
    PRIMARY KEY (tenant, connection, listing, field, seen_at)
);
CREATE INDEX drift_seen ON drift (tenant, seen_at);

-- Where a stream of reads goes on.
CREATE TABLE stream_cursor (
    tenant      TEXT NOT NULL,
    connection  TEXT NOT NULL,
    stream      TEXT NOT NULL,
    cursor      TEXT NOT NULL,
    updated_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant, connection, stream)
) WITHOUT ROWID;

CREATE TABLE schedule (
    tenant      TEXT NOT NULL,
    connection  TEXT NOT NULL,
    run         TEXT NOT NULL,              -- orders-in | listings-in | webhooks | reconcile
    cron        TEXT NOT NULL,              -- 5 fields, in the merchant's zone
    enabled     BIGINT NOT NULL,
    next_at     BIGINT NOT NULL,            -- instant of the next fire; 9223372036854775807 when there is none
    PRIMARY KEY (tenant, connection, run)
) WITHOUT ROWID;
CREATE INDEX schedule_next ON schedule (next_at) WHERE enabled = 1;

-- One row per fire, keyed by local date and time: a fire happens once, on any number of nodes.
CREATE TABLE schedule_fire (
    tenant      TEXT NOT NULL,
    connection  TEXT NOT NULL,
    run         TEXT NOT NULL,
    fire        TEXT NOT NULL,
    fired_at    BIGINT NOT NULL,
    PRIMARY KEY (tenant, connection, run, fire)
) WITHOUT ROWID;

CREATE TABLE bucket (
    tenant        TEXT NOT NULL,
    connection    TEXT NOT NULL,
    name          TEXT NOT NULL,
    milli_tokens  BIGINT NOT NULL,
    capacity      BIGINT NOT NULL,
    per_minute    BIGINT NOT NULL,
    observed      BIGINT NOT NULL,          -- 1: the limits are the channel's own word, not the manifest's
    updated_at    BIGINT NOT NULL,
    hold_until    BIGINT NOT NULL,          -- nothing leaves before, because the channel said so
    PRIMARY KEY (tenant, connection, name)
) WITHOUT ROWID;

-- What a push would do, shown before the merchant lets it happen.
CREATE TABLE plan (
    tenant       TEXT NOT NULL,
    id           TEXT NOT NULL,
    connection   TEXT NOT NULL,
    purpose      TEXT NOT NULL,             -- first | live | prices
    digest       TEXT NOT NULL,             -- of the changes; accepting names it
    changes      TEXT NOT NULL,             -- JSON
    created_at   BIGINT NOT NULL,
    accepted_at  BIGINT,
    PRIMARY KEY (tenant, id)
);
