//! Folding names to plain Latin tokens.

/// Lower-case Latin tokens without accents; titles and legal forms are dropped.
pub(super) fn tokens(name: &str) -> Vec<String> {
    let mut folded = String::with_capacity(name.len());
    for c in name.chars().flat_map(char::to_lowercase) {
        match latin(c) {
            Some(text) => folded.push_str(text),
            None if c.is_alphanumeric() => folded.push(c),
            // An apostrophe joins (O'Neil), anything else separates.
            None if matches!(c, '\'' | '’' | 'ь' | 'ъ') => {}
            None if ('\u{300}'..='\u{36f}').contains(&c) => {}
            None => folded.push(' '),
        }
    }
    let dropped = ["mr", "mrs", "ms", "dr", "prof", "ltd", "llc", "inc", "gmbh", "ag", "sa", "plc", "co", "ooo", "the"];
    let all: Vec<String> = folded.split_whitespace().map(str::to_owned).collect();
    let kept: Vec<String> = all.iter().filter(|t| !dropped.contains(&t.as_str())).cloned().collect();
    if kept.is_empty() { all } else { kept }
}

fn latin(c: char) -> Option<&'static str> {
    Some(match c {
        'à' | 'á' | 'â' | 'ã' | 'å' | 'ā' | 'ă' | 'ą' | 'α' | 'а' | 'ά' => "a",
        'ä' | 'æ' => "ae",
        'ç' | 'ć' | 'č' | 'ĉ' | 'ċ' => "c",
        'ď' | 'đ' | 'ð' | 'δ' | 'д' => "d",
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ę' | 'ě' | 'ė' | 'ε' | 'έ' | 'е' | 'ё' | 'э' | 'є' => "e",
        'ф' | 'φ' => "f",
        'ğ' | 'ģ' | 'г' | 'γ' | 'ґ' => "g",
        'х' | 'χ' => "kh",
        'ì' | 'í' | 'î' | 'ï' | 'ī' | 'į' | 'ı' | 'ι' | 'η' | 'ί' | 'ή' | 'и' | 'і' | 'ї' => "i",
        'й' | 'ý' | 'ÿ' | 'υ' | 'ύ' | 'ы' => "y",
        'ķ' | 'κ' | 'к' => "k",
        'ł' | 'ľ' | 'ļ' | 'λ' | 'л' => "l",
        'μ' | 'м' => "m",
        'ñ' | 'ń' | 'ň' | 'ņ' | 'ν' | 'н' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ō' | 'ő' | 'ο' | 'ω' | 'ό' | 'ώ' | 'о' => "o",
        'ö' | 'ø' | 'œ' => "oe",
        'π' | 'п' => "p",
        'ŕ' | 'ř' | 'ρ' | 'р' => "r",
        'ś' | 'š' | 'ş' | 'ș' | 'σ' | 'ς' | 'с' => "s",
        'ß' => "ss",
        'ť' | 'ţ' | 'ț' | 'τ' | 'т' => "t",
        'ù' | 'ú' | 'û' | 'ū' | 'ů' | 'ű' | 'у' => "u",
        'ü' => "ue",
        'в' | 'β' => "v",
        'ź' | 'ż' | 'ž' | 'з' | 'ζ' => "z",
        'б' => "b",
        'ж' => "zh",
        'ц' => "ts",
        'ч' => "ch",
        'ш' => "sh",
        'щ' => "shch",
        'ю' => "yu",
        'я' => "ya",
        'θ' | 'þ' => "th",
        'ξ' => "x",
        'ψ' => "ps",
        _ => return None,
    })
}

/// Edit distance where swapping two neighbours counts as one edit.
pub(super) fn distance(a: &[char], b: &[char]) -> usize {
    let width = b.len() + 1;
    let mut rows: Vec<Vec<usize>> = vec![(0..width).collect()];
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1; width];
        for (j, y) in b.iter().enumerate() {
            let cost = usize::from(x != y);
            let mut best = (rows[i][j + 1] + 1).min(row[j] + 1).min(rows[i][j] + cost);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row[j + 1] = best;
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}
