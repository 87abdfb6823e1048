//! A carrier that charges by weight and buys nothing: every carrier interface, without a channel behind it.

use entrepot_sdk::addresses::Verdict;
use entrepot_sdk::handover::PickupRequest;
use entrepot_sdk::prelude::*;
use entrepot_sdk::rates::{QuoteRequest, Rate};
use entrepot_sdk::shipments::{Bought, LabelRequest};
use entrepot_sdk::tracking::{Progress, TrackingState};
use entrepot_sdk::{addresses, connection, handover, rates, shipments, tracking};

struct FlatRate;

entrepot_sdk::export_connector!(FlatRate: connection, rates, shipments, tracking, addresses, handover);

impl connection::Guest for FlatRate {
    fn check(ctx: Context) -> Result<Account, Failure> {
        Ok(Account {
            external_id: ctx.connection,
            name: "Flat rate".into(),
            currency: Some("EUR".into()),
            country: None,
            time_zone: None,
            scopes: Vec::new(),
            extras: Vec::new(),
        })
    }

    fn describe(_: Context, what: String) -> Result<Vec<Document>, Failure> {
        Err(Failure::unsupported(format!("no list `{what}`")))
    }
}

impl rates::Guest for FlatRate {
    /// One euro per started kilogram.
    fn quote(_: Context, request: QuoteRequest) -> Result<Vec<Rate>, Failure> {
        let grams: u32 = request.parcels.iter().map(|parcel| parcel.weight_g).sum();
        let price = Money { amount: grams.div_ceil(1000).to_string(), currency: "EUR".into() };
        Ok(vec![Rate {
            token: format!("flat:{grams}"),
            carrier: "flat".into(),
            service: "parcel".into(),
            price,
            expires_at: None,
            days: Some(2),
            extras: Vec::new(),
        }])
    }
}

impl shipments::Guest for FlatRate {
    fn create(_: Context, request: LabelRequest) -> Result<Bought, Failure> {
        Err(Failure::unsupported(format!("nothing is bought for `{}`", request.reference)))
    }

    fn find(_: Context, _: String) -> Result<Option<Bought>, Failure> {
        Ok(None)
    }

    fn label(_: Context, external_id: String, _: String) -> Result<String, Failure> {
        Err(Failure::missing(format!("there is no label `{external_id}`")))
    }

    fn cancel(_: Context, external_id: String) -> Result<Outcome, Failure> {
        Ok(Outcome::unchanged(external_id))
    }
}

impl tracking::Guest for FlatRate {
    fn poll(_: Context, numbers: Vec<String>) -> Result<Vec<Progress>, Failure> {
        let pending =
            |number| Progress { number, state: TrackingState::Pending, scans: Vec::new(), estimated_at: None, extras: Vec::new() };
        Ok(numbers.into_iter().map(pending).collect())
    }
}

impl addresses::Guest for FlatRate {
    fn validate(_: Context, address: Address) -> Result<Verdict, Failure> {
        let messages = if address.country.is_none() { vec!["The country is missing.".into()] } else { Vec::new() };
        Ok(Verdict { valid: messages.is_empty(), suggestion: None, messages })
    }
}

impl handover::Guest for FlatRate {
    fn request_pickup(_: Context, request: PickupRequest) -> Result<Outcome, Failure> {
        Ok(Outcome::done(request.reference, "pickup-1"))
    }

    fn cancel_pickup(_: Context, external_id: String) -> Result<Outcome, Failure> {
        Ok(Outcome::done(external_id, ""))
    }

    fn manifest(_: Context, _: Vec<String>) -> Result<String, Failure> {
        Err(Failure::unsupported("no end-of-day list"))
    }
}
