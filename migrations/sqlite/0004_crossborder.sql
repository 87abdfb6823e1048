-- Who sells where and owes which tax; what was worked out for each order, frozen.

-- A legal entity: where it is established and registered. Totals over all channels are kept per entity.
CREATE TABLE legal_entity (
    tenant      TEXT NOT NULL,
    id          TEXT NOT NULL,
    name        TEXT NOT NULL,
    facts       TEXT NOT NULL,              -- JSON: country, registrations, dispatch, EU sales that the hub has not seen
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX legal_entity_name ON legal_entity (tenant, name);

-- What a connection is for the tax: whose sales they are, shop or marketplace, whether it collects.
CREATE TABLE tax_channel (
    tenant      TEXT NOT NULL,
    connection  TEXT NOT NULL,
    entity      TEXT NOT NULL,
    facts       TEXT NOT NULL,              -- JSON
    updated_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant, connection)
);

-- What tax and customs ask of a variant beyond the catalogue.
CREATE TABLE goods_facts (
    tenant      TEXT NOT NULL,
    variant     TEXT NOT NULL,
    facts       TEXT NOT NULL,              -- JSON: tax category, kind, customs description, safety fields, battery
    updated_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant, variant)
);

-- Every text of a merchant's rule file that ever was in force; orders name rule sets that were made of them.
CREATE TABLE rule_text (
    tenant    TEXT NOT NULL,
    hash      TEXT NOT NULL,                -- SHA-256 of name and text
    name      TEXT NOT NULL,
    text      TEXT NOT NULL,
    added_at  BIGINT NOT NULL,
    added_by  TEXT NOT NULL,
    PRIMARY KEY (tenant, hash)
);

-- Those in force, one per name.
CREATE TABLE rule_file (
    tenant  TEXT NOT NULL,
    name    TEXT NOT NULL,
    hash    TEXT NOT NULL,
    set_at  BIGINT NOT NULL,
    set_by  TEXT NOT NULL,
    PRIMARY KEY (tenant, name)
);

-- Which texts a version of the rule set was made of.
CREATE TABLE rule_set (
    tenant    TEXT NOT NULL,
    version   TEXT NOT NULL,
    texts     TEXT NOT NULL,                -- JSON list of rule_text.hash
    first_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant, version)
);

-- Sanction lists as the merchant imported them.
CREATE TABLE screening_list (
    tenant       TEXT NOT NULL,
    name         TEXT NOT NULL,
    version      TEXT NOT NULL,             -- hash of the text
    text         TEXT NOT NULL,
    entries      BIGINT NOT NULL,
    imported_at  BIGINT NOT NULL,
    imported_by  TEXT NOT NULL,
    PRIMARY KEY (tenant, name)
);

-- Orders whose tax is to be worked out or looked at again.
CREATE TABLE tax_work (
    tenant     TEXT NOT NULL,
    order_id   TEXT NOT NULL,
    placed_at  BIGINT NOT NULL,
    revision   BIGINT NOT NULL,             -- grows with every wish, so that none made meanwhile is lost
    anew       BIGINT NOT NULL,             -- 1: a new version is wanted although the order is as it was
    PRIMARY KEY (tenant, order_id)
);
CREATE INDEX tax_work_next ON tax_work (tenant, placed_at);

-- How an order stands: which of its versions counts, and the figures that totals are made of.
CREATE TABLE tax_order (
    tenant         TEXT NOT NULL,
    order_id       TEXT NOT NULL,
    connection     TEXT NOT NULL,
    entity         TEXT NOT NULL,           -- '' while the connection has none
    number         TEXT NOT NULL,
    version        BIGINT NOT NULL,         -- 0: none could be made
    problem        TEXT,                    -- why the last picture of the order could not be worked out
    counted        BIGINT NOT NULL,         -- 1: paid or delivered; others are in no total and no return
    cancelled      BIGINT NOT NULL,
    complete       BIGINT NOT NULL,
    verified       BIGINT NOT NULL,
    placed_at      BIGINT NOT NULL,
    sold_on        TEXT NOT NULL,           -- the day in the merchant's zone
    ship_from      TEXT,
    ship_to        TEXT NOT NULL,           -- country
    us_state       TEXT,
    consumer       BIGINT NOT NULL,
    marketplace_pays BIGINT NOT NULL,
    currency       TEXT NOT NULL,
    net_minor      BIGINT NOT NULL,         -- goods and shipping without tax
    tax_minor      BIGINT,                  -- null: not known
    collector      TEXT,
    oss_eur_minor  BIGINT,                  -- counts towards the EU distance selling total; null: it does not
    charged        TEXT NOT NULL,           -- JSON: what the channel charged, per line, and who it says collects
    updated_at     BIGINT NOT NULL,
    PRIMARY KEY (tenant, order_id)
);
CREATE INDEX tax_order_oss ON tax_order (tenant, entity, sold_on, counted, oss_eur_minor);
CREATE INDEX tax_order_state ON tax_order (tenant, complete, placed_at);

-- One answer, kept as it was given. Never changed.
CREATE TABLE tax_quote (
    tenant     TEXT NOT NULL,
    order_id   TEXT NOT NULL,
    version    BIGINT NOT NULL,
    picture    TEXT NOT NULL,               -- digest of what the channel said that matters; the same picture makes no version
    rule_set   TEXT NOT NULL,
    question   TEXT NOT NULL,               -- JSON
    answer     TEXT NOT NULL,               -- JSON: amounts, rates, exchange rates, trace
    parts      TEXT NOT NULL,               -- JSON: which of the order's lines each line of the question is
    charged    TEXT NOT NULL,               -- JSON: what the channel charged when it was frozen
    frozen_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant, order_id, version)
);

-- What went back, by the figures of the version it names. Never changed.
CREATE TABLE tax_credit (
    tenant         TEXT NOT NULL,
    order_id       TEXT NOT NULL,
    reference      TEXT NOT NULL,           -- refund:ID | cancelled:N | reinstated:N
    version        BIGINT NOT NULL,
    entity         TEXT NOT NULL,
    booked_at      BIGINT NOT NULL,
    booked_on      TEXT NOT NULL,
    currency       TEXT NOT NULL,
    amount_minor   BIGINT NOT NULL,         -- what the buyer got, tax inside; below zero for a reinstated sale
    net_minor      BIGINT NOT NULL,
    tax_minor      BIGINT NOT NULL,
    unplaced_minor BIGINT NOT NULL,         -- more than was left of the sale
    credits        TEXT NOT NULL,           -- JSON, line by line
    oss_eur_minor  BIGINT,
    PRIMARY KEY (tenant, order_id, reference)
);
CREATE INDEX tax_credit_oss ON tax_credit (tenant, entity, booked_on, oss_eur_minor);

-- Tax as it is booked: the rates of every version, and of what went back. Returns are sums of these.
CREATE TABLE tax_line (
    tenant        TEXT NOT NULL,
    order_id      TEXT NOT NULL,
    reference     TEXT NOT NULL,            -- sale:VERSION, or that of a credit
    position      BIGINT NOT NULL,
    version       BIGINT NOT NULL,
    credit        BIGINT NOT NULL,          -- 1: of a credit, which counts whatever version is current
    entity        TEXT NOT NULL,
    booked_on     TEXT NOT NULL,
    corrects      TEXT,                     -- the day of the sale that a credit takes back
    scheme        TEXT NOT NULL,            -- the return it belongs to: eu.oss, eu.ioss, fr.vat, gb.vat, ...
    collector     TEXT NOT NULL,
    country       TEXT NOT NULL,
    tax           TEXT NOT NULL,
    rate          TEXT NOT NULL,            -- a fraction
    currency      TEXT NOT NULL,
    taxable_minor BIGINT NOT NULL,
    amount_minor  BIGINT NOT NULL,
    PRIMARY KEY (tenant, order_id, reference, position)
);
CREATE INDEX tax_line_day ON tax_line (tenant, booked_on);

-- Where the channel says otherwise than we do: for a person to look at, nothing is overwritten.
CREATE TABLE tax_difference (
    tenant      TEXT NOT NULL,
    order_id    TEXT NOT NULL,
    version     BIGINT NOT NULL,
    kind        TEXT NOT NULL,              -- amount | collector | not_reported | currency | over_refund
    words       TEXT NOT NULL,
    detail      TEXT NOT NULL,              -- JSON
    found_at    BIGINT NOT NULL,
    settled_at  BIGINT,
    settled_by  TEXT,
    note        TEXT,
    PRIMARY KEY (tenant, order_id, version, kind)
);
CREATE INDEX tax_difference_open ON tax_difference (tenant, found_at) WHERE settled_at IS NULL;

-- The rate that an order in another currency than the books was locked at. Once it is there it is never changed.
CREATE TABLE exchange_lock (
    tenant      TEXT NOT NULL,
    order_id    TEXT NOT NULL,
    entity      TEXT NOT NULL,
    base        TEXT NOT NULL,              -- the currency of the books
    quote       TEXT NOT NULL,              -- the order's
    markup_bps  TEXT NOT NULL,              -- decimal, in 1/10000: what the shop's prices add to the rate
    rate        TEXT,                       -- units of quote per base before markup; null: none may be used yet
    kind        TEXT,                       -- mid | bid | ask | customs | fixed
    source      TEXT,
    rate_date   TEXT,
    locked_at   BIGINT,
    PRIMARY KEY (tenant, order_id)
);
CREATE INDEX exchange_lock_open ON exchange_lock (tenant, order_id) WHERE rate IS NULL;

-- What later rates made of it: payouts and refunds. Never changed.
CREATE TABLE exchange_entry (
    tenant         TEXT NOT NULL,
    order_id       TEXT NOT NULL,
    reference      TEXT NOT NULL,           -- payout:NAME | refund:ID
    entity         TEXT NOT NULL,
    booked_on      TEXT NOT NULL,
    currency       TEXT NOT NULL,           -- the order's
    amount_minor   BIGINT NOT NULL,
    base           TEXT NOT NULL,
    at_lock_minor  BIGINT NOT NULL,         -- the amount by the locked rate, in base
    at_day_minor   BIGINT NOT NULL,         -- by the rate of the day
    fees_minor     BIGINT NOT NULL,         -- costs of their own, never inside a rate
    gain_minor     BIGINT NOT NULL,         -- below zero: a loss
    rate           TEXT NOT NULL,           -- of the day: units of currency per base
    rate_date      TEXT NOT NULL,
    booked_at      BIGINT NOT NULL,
    PRIMARY KEY (tenant, order_id, reference)
);
CREATE INDEX exchange_entry_day ON exchange_entry (tenant, booked_on);
