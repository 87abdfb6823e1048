//! From data to HTML. Everything that is not ours goes through [`esc`].

use std::fmt::Write;

use super::overview::{Account, Good, Overview};
use super::texts as t;
use crate::clock::to_rfc3339;
use crate::connections::{Health, State};
use crate::lanes::LaneKey;
use crate::money::Money;
use crate::orders::OrderView;
use crate::sync::Shown;

pub(super) fn esc(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

pub fn whole(main: &str) -> String {
    format!(
        "<!doctype html><html lang=\"{}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{1}</title><link rel=\"stylesheet\" href=\"/style.css\">\
         <script src=\"/live.js\" defer></script></head><body><header><h1><a href=\"/\">{1}</a></h1><nav><a href=\"/tax\">{2}</a></nav></header><main id=\"live\">{main}</main></body></html>",
        t::LANGUAGE,
        t::TITLE,
        t::TAX
    )
}

pub fn note(text: &str) -> String {
    format!("<p class=\"note\">{}</p>", esc(text))
}

pub fn login(token: &str) -> String {
    format!(
        "<form method=\"post\" action=\"/login\" class=\"note\"><input type=\"hidden\" name=\"token\" value=\"{}\"><p>{}</p><button>{}</button></form>",
        esc(token),
        t::OPEN_WHY,
        t::OPEN
    )
}

/// The fragment that is fetched again.
pub fn overview(o: &Overview) -> String {
    let mut out = String::new();
    figures(&mut out, o);
    section(&mut out, t::CONNECTIONS, &connections(&o.connections));
    section(&mut out, t::TROUBLE, &trouble(o));
    section(&mut out, t::STOCK, &stock(o));
    section(&mut out, t::ORDERS, &orders(o));
    let _ = write!(out, "<p class=\"foot\">{} {} {}</p>", t::UPDATED, clock_time(o.at), t::UTC);
    out
}

pub(super) fn section(out: &mut String, title: &str, body: &str) {
    let _ = write!(out, "<section><h2>{title}</h2>{body}</section>");
}

fn figures(out: &mut String, o: &Overview) {
    let total: i64 = o.connections.iter().map(|account| account.orders_today).sum();
    let each: Vec<String> =
        o.connections.iter().map(|account| format!("{} {}", esc(&account.connection.name), account.orders_today)).collect();
    let delay = |share: usize| o.delays_ms.get((o.delays_ms.len() * share / 100).min(o.delays_ms.len().saturating_sub(1))).copied();
    let (median, p99) = match (delay(50), delay(99)) {
        (Some(median), Some(p99)) => (span(median), format!("{} {}", t::P99, span(p99))),
        _ => ("–".to_owned(), t::NO_PUSH_YET.to_owned()),
    };
    let figure = |out: &mut String, title: &str, value: &str, below: &str, class: &str| {
        let _ = write!(out, "<div class=\"figure {class}\"><span>{title}</span><strong>{value}</strong><small>{below}</small></div>");
    };
    out.push_str("<div class=\"figures\">");
    figure(out, t::ORDERS_TODAY, &total.to_string(), &each.join(" · "), "");
    figure(out, &format!("{}, {}", t::TIME_TO_CHANNEL, t::MEDIAN), &median, &p99, "");
    figure(out, t::UNSENT_NOW, &o.waiting.to_string(), "", "");
    figure(out, t::NEED_YOU, &o.need_somebody.to_string(), "", if o.need_somebody > 0 { "bad" } else { "" });
    out.push_str("</div>");
}

fn span(ms: i64) -> String {
    match ms {
        ..1_000 => format!("{ms} {}", t::UNIT_MS),
        _ => format!("{}.{} {}", ms / 1_000, ms % 1_000 / 100, t::UNIT_S),
    }
}

pub(super) fn table(head: &[(&str, bool)], rows: &str) -> String {
    let cells: String = head
        .iter()
        .map(|(text, number)| format!("<th scope=\"col\"{}>{}</th>", if *number { " class=\"n\"" } else { "" }, esc(text)))
        .collect();
    format!("<div class=\"scroll\"><table><thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table></div>")
}

fn connections(accounts: &[Account]) -> String {
    if accounts.is_empty() {
        return note(t::NO_CONNECTIONS);
    }
    let mut rows = String::new();
    for account in accounts {
        let c = &account.connection;
        let state = match c.state {
            State::Live => "good",
            State::Observing => "calm",
            State::Paused => "bad",
        };
        let health = match c.health {
            Health::Healthy => "good",
            Health::Unknown => "calm",
            Health::Failing | Health::Refused => "bad",
        };
        let why = c.health_reason.as_deref().map_or(String::new(), |why| format!(" <small>{}</small>", esc(why)));
        let parked = if account.parked > 0 { format!(" <small>{} {}</small>", account.parked, t::PARKED) } else { String::new() };
        let _ = write!(
            rows,
            "<tr><td><b>{}</b> <small>{}</small></td><td><i class=\"{state}\">{}</i></td><td><i class=\"{health}\">{}</i>{why}</td><td class=\"n\">{}{parked}</td><td class=\"n\">{}</td></tr>",
            esc(&c.name),
            esc(&c.plugin),
            c.state,
            c.health,
            account.linked,
            account.orders_today
        );
    }
    table(&[(t::CONNECTION, false), (t::STATE, false), (t::HEALTH, false), (t::LISTINGS, true), (t::ORDERS_TODAY, true)], &rows)
}

fn trouble(o: &Overview) -> String {
    let mut out = String::new();
    let name = |key: &LaneKey| {
        let connection = o.names.iter().find(|(id, _)| id.as_str() == key.connection_text()).map_or("", |(_, name)| name.as_str());
        format!("{} {}", esc(connection), esc(&key.subject))
    };
    let mut item = |word: &str, class: &str, what: String, why: &str| {
        let _ = write!(out, "<li><i class=\"{class}\">{word}</i> <b>{what}</b> <span>{}</span></li>", esc(why));
    };
    for lane in &o.stuck {
        let (word, class) = if lane.quarantined_at.is_some() { (t::STANDS_STILL, "bad") } else { (t::TRIES_AGAIN, "calm") };
        item(word, class, format!("{} {}", lane.key.kind.as_str(), name(&lane.key)), lane.reason.as_deref().unwrap_or_default());
    }
    for refused in &o.refusals {
        let connection = o.names.get(&refused.connection).map_or("", String::as_str);
        item(t::REFUSED, "bad", format!("{} {} {}", esc(connection), esc(&refused.kind), esc(&refused.external_id)), &refused.reason);
    }
    for (unsent, title) in &o.unsent {
        let connection = o.names.get(&unsent.connection).map_or("", String::as_str);
        item(t::NOT_SENT, "bad", format!("{} {}", esc(connection), esc(title)), unsent.problem.as_deref().unwrap_or_default());
    }
    if out.is_empty() { format!("<p class=\"fine\">{}</p>", t::NO_TROUBLE) } else { format!("<ul class=\"trouble\">{out}</ul>") }
}

fn stock(o: &Overview) -> String {
    if o.goods.is_empty() {
        return note(t::NO_STOCK);
    }
    let mut head = vec![(t::SKU, false), (t::ON_HAND, true), (t::RESERVED, true), (t::AVAILABLE, true)];
    head.extend(o.connections.iter().map(|account| (account.connection.name.as_str(), true)));
    let mut rows = String::new();
    for good in &o.goods {
        let available = good.on_hand - good.reserved;
        let class = if available <= 0 { " class=\"n out\"" } else { " class=\"n\"" };
        let _ = write!(
            rows,
            "<tr><td><b>{}</b> <small>{}</small></td><td class=\"n\">{}</td><td class=\"n\">{}</td><td{class}>{available}</td>",
            esc(&good.sku),
            esc(&good.title),
            good.on_hand,
            good.reserved
        );
        o.connections.iter().for_each(|account| rows.push_str(&channel(good, account, o.at)));
        rows.push_str("</tr>");
    }
    let more = if o.more_goods { note(t::MORE_STOCK) } else { String::new() };
    table(&head, &rows) + &more
}

fn channel(good: &Good, account: &Account, now: i64) -> String {
    let cell = |shown: &Shown| {
        let quantity = shown.quantity.map_or_else(|| t::UNSURE.to_owned(), |quantity| quantity.to_string());
        let when =
            shown.told_at.map_or(String::new(), |at| if now - at < 86_400_000 { clock_time(at) } else { to_rfc3339(at)[..10].to_owned() });
        let waits = if shown.waits { format!(" <i class=\"calm\">{}</i>", t::WAITS) } else { String::new() };
        format!("{quantity} <small>{when}</small>{waits}")
    };
    match good.told.get(&account.connection.id) {
        None => format!("<td class=\"n\"><small>{}</small></td>", t::NOT_LISTED),
        Some(shown) if shown.is_empty() => format!("<td class=\"n\"><small>{}</small></td>", t::NOT_TOLD),
        Some(shown) => format!("<td class=\"n\">{}</td>", shown.iter().map(cell).collect::<Vec<_>>().join("<br>")),
    }
}

fn orders(o: &Overview) -> String {
    if o.orders.is_empty() {
        return note(t::NO_ORDERS);
    }
    let mut rows = String::new();
    for (order, shipments) in &o.orders {
        let mut marks = String::new();
        if order.unmapped > 0 {
            let _ = write!(marks, " <i class=\"bad\">{}</i>", t::IS_PARKED);
        }
        if order.short > 0 {
            let _ = write!(marks, " <i class=\"bad\">{}</i>", t::IS_OVERSOLD);
        }
        for shipment in shipments {
            let _ = write!(
                marks,
                " <small>{}</small>",
                shipment.tracking.iter().map(|tracking| esc(&tracking.number)).collect::<Vec<_>>().join(", ")
            );
        }
        let _ = write!(
            rows,
            "<tr><td><a href=\"/orders/{}/tax\"><b>{}</b></a> <small>{}</small></td><td>{}</td><td><i class=\"calm\">{}</i>{marks}</td><td class=\"n\">{}</td><td>{}</td></tr>",
            esc(order.id.as_str()),
            esc(&order.number),
            esc(o.names.get(&order.connection).map_or("", String::as_str)),
            clock_time(order.placed_at),
            order.status.as_str(),
            esc(&amount(&order.total)),
            timeline(order)
        );
    }
    table(&[(t::ORDER, false), (t::PLACED, false), (t::STATE, false), (t::TOTAL, true), (t::TIMELINE, false)], &rows)
}

/// The last few steps, oldest first.
fn timeline(order: &OrderView) -> String {
    let mut events: Vec<_> = order.events.iter().collect();
    events.sort_by_key(|event| event.at);
    let from = events.len().saturating_sub(4);
    let steps = events[from..].iter().map(|event| format!("<li>{} <small>{}</small></li>", esc(&event.what), clock_time(event.at)));
    format!("<ol class=\"steps\">{}</ol>", steps.collect::<String>())
}

fn amount(money: &Money) -> String {
    money.to_string()
}

/// `14:05:09`.
fn clock_time(at: i64) -> String {
    to_rfc3339(at).get(11..19).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_channels_wrote_cannot_become_markup() {
        assert_eq!(esc("<script>alert('x' & \"y\")"), "&lt;script&gt;alert(&#39;x&#39; &amp; &quot;y&quot;)");
        assert!(!note("<b>").contains("<b>") && !login("\"><b>").contains("\"><b>"));
    }
}
