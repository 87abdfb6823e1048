//! Titles: the shop writes some of them as HTML text; people and other shops want plain text.

/// The text with character references resolved and tags removed.
pub fn plain(html: &str) -> String {
    if !html.contains(['&', '<']) {
        return html.to_owned();
    }
    resolve(&without_tags(html))
}

/// Only what really looks like a tag goes: `<` followed by a letter or `/`, up to the next `>`.
fn without_tags(html: &str) -> String {
    let mut plain = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, after)) = rest.split_once('<') {
        plain.push_str(before);
        let is_tag = after.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
        match after.split_once('>') {
            Some((_, after)) if is_tag => rest = after,
            _ => {
                plain.push('<');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    plain
}

fn resolve(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let found = after.split_once(';').and_then(|(name, after)| Some((character(name)?, after)));
        match found {
            Some((character, after)) => {
                plain.push(character);
                rest = after;
            }
            None => {
                plain.push('&');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    plain
}

fn character(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code);
    }
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => '\u{a0}',
        "ndash" => '–',
        "mdash" => '—',
        "hellip" => '…',
        "times" => '×',
        "deg" => '°',
        "copy" => '©',
        "reg" => '®',
        "trade" => '™',
        "euro" => '€',
        "pound" => '£',
        "lsquo" => '‘',
        "rsquo" => '’',
        "ldquo" => '“',
        "rdquo" => '”',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn references_and_tags_become_plain_text_and_the_rest_stays() {
        assert_eq!(plain("Ship Your Idea &ndash; Color: Black"), "Ship Your Idea – Color: Black");
        assert_eq!(plain("Tom &amp; Jerry&#8217;s &#x2764; &bogus; 3 < 5 & 6 > 4"), "Tom & Jerry’s ❤ &bogus; 3 < 5 & 6 > 4");
        assert_eq!(plain("<span class=\"x\">Red</span> shoe"), "Red shoe");
        assert_eq!(plain("完全"), "完全");
    }
}
