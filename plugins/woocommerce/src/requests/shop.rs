//! The shop itself.

use super::Call;

pub fn index() -> Call {
    Call::get("/")
}

pub fn current_currency() -> Call {
    Call::get("/wc/v3/data/currencies/current")
}

pub fn general_settings() -> Call {
    Call::get("/wc/v3/settings/general")
}

pub fn system_status() -> Call {
    Call::get("/wc/v3/system_status").query("_fields", "environment")
}

pub fn shipping_methods() -> Call {
    Call::get("/wc/v3/shipping_methods")
}
