//! A page for every code that an error can have: what it means and what to do. `entrepot explain CODE` prints it.

use super::error::Code;

/// The page of a code, if there is such a code.
pub fn page(word: &str) -> Option<String> {
    let code = Code::parse(word)?;
    Some(format!("{} (HTTP {})\n\n{}\n", code.word(), code.status().as_u16(), text(code)))
}

fn text(code: Code) -> &'static str {
    match code {
        Code::Unauthenticated => {
            "The request carries no credential, or one that is unknown, revoked or expired; which of these is not told.\n\
             Do: send `Authorization: Bearer ek_…`. `entrepot key create NAME --scope read|write|admin` makes a key, `entrepot key list` shows\n\
             which exist. The pages need a new one-time link: `entrepot login`."
        }
        Code::Forbidden => {
            "The credential is good but may not do this: its scope is too small, or a change came from a page that is not ours.\n\
             Do: use a key with the scope the message names. Each scope includes the ones before it: read, write, admin."
        }
        Code::NotFound => "Nothing has this id, name or address.\nDo: list the things of that kind; ids and names are taken exactly.",
        Code::MethodNotAllowed => "The address exists but does not take this method.\nDo: look it up in /api/v1/openapi.json.",
        Code::Malformed => "The body is not JSON, or broke off.\nDo: check quotes and commas; the message names line and column.",
        Code::UnknownField => {
            "A field or parameter has a name the hub does not know. It is refused rather than ignored, because an ignored wish looks like a\n\
             fulfilled one.\nDo: correct the name; the message lists the known ones."
        }
        Code::Invalid => {
            "A value cannot be used. `field` names it, the message says why and what would do.\nDo: correct it and send again; nothing was changed."
        }
        Code::Conflict => {
            "The wish contradicts what is there: a name or SKU is taken, work is open, a plan no longer says what would happen.\n\
             Do: read the message, look at the present state, decide again. Nothing was changed."
        }
        Code::TooLarge => "The body is larger than the hub takes.\nDo: split it.",
        Code::Busy => {
            "The hub or the connection has too much to do at this moment. Nothing was changed.\nDo: come back after the time in `Retry-After`."
        }
        Code::Internal => {
            "Something failed inside the hub. It is not told outside what; the log has the whole chain under the request's id.\n\
             Do: look there, or run `entrepot doctor`. If it stays, report it with the id."
        }
        Code::PluginFailure => {
            "The connector reported a failure, usually the channel's own words: wrong credentials, a missing scope, a throttle.\n\
             Do: read the message; `entrepot connection check NAME` tries again."
        }
        Code::CpuTimeout => {
            "The connector used its whole budget of processor time in one call and was stopped. Other connections were not touched.\n\
             Do: report it to the connector's author with the delivery's topic; `entrepot plugin try` repeats it."
        }
        Code::WallTimeout => {
            "The connector did not answer in time, usually because the channel did not.\n\
             Do: wait, the hub tries again by itself; look at the channel's status page if it stays."
        }
        Code::OutOfMemory => {
            "The connector wanted more memory than its manifest declares and was stopped.\nDo: report it to the connector's author."
        }
        Code::PayloadTooLarge => "The connector returned more than the hub takes from one call.\nDo: report it to the connector's author.",
        Code::PluginCrash => {
            "The connector crashed in the sandbox. Nothing of that call was kept and other connections were not touched.\n\
             Do: `entrepot plugin try NAME translate --topic TOPIC FILE` repeats it; report it to the connector's author."
        }
        Code::Incompatible => {
            "The connector was made for another version of the contract than this hub offers.\nDo: update the hub or the connector."
        }
        Code::Unsupported => {
            "The connector does not offer what was asked of it, or it was not granted.\nDo: `entrepot plugin list` shows what each may do."
        }
        Code::Stopped => "The hub is stopping.\nDo: send again when it runs.",
        Code::SandboxFailed => {
            "The sandbox itself could not be set up; this is not the connector's fault.\nDo: look into the log, check memory and disk."
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_code_has_a_page_and_the_page_says_what_to_do() {
        for code in Code::ALL {
            let page = page(code.word()).unwrap();
            assert!(page.starts_with(code.word()) && page.contains("Do: "), "{page}");
        }
        assert_eq!(page("no-such-code"), None);
    }
}
